"""A generation's cost is counted, and a run that costs too much ends, by name."""

from dataclasses import replace

import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.q_learning_config import QLearningConfig
from se_hpo.config.run import RunConfig
from se_hpo.errors import UserError
from se_hpo.nes.cost import generation_cost, step_cost, too_costly
from se_hpo.nes.folder import fingerprint
from se_hpo.nes.run import run_nes
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.storage.paths import RunPaths, TrialPaths
from tests.helpers.fakes import FakeInnerLoop

BASE = {
    "nes.population": 4,
    "nes.n_center_evaluations": 2,
    "nes.stop_when_solved": False,
    "se.hidden_size": 2,
}


def objective(most):
    """Its generation: 10 agents of 10 steps, each 3 * 128 * 128 * (6 + 128)."""
    base = {**BASE, "nes.most_cost": most}
    return Objective("nes", "CartPole-v0", "ddqn", base, run_seed=3)


def evaluate(objective, tmp_path, budget):
    run = RunPaths(tmp_path)
    return objective.evaluate((0, 0, 1), {}, budget, run, FakeInnerLoop())


def test_a_step_costs_its_batch_times_the_hidden_weights():
    agent = DDQNConfig(hidden_size=10, hidden_layers=2, batch_size=7)
    assert step_cost(agent, 50) == 3 * 7 * 10 * (6 + 10) + 50


def test_a_step_of_a_rollout_costs_its_epochs_and_not_the_batch():
    agent = PPOConfig(hidden_size=10, hidden_layers=1, epochs=4, batch_size=64)
    assert step_cost(agent, 0) == 3 * 4 * 10 * 6


def test_a_table_costs_next_to_nothing():
    assert step_cost(QLearningConfig(), 0) < 50


def test_agents_in_turn_cost_their_mean():
    config = RunConfig(agent=DDQNConfig(), others=(PPOConfig(),))
    line = {"env_steps_se": 1_000_000_000}
    each = [step_cost(agent, 5) for agent in config.agents]
    assert generation_cost(config, 5, line) == pytest.approx(sum(each) / 2)


def test_a_costly_run_ends_with_its_generation_and_says_why(tmp_path):
    record = evaluate(objective(0.5), tmp_path, 3)
    assert record.reason == (
        "stopped: generation 1 cost 0.6586 billion multiplications, "
        "1.3 times nes.most_cost"
    )
    assert record.status == "finished" and record.generations == 1


def test_generations_that_were_not_reached_count_as_nothing(tmp_path):
    whole = evaluate(objective(0.0), tmp_path / "whole", 1)
    stopped = evaluate(objective(0.5), tmp_path / "stopped", 3)
    assert 1 - stopped.loss == pytest.approx((1 - whole.loss) / 3)


def test_within_its_limit_a_run_is_as_without_one(tmp_path):
    free, bound = (
        evaluate(objective(most), tmp_path / str(most), 2) for most in (0.0, 1.0)
    )
    assert (
        (free.loss, free.reason) == (bound.loss, "budget") == (bound.loss, bound.reason)
    )
    files = [
        tmp_path / most / "trials/000-0-001/generations.jsonl"
        for most in ("0.0", "1.0")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_budget_that_was_reached_is_complete_whatever_it_cost(tmp_path):
    assert evaluate(objective(0.5), tmp_path, 1).reason == "budget"
    promoted = evaluate(objective(0.5), tmp_path, 3)
    assert promoted.reason.startswith("stopped: generation 1 ")
    assert promoted.generations == 1, "the generation that was paid is not run again"


def test_a_solved_run_is_solved_whatever_it_cost(tmp_path):
    config = objective(0.5).run_config({"nes.stop_when_solved": True})
    loop = FakeInnerLoop(noise=0.0)
    loop._result = lambda job: replace(
        FakeInnerLoop._result(loop, job), test_returns=[200.0] * 2
    )
    assert run_nes(config, 1, TrialPaths(tmp_path), loop, 3).reason == "solved"


def test_the_limit_is_part_of_what_a_run_is_and_0_is_as_before_it_was_there():
    config = objective(0.0).run_config({})
    bound = objective(2.0).run_config({})
    assert fingerprint(config, 0, "native") != fingerprint(bound, 0, "native")
    data = config.to_dict()
    assert data["nes"].pop("most_cost") == 0.0
    assert too_costly(config, 10, {"generation": 0, "env_steps_se": 10**15}) is None


@pytest.mark.parametrize("most", [-1.0, float("inf"), float("nan")])
def test_a_limit_that_is_none_is_refused(most):
    with pytest.raises(UserError, match="most_cost"):
        objective(most).run_config({})
