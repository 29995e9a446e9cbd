"""The score of one training by each fitness, by hand; what is trained for it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs import tasks
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.fitness import score_agents, scored_job
from se_hpo.nes.generation import random_psi
from se_hpo.nes.random_search import run_random_search
from se_hpo.nes.run import run_nes
from se_hpo.optimize.objectives.nes_run import nes_loss
from se_hpo.results.lines import read_generations
from se_hpo.results.trials import generation_rows
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingResult
from tests.helpers.fakes import FakeInnerLoop

HILL = replace(
    tasks.get_task("CartPole-v0"),
    id="Hill",
    max_steps=50,
    solved_return=-20.0,
    worst_return=-100.0,
)
"""Solved at -20, at worst -100: returns are negative, as on a cliff."""
AGENT = DDQNConfig(train_episodes=8, init_episodes=1, stop_window=2, test_episodes=2)


@pytest.fixture(autouse=True)
def hill(monkeypatch):
    monkeypatch.setitem(tasks._TASKS, "Hill", HILL)


def config(fitness, horizon=0, weight=10.0, **agent):
    nes = NESConfig(fitness=fitness, horizon=horizon, unsolved_weight=weight)
    return RunConfig("Hill", replace(AGENT, **agent), SyntheticEnvConfig(), nes)


def result(lengths, curve, tests=(-20.0, -20.0), stop_reason="max_env_steps"):
    returns = np.zeros(len(lengths))
    tests, curve = np.array(tests), np.array(curve, np.float64)
    lengths = np.array(lengths)
    return TrainingResult(tests, returns, lengths, 99, stop_reason, curve)


def score(of, *trained):
    return score_agents(trained, of).tolist()


NEVER = result([10, 30, 20], [-100.0, -60.0, -40.0], tests=(-60.0, -40.0))
SOLVED = result([10, 20, 20, 10], [-60.0, -20.0, -12.0, -12.0], tests=(-12.0, -12.0))
LOST = result([10, 20, 20, 30, 20], [-60.0, -20.0, -20.0, -100.0, -40.0])
DIVERGED = result([10, 10], [-12.0], tests=(-100.0, -100.0), stop_reason="diverged")


def test_the_return_is_the_mean_of_the_tests_at_the_end():
    assert score(config("return"), NEVER, SOLVED, DIVERGED) == [-50.0, -12.0, -100.0]


def test_the_threshold_counts_steps_until_the_early_end_and_what_the_tests_lack():
    assert score(config("threshold"), NEVER) == [-60 - 10 * 30]
    assert score(config("threshold"), SOLVED) == [-60.0], (
        "better than solved is no more"
    )
    assert score(config("threshold", weight=0.0), NEVER) == [-60.0]


def test_a_diverged_agent_has_the_worst_threshold_score_there_is():
    assert score(config("threshold"), DIVERGED) == [-8 * 50 - 10 * 80]
    assert score(config("threshold", max_env_steps=90), DIVERGED) == [-90 - 800]
    assert score(config("threshold", 70), DIVERGED) == [-70 - 800]
    below = result([50] * 8, [-300.0] * 8, tests=(-300.0, -300.0))
    assert score(config("threshold"), below) == [-8 * 50 - 10 * 80], "not below it"


def test_with_a_horizon_the_threshold_looks_at_the_agent_after_its_first_solve():
    # Solved with the test after step 50 (-20, -20); before, one of the two is missing.
    # That test counts for 30 steps (lacks 0), the next for 20 (80), the last for none.
    assert score(config("threshold", 100), LOST) == [-50 - 10 * (30 * 0 + 20 * 80) / 50]
    # A longer horizon holds the last value (lacks 20) for 100 steps more.
    lacking = (30 * 0 + 20 * 80 + 100 * 20) / 150
    assert score(config("threshold", 200), LOST) == pytest.approx([-50 - 10 * lacking])


def test_with_a_horizon_an_agent_that_never_solves_pays_for_all_of_it():
    assert score(config("threshold", 100), NEVER) == [-100 - 10 * 30]
    assert score(config("threshold", 60), NEVER) == [-60 - 10 * 30]
    assert score(config("threshold", 60), SOLVED) == [-50.0]


def test_a_task_solved_with_the_last_step_is_judged_by_the_tests_at_the_end():
    trained = result([10, 20], [-20.0, -20.0], tests=(-20.0, -40.0))
    assert score(config("threshold", 30), trained) == [-30 - 10 * 10]


def test_a_task_is_not_solved_before_the_agent_learns_or_has_all_the_tests():
    early = result([10, 10, 10], [-12.0, -12.0, -12.0])
    assert score(config("threshold", 30), early) == [-20.0]
    assert score(config("threshold", 30, init_episodes=2), early) == [-30.0]
    few = result([10], [-12.0])
    assert score(config("threshold", 30), few) == [-30.0]


def test_the_area_holds_each_test_until_the_next_and_the_last_to_the_horizon():
    # Worst for 10 steps, then -60 (0.5), -20 (1), -12 (1.1) twice.
    area = (10 * 0 + 20 * 0.5 + 20 * 1 + 10 * 1.1 + 40 * 1.1) / 100
    assert score(config("area", 100), SOLVED) == pytest.approx([area])
    # Nothing behind the horizon counts: no step of an action that is held over it.
    area = (10 * 0 + 20 * 0.5 + 15 * 1) / 45
    assert score(config("area", 45), SOLVED) == pytest.approx([area])


def test_the_area_of_short_bad_episodes_is_that_of_their_returns():
    """Sums of return times length would prefer agents that fall at once."""
    falls = result([1] * 100, [-100.0] * 100)
    idles = result([50, 50], [-50.0, -50.0])
    assert score(config("area", 100), falls, idles) == [0.0, 0.5 * 50 / 80 * 2 / 2]


def test_a_diverged_agent_has_no_area_and_none_has_less():
    below = result([50, 50], [-300.0, -300.0])
    assert score(config("area", 100), DIVERGED, below, NEVER)[:2] == [0.0, 0.0]
    never = (30 * 0 + 20 * 0.5 + 40 * 0.75) / 100
    assert score(config("area", 100), NEVER) == pytest.approx([never])


def test_agents_are_trained_for_all_of_a_horizon_and_tested_meanwhile():
    learned = LearnedEnv(SyntheticEnvConfig(), np.zeros(3, np.float32))
    job = scored_job(config("area", 100), AGENT, learned, 1)
    assert job.test_while_training and not job.stop_by_rule
    assert job.agent.max_env_steps == 100
    assert job.agent.train_episodes >= 100, "also where each episode is one step"
    job = scored_job(config("threshold"), AGENT, learned, 1)
    assert job.test_while_training and job.stop_by_rule and job.agent == AGENT
    job = scored_job(config("return"), AGENT, learned, 1)
    assert not job.test_while_training and job.stop_by_rule and job.agent == AGENT


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_either_engine_trains_exactly_to_the_horizon_with_a_test_per_episode(engine):
    agent = DDQNConfig(hidden_size=4, batch_size=4, train_episodes=2, stop_window=2)
    of = replace(config("area", 450), task="CartPole-v0", agent=agent)
    learned = LearnedEnv(of.se, random_psi(of, 1))
    with InnerLoop(engine) as inner_loop:
        (trained,) = inner_loop.train_agents([scored_job(of, agent, learned, 5)])
    assert (trained.env_steps, trained.stop_reason) == (450, "max_env_steps")
    assert len(trained.curve_returns) == len(trained.episode_lengths)
    assert 0.0 < score_agents([trained], of)[0] < 1.5


@pytest.mark.parametrize(
    "changes", [{"fitness": "area"}, {"horizon": 100}, {"fitness": "length"}]
)
def test_a_fitness_that_lacks_its_horizon_or_does_not_read_it_is_refused(changes):
    with pytest.raises(UserError, match=r"horizon|fitness"):
        NESConfig(**changes)


# --- whole runs -----------------------------------------------------------------------


class Trainer(FakeInnerLoop):
    """Tests while training, too: two episodes, the first test is a bad one."""

    def _result(self, job):
        found = super()._result(job)
        curve = (
            np.array([20.0, found.score]) if job.test_while_training else np.empty(0)
        )
        lengths = np.array([40, 60])
        return replace(found, episode_lengths=lengths, curve_returns=curve)


RUN = RunConfig(
    task="CartPole-v0",
    agent=DDQNConfig(test_episodes=2),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(
        population=3,
        n_center_evaluations=2,
        n_initial=3,
        stop_when_solved=False,
        score_transform="nes_unnormalized",
    ),
)
OTHERS = [("threshold", 0), ("threshold", 100), ("area", 100)]


def run(folder, n, fitness, horizon, **fake):
    nes = replace(RUN.nes, fitness=fitness, horizon=horizon)
    paths = TrialPaths(folder)
    return run_nes(replace(RUN, nes=nes), 1, paths, Trainer(**fake), n), paths


@pytest.mark.parametrize(("fitness", "horizon"), [("return", 0), *OTHERS])
def test_interrupted_runs_end_with_the_same_bytes_by_every_fitness(
    tmp_path, fitness, horizon
):
    _, whole = run(tmp_path / "whole", 4, fitness, horizon)
    for stop in (0, 1, 3):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / str(stop), 4, fitness, horizon, fail_after=stop)
        _, cut = run(tmp_path / str(stop), 4, fitness, horizon)
        for file in ("generations", "state", "best_se"):
            mine, theirs = getattr(cut, file), getattr(whole, file)
            assert mine.read_bytes() == theirs.read_bytes(), file


@pytest.mark.parametrize(("fitness", "horizon"), OTHERS)
def test_scores_are_of_the_fitness_and_returns_stand_beside_them(
    tmp_path, fitness, horizon
):
    _, by_return = run(tmp_path / "return", 1, "return", 0)
    outcome, paths = run(tmp_path / fitness, 1, fitness, horizon)
    (plain,), (line,) = map(list, map(read_generations, (by_return, paths)))
    assert "center_returns" not in json.loads(by_return.generations.read_text())
    assert plain.center_return == plain.center_score
    returns = np.array(line.center_returns)
    scores = np.array(line.center_scores)
    if fitness == "area":  # the first test counts for 60 steps, the second for none
        expected = np.full(2, 0.6 * (20 - 8) / (195 - 8))
    else:
        expected = -100 - 100 * np.maximum(195 - returns, 0)
    assert scores == pytest.approx(expected)
    assert outcome.state.best_score == pytest.approx(scores.mean())
    (row,) = generation_rows(paths)
    assert row["center_score"] == pytest.approx(scores.mean())
    assert row["center_return"] == pytest.approx(returns.mean())


@pytest.mark.parametrize(("fitness", "horizon"), OTHERS)
def test_solved_is_a_matter_of_returns_by_every_fitness(tmp_path, fitness, horizon):
    nes = replace(
        RUN.nes,
        fitness=fitness,
        horizon=horizon,
        stop_when_solved=True,
        n_confirmations=3,
    )
    good = replace(RUN, nes=nes)

    class Solves(Trainer):
        def _result(self, job):
            return replace(super()._result(job), test_returns=np.full(2, 200.0))

    outcome = run_nes(good, 1, TrialPaths(tmp_path / "good"), Solves(), 3)
    assert (outcome.reason, outcome.state.solved_at) == ("solved", 1)
    (line,) = read_generations(TrialPaths(tmp_path / "good"))
    assert line.center_returns == [200.0] * 5, "with three confirmations"
    assert len(line.center_scores) == 5
    outcome = run_nes(good, 1, TrialPaths(tmp_path / "bad"), Trainer(), 3)
    assert (outcome.reason, outcome.state.solved_at) == ("budget", None)


@pytest.mark.parametrize(("fitness", "horizon"), OTHERS)
def test_a_random_search_takes_the_best_by_the_fitness_and_knows_its_return(
    tmp_path, fitness, horizon
):
    nes = replace(RUN.nes, fitness=fitness, horizon=horizon)
    of, paths = replace(RUN, nes=nes), TrialPaths(tmp_path)
    found = run_random_search(of, 1, paths, Trainer(), 20)
    *_, last = map(json.loads, paths.candidates.read_text().splitlines())
    assert found.mean_return == pytest.approx(np.mean(last["returns"][:2]), abs=60)
    assert found.score == max(np.reshape(last["scores"], (-1, 2)).mean(axis=1))
    written = paths.candidates.read_bytes()
    again = run_random_search(of, 1, paths, Trainer(fail_after=0), 20)
    assert (again.score, again.mean_return) == (found.score, found.mean_return)
    assert paths.candidates.read_bytes() == written


def test_the_loss_sees_scores_between_the_worst_and_the_best():
    area, threshold = config("area", 100), config("threshold", 70)
    scores = ([0.5, 1.2], area, 0.25), ([-870.0, -435.0], threshold, 0.75)
    for centers, of, expected in scores:
        lines = [{"center_scores": [x], "member_scores": [[x]]} for x in centers]
        assert nes_loss(lines, 2, HILL, of, "clipped") == pytest.approx(expected)
