"""The step limit of tests that falls over the generations, for tasks of rare reward."""

from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.fitness import limit_of_tests, score_agents
from se_hpo.nes.folder import fingerprint
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.jobs import TrainingResult
from tests.helpers.fakes import FakeInnerLoop

NES = NESConfig(
    population=2,
    n_center_evaluations=2,
    first_limit=1000,
    limit_generations=4,
    n_initial=2,
    n_confirmations=1,
)
CONFIG = RunConfig(
    task="MountainCar-v0",
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NES,
)


class Limited(FakeInnerLoop):
    """Scores fall with the generations; each beats the solved return by far."""

    def __init__(self, **values):
        super().__init__(**values)
        self.limits = []

    def train_agents(self, jobs):
        self.limits.append({job.max_test_steps for job in jobs})
        return super().train_agents(jobs)

    def _result(self, job):
        limit = job.max_test_steps or 200
        result = super()._result(job)
        return replace(result, test_returns=result.test_returns + limit)


def run(tmp_path, n, config=CONFIG, **fake):
    loop, paths = Limited(**fake), TrialPaths(tmp_path / "trial")
    return run_nes(config, 1, paths, loop, n), paths, loop


@pytest.mark.parametrize(
    ("first", "generations", "limits"),
    [
        (1000, 4, [1000, 1000, 1000, 600, None, None]),
        (1000, 1, [1000, None, None]),
        (201, 3, [201, 201, 201, None]),
        (0, 0, [None, None]),
    ],
)
def test_it_stays_for_half_of_them_and_falls_evenly_to_the_tasks(
    first, generations, limits
):
    nes = NESConfig(first_limit=first, limit_generations=generations)
    config = replace(CONFIG, nes=nes)
    assert [limit_of_tests(config, g) for g in range(len(limits))] == limits


def test_a_center_is_solved_only_under_the_tasks_own_limit(tmp_path):
    outcome, _, loop = run(tmp_path, 20)
    assert (outcome.reason, outcome.state.solved_at) == ("solved", 5)
    # The start, four generations without confirmations, one with.
    assert loop.limits == [{1000}, {1000}, {1000}, {1000}, {600}, {None}, {None}]


def test_the_best_center_is_the_last_until_scores_compare(tmp_path):
    config = replace(CONFIG, nes=replace(NES, stop_when_solved=False))
    for n in (1, 3):
        outcome, paths, _ = run(tmp_path, n, config)
        last = outcome.history[-1]
        assert last["best_score"] == np.mean(last["center_scores"])
        assert load_se(paths.best_se).psi.tolist() == outcome.state.best_psi.tolist()
        assert outcome.state.solved_at is None
    outcome, paths, _ = run(tmp_path, 8, config)
    scores = [np.mean(line["center_scores"]) for line in outcome.history]
    assert scores[3] > max(scores[4:]), "a longer limit flatters"
    best = [line["best_score"] for line in outcome.history[4:]]
    assert best == np.maximum.accumulate(scores[4:]).tolist()
    assert load_se(paths.best_se).psi.tolist() == outcome.state.best_psi.tolist()


def test_interrupted_runs_end_with_the_same_bytes(tmp_path):
    config = replace(CONFIG, nes=replace(NES, stop_when_solved=False))
    _, whole, _ = run(tmp_path / "whole", 7, config)
    for stop in range(8):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / f"cut{stop}", 7, config, fail_after=stop)
        _, cut, _ = run(tmp_path / f"cut{stop}", 7, config)
        for name in ("generations", "state", "best_se", "last_se"):
            mine, theirs = getattr(cut, name), getattr(whole, name)
            assert mine.read_bytes() == theirs.read_bytes()


def test_a_diverged_agent_has_the_worst_score_under_any_limit():
    results = [
        TrainingResult(np.full(1, x), np.zeros(1), np.ones(1), 1, reason, np.full(1, x))
        for x, reason in ((-1000.0, "diverged"), (-990.0, "max_env_steps"))
    ]
    for fitness in ("threshold", "area"):
        nes = replace(NES, fitness=fitness, horizon=10 * (fitness == "area"))
        config = replace(CONFIG, nes=nes)
        assert np.diff(score_agents(results, config, 1000))[0] >= 0
    config = replace(CONFIG, nes=replace(NES, fitness="threshold"))
    assert np.diff(score_agents(results, config, 1000))[0] > 0
    short = score_agents(results[1:], config)[0]
    assert short > score_agents(results[1:], config, 1000)[0], "it lacks more"


def test_a_state_from_before_there_was_a_limit_is_its_own():
    before = RunConfig()
    data = before.to_dict()
    assert data["nes"]["first_limit"] == data["nes"]["limit_generations"] == 0
    limited = with_configuration(
        before, {"nes.first_limit": 1000, "nes.limit_generations": 9}
    )
    assert fingerprint(limited, 1, "torch") != fingerprint(before, 1, "torch")


@pytest.mark.parametrize(
    ("values", "mend"),
    [
        ({"first_limit": 1000}, "limit_generations = 0: must be > 0 with first_limit"),
        ({"limit_generations": 5}, "must be > 0 with first_limit, else 0"),
        ({"first_limit": -1, "limit_generations": 5}, "first_limit = -1: must be >= 0"),
        ({"first_limit": 9, "limit_generations": -5}, "must be >= 0"),
    ],
)
def test_a_limit_needs_generations_and_the_other_way_round(values, mend):
    with pytest.raises(UserError, match=mend):
        NESConfig(**values)


@pytest.mark.parametrize("first", [100, 200])
def test_a_limit_that_is_not_above_the_tasks_is_refused(tmp_path, first):
    config = replace(CONFIG, nes=replace(NES, first_limit=first))
    with pytest.raises(UserError, match="must be above the 200 steps of Mountain"):
        run(tmp_path, 3, config)


def test_a_window_of_centers_holds_only_those_of_the_tasks_own_limit(tmp_path):
    nes = replace(NES, stop_when_solved=False, best_window=3)
    outcome, _, _ = run(tmp_path, 7, replace(CONFIG, nes=nes))
    scores = [np.mean(line["center_scores"]) for line in outcome.history]
    best = [line["best_score"] for line in outcome.history]
    assert best[:5] == scores[:5]
    assert best[5] == max(scores[4], np.mean(scores[4:6]))
