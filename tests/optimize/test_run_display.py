"""What the display knows beyond a status: incumbent, curves, and the time to go."""

import io
import os
import time
from dataclasses import replace

import pytest
from rich.console import Console

from se_hpo.bohb.status import Bracket, MasterStatus, Rung, Running
from se_hpo.optimize.display import RunDisplay
from se_hpo.storage import agent_progress
from se_hpo.storage.agent_progress import AgentProgress, read_progress
from se_hpo.storage.files import append_json_line
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.terminal.live import how_far

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


def test_agents_of_the_generation_under_way_are_a_sign_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(agent_progress, "SECONDS_BETWEEN", 0.0)
    shown = display(tmp_path)
    files = shown.run.trial((0, 0, 1))
    append_json_line(files.generations, {"center_scores": [1.0, 3.0]})
    tell = AgentProgress(files)
    tell(12, 72)
    shown.update(status(running=[RUNNING]))
    assert shown.running[0].agents == (12, 72)
    assert how_far(shown.running[0]) == "1/3 +12/72"
    tell(72, 72)
    shown.update(status(running=[RUNNING]))
    assert shown.running[0].agents is None


def test_progress_of_a_process_that_died_is_not_that_of_the_next(tmp_path):
    files = RunPaths(tmp_path).trial((0, 0, 1))
    append_json_line(files.generations, {"center_scores": [1.0]})
    files.progress.write_text("[5, 72]")
    os.utime(files.progress, (1000, 1000))  # before the generation's line
    assert read_progress(files) is None
    for damaged in ("", "[5", '{"a": 1}', "[1.5, 2]", "[1, 2, 3]"):
        files.progress.write_text(damaged)
        assert read_progress(files) is None


def test_a_disk_that_refuses_progress_ends_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(agent_progress, "SECONDS_BETWEEN", 0.0)
    AgentProgress(RunPaths(tmp_path / "gone").trial((0, 0, 1)))(1, 2)


def test_scores_say_what_solves_the_task(tmp_path):
    target = Console(file=io.StringIO(), width=100, height=24, force_terminal=True)
    best = replace(RECORD, score_best=160.52)
    shown = RunDisplay(
        RunPaths(tmp_path), "t", "generations", [best], 195.0, console=target
    )
    path = shown.run.trial((0, 0, 1)).generations
    append_json_line(path, {"center_scores": [1.0, 3.0]})
    shown.update(status(running=[RUNNING]))
    target.print(shown.view(24))
    text = target.file.getvalue()
    assert "score 160.5/195" in text and "2.0/195" in text


def test_seeds_of_an_agent_on_the_task_are_counted_too(tmp_path):
    shown = display(tmp_path)
    path = shown.run.trial((0, 0, 1)).agents
    append_json_line(path, {"agent": 0, "score": 7.0})
    shown.update(status(running=[RUNNING]))
    assert (shown.running[0].done, shown.running[0].curve) == (1, (7.0,))


def test_a_run_that_has_ended_waits_for_no_worker(tmp_path):
    target = Console(file=io.StringIO(), width=100, height=24)
    shown = RunDisplay(RunPaths(tmp_path), "t", "generations", console=target)
    shown.update(replace(status((3, 1)), state="finished"))
    target.print(shown.view(24))
    text = target.file.getvalue()
    assert "4/4" in text and "finished" in text and "waiting" not in text


def test_a_new_width_clears_what_was_drawn_for_another(tmp_path):
    target = Console(
        file=io.StringIO(), width=100, height=24, force_terminal=True,
        _environ={"TERM": "xterm"},
    )  # fmt: skip
    with RunDisplay(RunPaths(tmp_path), "t", "generations", console=target) as shown:
        shown._live.refresh()
        assert "\x1b[2J" not in target.file.getvalue()
        target.width = 60
        shown._live.refresh()
        assert target.file.getvalue().count("\x1b[2J\x1b[H") == 1
        shown._live.refresh()
        assert target.file.getvalue().count("\x1b[2J") == 1
