"""What the display is told: incumbent, curves, and the time to go."""

from dataclasses import replace

from se_hpo.optimize.monitor import Monitor
from se_hpo.storage.files import append_json_line
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import EvaluationRecord, Status

RECORD = EvaluationRecord("000-0-000", 0, 0, 1.0, Status.FINISHED, 0.5, "budget")


def status(done=(0, 0), running=()):
    rungs = [
        {"budget": 1.0, "done": done[0], "planned": 3},
        {"budget": 3.0, "done": done[1], "planned": 1},
    ]
    return {
        "workers": [],
        "running": list(running),
        "brackets": [{"bracket": 0, "finished": False, "rungs": rungs}],
        "finished": sum(done),
        "planned": 4,
    }


def running(trial="000-0-001", budget=3.0):
    return {"trial": trial, "budget": budget, "since": 0.0, "worker": "w"}


def test_the_incumbent_is_the_best_at_the_largest_budget_and_never_a_failure(tmp_path):
    monitor = Monitor(RunPaths(tmp_path), [RECORD])
    monitor.add(replace(RECORD, trial="000-0-001", loss=0.4))
    monitor.add(replace(RECORD, trial="000-0-002", status=Status.FAILED, loss=0.0))
    assert monitor.snapshot(status()).incumbent.trial == "000-0-001"
    monitor.add(replace(RECORD, budget=3.0, loss=0.9))
    assert monitor.snapshot(status()).incumbent.budget == 3.0


def test_running_trials_carry_their_curve(tmp_path):
    run = RunPaths(tmp_path)
    path = run.trial((0, 0, 1)).generations
    append_json_line(path, {"center_scores": [1.0, 3.0]})
    snapshot = Monitor(run, []).snapshot(status(running=[running()]))
    assert snapshot.running[0].curve == (2.0,)


def test_time_to_go_counts_generations_of_running_trials(tmp_path):
    run = RunPaths(tmp_path)
    monitor = Monitor(run, [])
    assert monitor.snapshot(status()).eta is None
    path = run.trial((0, 0, 1)).generations
    for _ in range(2):  # one counted by the lower rung, one under way
        append_json_line(path, {"center_scores": [1.0]})
    snapshot = monitor.snapshot(status((3, 0), [running()]))
    assert snapshot.eta is not None
    assert (
        abs(snapshot.eta - snapshot.elapsed * (5 - 4) / 4) < 0.1 * snapshot.eta + 1e-3
    )
    assert monitor.snapshot(status((3, 1))).eta == 0.0
