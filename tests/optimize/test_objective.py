"""Losses by hand; records of finished, promoted, failed and interrupted evaluations."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.optimize.objectives.agent_run import agent_loss
from se_hpo.optimize.objectives.losses import LOSSES, levels_of, top_of
from se_hpo.optimize.objectives.nes_run import nes_loss
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from tests.helpers.fakes import FakeInnerLoop

TASK = replace(get_task("CartPole-v0"), random_return=20.0, solved_return=195.0)
BASE = {
    "nes.population": 4,
    "nes.n_center_evaluations": 2,
    "nes.stop_when_solved": False,
    "se.hidden_size": 2,
}
NES = Objective("nes", "CartPole-v0", "ddqn", BASE, run_seed=3)
AGENT = Objective("agent", "CartPole-v0", "ddqn", {}, run_seed=3)
ID = (0, 0, 1)


def evaluate(objective, tmp_path, budget, configuration=None, **fake):
    inner_loop = FakeInnerLoop(**fake)
    run = RunPaths(tmp_path)
    record = objective.evaluate(ID, configuration or {}, budget, run, inner_loop)
    return record, inner_loop, run.trial(ID)


def lines(centers, members=None):
    """Generations of a run, whose members are as its centers unless they are given."""
    members = members or [[[x]] for x in centers]
    both = zip(centers, members, strict=True)
    return [{"center_scores": [x], "member_scores": m} for x, m in both]


def clipped(centers, budget):
    return nes_loss(lines(centers), budget, TASK, loss="clipped")


def test_the_clipped_nes_loss_is_one_minus_the_mean_normalized_score():
    # normalized: 0 (clipped), 0.5, 1 (clipped)
    assert clipped([9.0, 107.5, 200.0], 3) == pytest.approx(0.5)


def test_generations_after_solved_count_as_one_where_it_is_clipped():
    assert clipped([20.0, 195.0], 4) == pytest.approx(0.25)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_later_level_is_worth_less_than_an_earlier_one(loss):
    early = nes_loss(lines([20.0, 100.0, 195.0]), 3, TASK, loss=loss)
    assert early < nes_loss(lines([20.0, 20.0, 195.0]), 3, TASK, loss=loss) < 1.0


def test_progress_rises_in_a_line_from_the_worst_to_the_solved_return():
    levels = levels_of([TASK.worst_return, 101.5, 195.0], TASK)
    assert levels == pytest.approx([0.05, 0.5, 0.95])


def test_no_two_returns_have_the_same_progress_whatever_they_are():
    returns = np.linspace(-20.0, 220.0, 500)
    levels = levels_of(returns, TASK)
    assert (np.diff(levels) > 0).all()
    assert 0.0 < levels[0] < levels[-1] < 1.0


def test_what_the_best_fifth_of_the_members_reaches_counts_before_the_center_moves():
    low = [[10.0, 10.0]] * 5
    high = [[10.0, 10.0]] * 4 + [[150.0, 150.0]]
    stuck = nes_loss(lines([10.0], [low]), 1, TASK)
    assert nes_loss(lines([10.0], [high]), 1, TASK) < stuck
    # One of ten is less than a fifth: its neighbour counts with it.
    one = [[10.0, 10.0]] * 4 + [[10.0, 150.0]]
    between = nes_loss(lines([10.0], [one]), 1, TASK)
    assert nes_loss(lines([10.0], [high]), 1, TASK) < between < stuck


def test_members_whose_score_is_unknown_are_the_worst():
    known = top_of([[10.0], [20.0]])
    assert top_of([[float("nan")], [20.0]]) == top_of([[None], [20.0]]) == known == 20.0
    lost = nes_loss(lines([10.0], [[[None], [None]]]), 1, TASK)
    assert nes_loss(lines([10.0], [[[8.0], [8.0]]]), 1, TASK) < lost < 1.0


def test_a_run_that_solved_earlier_or_higher_has_the_lower_progress_loss():
    early, late = lines([30.0, 196.0]), lines([30.0, 30.0, 196.0])
    assert nes_loss(early, 9, TASK) < nes_loss(late, 9, TASK)
    assert nes_loss(lines([30.0, 199.0]), 9, TASK) < nes_loss(early, 9, TASK)


def test_all_generations_count_for_a_run_on_its_way():
    assert nes_loss(lines([50.0] * 9), 3, TASK) == nes_loss(lines([50.0] * 3), 3, TASK)


def test_the_clipped_agent_loss_rewards_return_first_and_then_few_steps():
    def loss(scores, steps):
        return agent_loss(scores, steps, 1000, TASK, "clipped")

    assert loss([195.0], [0]) == pytest.approx(0.0)
    assert loss([195.0], [1000]) == pytest.approx(0.5)
    assert loss([20.0], [0]) == pytest.approx(1.0)
    assert loss([195.0, 20.0], [500, 1]) == pytest.approx(0.625)


def test_agents_below_the_random_policy_differ_in_progress():
    assert agent_loss([9.0], [9], 1000, TASK) > agent_loss([12.0], [9], 1000, TASK)


def test_a_loss_of_another_version_is_refused():
    with pytest.raises(UserError, match="unknown loss 'progres': did you mean"):
        replace(NES, loss="progres")


def test_an_evaluation_is_recorded_on_disk_and_in_full(tmp_path):
    record, _, paths = evaluate(NES, tmp_path, 3)
    assert json.loads(paths.record(3).read_text()) == record.to_dict()
    assert (record.trial, record.rung, record.generations) == ("000-0-001", 0, 3)
    assert record.status is Status.FINISHED
    assert 0 <= record.loss <= 1
    assert record.env_steps_se == 3 * (2 + 8) * 10
    assert record.env_steps_task == 3 * (2 + 8) * 20


def test_a_promoted_trial_pays_only_the_difference_and_adds_up(tmp_path):
    evaluate(NES, tmp_path, 2)
    record, inner_loop, _ = evaluate(NES, tmp_path, 5)
    assert inner_loop.calls == 3
    assert (record.rung, record.generations) == (1, 5)
    straight, _, _ = evaluate(NES, tmp_path / "straight", 5)
    assert (record.loss, record.env_steps_se) == (straight.loss, straight.env_steps_se)


def test_a_finished_evaluation_is_not_computed_again(tmp_path):
    first, _, _ = evaluate(NES, tmp_path, 2)
    again, inner_loop, _ = evaluate(NES, tmp_path, 2)
    assert again == first
    assert inner_loop.calls == 0


def test_a_damaged_record_is_named_and_the_evaluation_repeated(tmp_path, caplog):
    first, _, paths = evaluate(NES, tmp_path, 2)
    paths.record(2).write_text('{"trial": "000')
    with caplog.at_level(logging.WARNING):
        again, _, _ = evaluate(NES, tmp_path, 2)
    assert "record-2.json" in caplog.text
    assert again.loss == first.loss


def test_a_crash_is_a_failed_record_with_loss_one_and_traceback(tmp_path):
    record, _, paths = evaluate(NES, tmp_path, 2, {"nes.noise_std": -1.0})
    assert (record.status, record.loss) == (Status.FAILED, 1.0)
    assert record.reason.startswith("failed: UserError: NESConfig.noise_std = -1.0")
    assert "Traceback" in record.error
    assert paths.record(2).exists()


def test_a_diverged_se_is_a_finished_evaluation_with_loss_one(tmp_path):
    wild = {
        "nes.step_size": 1e38,
        "nes.noise_std": 100.0,
        "nes.score_transform": "rank",
    }
    record, _, _ = evaluate(NES, tmp_path, 4, wild)
    assert (record.status, record.loss) == (Status.FINISHED, 1.0)
    assert record.reason.startswith("diverged: SE parameters are not finite")


def test_a_full_disk_says_nothing_about_the_configuration(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("se_hpo.nes.folder.append_json_line", full)
    with pytest.raises(OSError, match="No space left"):
        evaluate(NES, tmp_path, 2)
    assert not (tmp_path / "trials/000-0-001/record-2.json").exists()


def test_an_interrupted_evaluation_continues_and_equals_an_undisturbed_one(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(NES, tmp_path / "cut", 4, fail_after=2)
    record, inner_loop, paths = evaluate(NES, tmp_path / "cut", 4)
    whole, _, whole_paths = evaluate(NES, tmp_path / "whole", 4)
    assert inner_loop.calls == 2
    assert record.loss == whole.loss
    assert paths.generations.read_bytes() == whole_paths.generations.read_bytes()


def test_agent_objective_keeps_finished_seeds_on_promotion(tmp_path):
    evaluate(AGENT, tmp_path, 1)
    first = (tmp_path / "trials/000-0-001/agents.jsonl").read_text()
    record, _, paths = evaluate(AGENT, tmp_path, 3)
    assert paths.agents.read_text().startswith(first)
    assert len(paths.agents.read_text().splitlines()) == 3
    straight, _, _ = evaluate(AGENT, tmp_path / "straight", 3)
    assert record.loss == straight.loss


def test_trials_have_different_seeds_that_depend_on_the_run_seed():
    ids = [(0, 0, 0), (0, 0, 1), (1, 0, 0)]
    seeds = {NES.trial_seed(i) for i in ids}
    assert len(seeds) == 3
    assert seeds.isdisjoint(replace(NES, run_seed=4).trial_seed(i) for i in ids)


def test_the_state_of_another_version_is_set_aside_and_no_failure(tmp_path, caplog):
    first, _, paths = evaluate(NES, tmp_path, 2)
    other, _, other_paths = evaluate(replace(NES, run_seed=4), tmp_path / "other", 2)
    paths.state.write_bytes(other_paths.state.read_bytes())
    paths.record(2).unlink()
    with caplog.at_level(logging.WARNING):
        again, _, _ = evaluate(NES, tmp_path, 2)
    assert "state.safetensors" in caplog.text
    assert (again.status, again.loss) == (Status.FINISHED, first.loss)
    assert other.loss != first.loss


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "3", "null", '{"loss": null}', "[" * 100_000]
)
def test_a_record_of_any_wrong_shape_is_set_aside(tmp_path, text):
    first, _, paths = evaluate(NES, tmp_path, 2)
    paths.record(2).write_text(text)
    again, _, _ = evaluate(NES, tmp_path, 2)
    assert (again.status, again.loss) == (Status.FINISHED, first.loss)
    assert paths.record(2).with_name("record-2.json.damaged").read_text() == text


@pytest.mark.parametrize("loss", [1e308, -0.5])
def test_a_record_whose_loss_cannot_be_is_set_aside(tmp_path, loss):
    first, _, paths = evaluate(NES, tmp_path, 2)
    damaged = json.loads(paths.record(2).read_text()) | {"loss": loss}
    paths.record(2).write_text(json.dumps(damaged))
    assert evaluate(NES, tmp_path, 2)[0].loss == first.loss


@pytest.mark.parametrize(
    "change", [{"agent": None}, {"score": "high"}, {"env_steps": -9}, {"episodes": []}]
)
def test_a_seed_whose_line_is_damaged_is_named_and_trained_again(
    tmp_path, change, caplog
):
    _, _, paths = evaluate(AGENT, tmp_path, 2)
    first, second = paths.agents.read_text().splitlines(keepends=True)
    damaged = json.dumps(json.loads(first) | change)
    paths.agents.write_text(f"{damaged}\n{second}")
    record, _, _ = evaluate(AGENT, tmp_path, 3)
    assert f"{paths.agents}, line 1 is damaged" in caplog.text
    assert record.loss == evaluate(AGENT, tmp_path / "whole", 3)[0].loss
    whole = RunPaths(tmp_path / "whole").trial(ID).agents
    assert paths.agents.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("last_first", [False, True])
def test_agents_trained_before_a_kill_are_kept(tmp_path, last_first):
    order = {"last_first": last_first}
    with pytest.raises(KeyboardInterrupt):
        evaluate(AGENT, tmp_path, 6, fail_after=2, **order)
    paths = RunPaths(tmp_path).trial(ID)
    assert len(paths.agents.read_text().splitlines()) == 2, "each as soon as it is done"
    record, inner_loop, _ = evaluate(AGENT, tmp_path, 6, **order)
    whole, _, _ = evaluate(AGENT, tmp_path / "whole", 6)
    assert (record.loss, inner_loop.calls) == (whole.loss, 4)
    same = RunPaths(tmp_path / "whole").trial(ID).agents
    assert paths.agents.read_bytes() == same.read_bytes(), "in whatever order they end"


@pytest.mark.parametrize("objective", [NES, AGENT])
def test_the_guard_comes_before_anything_is_written(tmp_path, objective):
    class Left(BaseException):
        pass

    def leave():
        raise Left

    paths = RunPaths(tmp_path).trial(ID)
    paths.root.mkdir(parents=True)
    paths.record(2).write_text("{")
    with pytest.raises(Left):
        objective.evaluate(ID, {}, 2, RunPaths(tmp_path), FakeInnerLoop(), leave)
    assert [p.name for p in paths.root.iterdir()] == ["record-2.json"]
