"""Runs that stand still start anew from another random SE."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.nes.generation import n_trainings, random_psi
from se_hpo.nes.run import run_nes
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.paths import SESetPaths, TrialPaths
from se_hpo.train.one_se import train_se
from se_hpo.train.plan import most_trainings
from tests.helpers.fakes import FakeInnerLoop

SEED = 1
WORST = get_task("CartPole-v0").worst_return
SOLVED = get_task("CartPole-v0").solved_return
CONFIG = RunConfig(
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(
        strategy="snes",
        population=4,
        n_center_evaluations=2,
        stop_when_solved=False,
        best_window=2,
        restart_after=3,
    ),
)


class Collapsed(FakeInnerLoop):
    """The worst return on every SE but those near the random ones of some places."""

    def __init__(self, places=(), seed=SEED, level=WORST, **fake):
        super().__init__(**fake)
        self.good = [random_psi(CONFIG, seed, place) for place in places]
        self.level, self.centers, self.n_agents = level, [], 0

    def train_agents(self, jobs):
        self.centers.append(jobs[0].learned.psi)
        self.n_agents += len(jobs)
        return super().train_agents(jobs)

    def _result(self, job):
        psi, result = job.learned.psi, super()._result(job)
        if any(np.abs(psi - good).max() < 0.5 for good in self.good):
            return replace(result, test_returns=result.test_returns * 0 + 100)
        return replace(result, test_returns=np.full(2, float(self.level)))


def configured(**values):
    return replace(CONFIG, nes=replace(CONFIG.nes, **values))


def run(folder, n, config=CONFIG, loop=None):
    paths, loop = TrialPaths(folder), loop or Collapsed()
    return run_nes(config, SEED, paths, loop, n), paths, loop


def test_it_goes_on_from_the_next_random_se_as_often_as_it_must(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        outcome, _, loop = run(tmp_path, 9, loop=Collapsed(places=[2]))
    flags = [line.get("restarted", False) for line in outcome.history]
    assert flags == [False] * 3 + [True] + [False] * 2 + [True] + [False] * 2
    assert outcome.restarts == 2
    for start, generation in enumerate((0, 3, 6)):
        expected = random_psi(CONFIG, SEED, start)
        np.testing.assert_array_equal(loop.centers[generation], expected)
    assert caplog.text.count("starts anew") == 2
    assert [line["generation"] for line in outcome.history] == list(range(9))
    assert outcome.center_scores.tolist() == [WORST] * 6 + [100] * 3
    # Its window is of its own centers: a mean with those before would be lower.
    assert outcome.history[6]["best_score"] == outcome.state.best_score == 100
    assert np.abs(outcome.state.best_psi - loop.good[0]).max() < 0.5


def test_the_deviations_start_anew_too(tmp_path):
    _, _, loop = run(tmp_path, 4)
    outcome, _, _ = run(tmp_path / "only", 4, configured(restart_after=0))
    assert len(loop.centers) == 4 and not outcome.restarts
    state = run(tmp_path / "again", 4)[0].state.strategy
    fresh = state["sigma"] / CONFIG.nes.noise_std
    np.testing.assert_allclose(fresh, 1)  # of equal members nothing was learned


@pytest.mark.parametrize("stop", [1, 3, 4, 5, 7])
@pytest.mark.parametrize("n_initial", [1, 2])
def test_cut_anywhere_it_ends_with_the_same_bytes(tmp_path, stop, n_initial):
    config = configured(n_initial=n_initial)

    def files(paths):
        names = ("generations", "state", "best_se", "last_se")
        return [getattr(paths, name).read_bytes() for name in names]

    def loop(**fake):
        return Collapsed(places=[2 * n_initial], **fake)

    _, whole, _ = run(tmp_path / "whole", 8, config, loop())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", 8, config, loop(fail_after=stop))
    outcome, cut, _ = run(tmp_path / "cut", 8, config, loop())
    assert files(cut) == files(whole)
    assert outcome.restarts == 2
    # And so does one that first had fewer generations.
    run(tmp_path / "more", 3, config, loop())
    assert files(run(tmp_path / "more", 8, config, loop())[1]) == files(whole)


@pytest.mark.parametrize(
    ("level", "restarts"),
    [
        (WORST + 0.009 * (SOLVED - WORST), 2),
        (WORST + 0.011 * (SOLVED - WORST), 0),
        (150.0, 0),
    ],
)
def test_one_percent_of_the_way_is_something_to_climb(tmp_path, level, restarts):
    outcome, _, _ = run(tmp_path, 9, loop=Collapsed(level=level))
    assert outcome.restarts == restarts


def test_one_center_that_rose_is_enough_for_ever(tmp_path):
    class Once(Collapsed):
        def _result(self, job):
            rose = len(self.centers) == 2
            worst = super()._result(job)
            return replace(worst, test_returns=worst.test_returns + 60 * rose)

    assert run(tmp_path, 9, loop=Once())[0].restarts == 0


def test_each_start_is_the_best_of_n_initial_and_what_it_takes_is_told(tmp_path):
    config = configured(n_initial=3)
    settings = SetSettings("se_fixed", config, SEED, 7, "fake")
    seed = settings.se_seed(0)
    loop = Collapsed(places=[4], seed=seed)
    outcome = train_se(settings, SESetPaths(tmp_path), 0, loop)
    # Of places 3, 4, 5 the second start takes 4, which teaches.
    np.testing.assert_array_equal(loop.centers[5], random_psi(config, seed, 4))
    assert outcome.trainings == loop.n_agents == n_trainings(config.nes, 7, starts=2)
    assert outcome.env_steps_se == 10 * loop.n_agents
    assert outcome.env_steps_task == 20 * loop.n_agents
    assert outcome.best_score == 100 and not outcome.solved
    assert most_trainings(settings) == n_trainings(config.nes, 7, starts=3)


def test_by_default_a_run_stays_where_it_began(tmp_path):
    outcome, paths, _ = run(tmp_path, 6, configured(restart_after=0))
    assert outcome.restarts == 0
    assert "restarted" not in paths.generations.read_text()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"restart_after": -1}, "restart_after = -1: must be >= 0"),
        ({"restart_after": "no"}, "restart_after = 'no'"),
        (
            {"restart_after": 3, "first_limit": 900, "limit_generations": 5},
            "restart_after = 3: must be 0 with first_limit",
        ),
    ],
)
def test_what_is_no_number_of_generations_is_refused(values, told):
    with pytest.raises(UserError) as error:
        NESConfig(**values)
    assert told in str(error.value)
