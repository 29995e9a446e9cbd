"""What every objective in the registry promises."""

import json

import pytest

from se_hpo.bohb.brackets import hyperband_brackets
from se_hpo.envs.learned import LearnedEnv
from se_hpo.errors import UserError
from se_hpo.optimize.objectives import ObjectiveKind
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.plan import bracket_table
from se_hpo.registries import OBJECTIVES, budget_unit, objective_kind
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from tests.helpers.fakes import FakeInnerLoop
from tests.helpers.learned_starts import random_se
from tests.helpers.places import ROOT

BASE = {
    "nes.population": 4,
    "nes.n_center_evaluations": 2,
    "nes.stop_when_solved": False,
    "nes.n_initial": 3,
    "se.hidden_size": 2,
}
SES = tuple(
    LearnedEnv(se.se_config, se.psi)
    for se in (random_se("one_step"), random_se("one_step", hidden_size=8))
)
ID = (0, 0, 1)
CLOCKS = ("started", "finished", "wall_seconds", "cpu_seconds", "worker")


class Counting(FakeInnerLoop):
    """Counts the agents it has trained."""

    trained = 0

    def train_agents(self, jobs):
        results = super().train_agents(jobs)
        self.trained += len(jobs)
        return results


@pytest.fixture(params=OBJECTIVES)
def objective(request):
    kind = objective_kind(request.param)
    base = BASE if kind.learns_se else {}
    ses = SES if kind.on_ses else ()
    return Objective(request.param, "CartPole-v0", "ddqn", base, 3, ses=ses)


def trains_on_ses(objective):
    kind = objective_kind(objective.kind)
    return kind.learns_se or kind.on_ses


def evaluate(objective, folder, budget, **fake):
    inner_loop = Counting(**fake)
    record = objective.evaluate(ID, {}, budget, RunPaths(folder), inner_loop)
    return record, inner_loop


def files(folder):
    """Bytes of all that an evaluation left, clocks apart."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.name.startswith("timing"):
            continue
        data = path.read_bytes()
        if path.name.startswith("record"):
            record = json.loads(data)
            data = [v for k, v in record.items() if k not in CLOCKS]
        found[str(path.relative_to(folder))] = data
    return found


def test_a_finished_evaluation_has_a_loss_between_0_and_1(objective, tmp_path):
    record, _ = evaluate(objective, tmp_path, 2)
    assert record.status is Status.FINISHED
    assert 0 <= record.loss <= 1
    assert record.generations == 2
    assert record.env_steps_task > 0
    assert (record.env_steps_se > 0) == trains_on_ses(objective)


def test_the_same_seed_gives_the_same_bytes(objective, tmp_path):
    evaluate(objective, tmp_path / "once", 2)
    evaluate(objective, tmp_path / "again", 2)
    assert files(tmp_path / "once") == files(tmp_path / "again")


def test_a_promoted_trial_pays_the_difference_and_equals_a_straight_one(
    objective, tmp_path
):
    _, low = evaluate(objective, tmp_path / "promoted", 1)
    _, high = evaluate(objective, tmp_path / "promoted", 3)
    _, straight = evaluate(objective, tmp_path / "straight", 3)
    assert low.trained + high.trained == straight.trained
    promoted = files(tmp_path / "promoted")
    for name, data in files(tmp_path / "straight").items():
        assert promoted[name] == data or name.endswith("record-3.json")
    losses = [
        json.loads(RunPaths(tmp_path / which).trial(ID).record(3).read_text())["loss"]
        for which in ("promoted", "straight")
    ]
    assert losses[0] == losses[1]


def test_an_interrupted_evaluation_equals_an_undisturbed_one(objective, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluate(objective, tmp_path / "cut", 6, fail_after=2)
    evaluate(objective, tmp_path / "cut", 6)
    evaluate(objective, tmp_path / "whole", 6)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_divergence_is_a_finished_evaluation_with_loss_1(objective, tmp_path):
    record, _ = evaluate(objective, tmp_path, 2, diverge=True)
    assert (record.status, record.loss) == (Status.FINISHED, 1.0)
    assert record.reason.startswith("diverged")


def test_a_guard_that_raises_leaves_no_record(objective, tmp_path):
    def guard():
        raise KeyboardInterrupt

    run = RunPaths(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        objective.evaluate(ID, {}, 2, run, FakeInnerLoop(), guard)
    assert not run.trial(ID).record(2).exists()


def test_its_cost_is_what_an_evaluation_trains(objective, tmp_path):
    job, per_budget, per_trial = objective.cost(objective.run_config({}), 1)
    assert (job.learned is not None) == trains_on_ses(objective)
    _, inner_loop = evaluate(objective, tmp_path, 3)
    assert inner_loop.trained == per_trial + 3 * per_budget


def test_its_unit_is_shown_where_budgets_are(objective):
    kind = objective_kind(objective.kind)
    assert isinstance(kind, ObjectiveKind)
    unit = budget_unit(objective.kind)
    assert unit == kind.unit and unit.endswith("s")
    table = bracket_table(hyperband_brackets(1, 3, 3, 1), unit)
    assert table.columns[-1].header == unit


def test_it_has_a_space_and_a_line_in_the_docs(objective):
    of_spaces = {load_space(name).objective for name in list_spaces()}
    assert objective.kind in of_spaces | {"agent_on_se"}  # `--on` makes it of `agent`
    docs = ROOT / "docs" / "spaces.md"
    assert f"`{objective.kind}`: " in docs.read_text()


def test_an_objective_of_another_version_is_no_failure_of_a_trial():
    with pytest.raises(UserError, match="did you mean 'agent'"):
        Objective("agents", "CartPole-v0", "ddqn", {}, 0)
