"""What the display knows beyond a status: incumbent, curves, and the time to go."""

import time
from dataclasses import replace

import pytest

from se_hpo.bohb.status import Bracket, MasterStatus, Rung, Running
from se_hpo.optimize.display import RunDisplay
from se_hpo.storage.files import append_json_line
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import EvaluationRecord, Status

RECORD = EvaluationRecord("000-0-000", 0, 0, 1.0, Status.FINISHED, 0.5, "budget")
RUNNING = Running((0, 0, 1), 3.0, trial="000-0-001", worker="w")


def status(done=(0, 0), running=()):
    bracket = Bracket(0, False, [Rung(1.0, done[0], 3), Rung(3.0, done[1], 1)])
    counts = (sum(done), 4, 0, 0)
    return MasterStatus("running", 0.0, *counts, list(running), [], [bracket])


def display(folder, records=()):
    return RunDisplay(RunPaths(folder), "nes_cartpole, bohb", "generations", records)


def test_the_incumbent_is_the_best_at_the_largest_budget_and_never_a_failure(tmp_path):
    shown = display(tmp_path, [RECORD])
    shown.evaluation_finished(replace(RECORD, trial="000-0-001", loss=0.4))
    failed = replace(RECORD, trial="000-0-002", status=Status.FAILED, loss=0.0)
    shown.evaluation_finished(failed)
    assert shown.best.trial == "000-0-001"
    shown.evaluation_finished(replace(RECORD, budget=3.0, loss=0.9))
    assert shown.best.budget == 3.0


def test_running_trials_carry_their_curve(tmp_path):
    shown = display(tmp_path)
    path = shown.run.trial((0, 0, 1)).generations
    append_json_line(path, {"center_scores": [1.0, 3.0]})
    shown.update(status(running=[RUNNING]))
    assert shown.running[0].curve == (2.0,)


def test_time_to_go_counts_generations_of_running_trials(tmp_path):
    shown = display(tmp_path)
    shown.began = time.time() - 100
    shown.update(status())
    assert shown.eta is None
    path = shown.run.trial((0, 0, 1)).generations
    for _ in range(2):  # one counted by the lower rung, one under way
        append_json_line(path, {"center_scores": [1.0]})
    shown.update(status((3, 0), [RUNNING]))
    assert shown.eta == pytest.approx(100 * (5 - 4) / 4, rel=0.1)
    shown.update(status((3, 1)))
    assert shown.eta == 0.0
