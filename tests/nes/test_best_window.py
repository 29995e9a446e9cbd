"""Which center of a run is the best: by the mean over a window of generations."""

from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from tests.helpers.fakes import FakeInnerLoop

CONFIG = RunConfig(
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(
        strategy="snes",
        population=4,
        n_center_evaluations=2,
        stop_when_solved=False,
        best_window=3,
    ),
)


class Given(FakeInnerLoop):
    """Centers have the given scores; members what they have."""

    def __init__(self, scores, **fake):
        super().__init__(**fake)
        self.scores, self.centers = scores, []

    def train_agents(self, jobs):
        generation = len(self.centers)
        self.centers.append(jobs[0].learned.psi)
        results = super().train_agents(jobs)
        score = self.scores[generation]
        given = [np.full(2, score + off) for off in (-5.0, 5.0)]
        return [
            replace(result, test_returns=given[i]) if i < 2 else result
            for i, result in enumerate(results)
        ]


def run(folder, scores, window=3):
    config = replace(CONFIG, nes=replace(CONFIG.nes, best_window=window))
    paths, loop = TrialPaths(folder), Given(scores)
    return run_nes(config, 1, paths, loop, len(scores)), paths, loop


@pytest.mark.parametrize(
    ("window", "scores", "best", "score"),
    [
        (1, [10, 90, 30, 60, 60], 1, 90),
        (1, [10, 60, 60, 5], 1, 60),  # the first of equal ones, as ever
        # Means: 10, 50, 130/3, 60, 50: the lucky 90 is no best center.
        (3, [10, 90, 30, 60, 60], 3, 60),
        (3, [30, 30, 30, 30], 3, 30),  # the last of equal ones
        (3, [60, 0, 60, 60, 60, 0], 4, 60),  # 60, 30, 40, 40, 60, 40
        (3, [90, 0, 0], 0, 90),
        (9, [10, 20, 60], 2, 30),
        (2, [0, 40, 80, 0], 2, 60),
    ],
)
def test_the_center_at_the_end_of_the_best_window_is_kept(
    tmp_path, window, scores, best, score
):
    outcome, paths, loop = run(tmp_path, scores, window)
    assert outcome.state.best_score == pytest.approx(score)
    kept = load_se(paths.best_se)
    np.testing.assert_array_equal(kept.psi, loop.centers[best])
    np.testing.assert_array_equal(outcome.state.best_psi, loop.centers[best])
    assert kept.metadata["best_score"] == outcome.state.best_score
    assert kept.metadata["generation"] == best + 1
    assert outcome.history[-1]["best_score"] == outcome.state.best_score


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_cut_within_a_window_it_ends_with_the_same_bytes(tmp_path, stop):
    def files(paths):
        names = ("generations", "state", "best_se", "last_se")
        return [getattr(paths, name).read_bytes() for name in names]

    def go_on(folder, **fake):
        paths = TrialPaths(tmp_path / folder)
        run_nes(CONFIG, 1, paths, FakeInnerLoop(noise=30.0, **fake), 6)
        return files(paths)

    whole = go_on("whole")
    with pytest.raises(KeyboardInterrupt):
        go_on("cut", fail_after=stop)
    assert go_on("cut") == whole


@pytest.mark.parametrize("value", [0, -1, 1.5, "all"])
def test_no_window_is_refused(value):
    with pytest.raises(UserError, match=r"NESConfig.best_window = .*: must be"):
        NESConfig(best_window=value)
