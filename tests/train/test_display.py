"""What a person sees of a set in training, and how long it says that takes."""

import io
import logging
import time
from collections import deque
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from se_hpo.config.run import RunConfig
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.paths import SESetPaths
from se_hpo.terminal.live import Running
from se_hpo.train.display import SetDisplay, outcome_line, set_table, summary
from tests.helpers.fake_run import generation_line

SETTINGS = SetSettings("se_fixed", RunConfig(), seed=0, generations=10, engine="native")


def outcome(index=3, solved_at=7, **changes):
    values = {
        "index": index, "seed": 1, "train_env": "se_fixed", "task": "CartPole-v0",
        "solved": solved_at is not None, "solved_at": solved_at, "generations": 9,
        "best_score": 196.24, "final_score": 40.0, "reason": "solved",
        "trainings": 1234, "env_steps_se": 2_000_000, "env_steps_task": 100_000,
        "wall_seconds": 75.0, "cpu_seconds": 60.0, "engine": "native", "host": "a",
    }  # fmt: skip
    return SEOutcome(**{**values, **changes})


UNSOLVED = outcome(4, None, best_score=50.0, reason="budget")
RANDOM = outcome(5, None, solved=True, reason="budget", generations=0)
FAILED = outcome(
    6, None, best_score=None, final_score=None, reason="failed: ValueError: x"
)


def plain(renderable, width=80):
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(renderable)
    return console.file.getvalue()


def test_the_line_of_an_se_says_whether_and_when_it_was_solved():
    assert (
        outcome_line(outcome(), 65)
        == "SE 003 solved at generation 7 score 196.2 in 0:01:05"
    )
    assert outcome_line(UNSOLVED, 65) == "SE 004 not solved score 50.0 in 0:01:05"
    assert outcome_line(RANDOM, 1) == "SE 005 solved score 196.2 in 0:00:01"
    line = outcome_line(FAILED, 1)
    assert line == "SE 006 not solved (failed: ValueError: x) in 0:00:01"


def test_the_table_marks_what_is_unsolved_failed_and_missing():
    table = set_table([outcome(), UNSOLVED, RANDOM, FAILED], {1: "gone"})
    lines = [x.split("│")[1:-1] for x in plain(table, 100).splitlines() if "│" in x]
    rows = {cells[0].strip(): [c.strip() for c in cells[1:]] for cells in lines}
    assert list(rows) == ["001", "003", "004", "005", "006"]
    cost = ["1,234", "2.1 M", "0:01:15"]
    assert rows["003"] == ["7", "196.2", "40.0", *cost, "solved"]
    assert rows["004"] == ["no", "50.0", "40.0", *cost, "budget"]
    assert rows["005"][0] == "yes"
    assert rows["006"] == ["no", "-", "-", *cost, "failed: ValueError: x"]
    assert rows["001"] == [""] * 6 + ["not finished: gone"]


def test_the_table_fits_80_columns():
    text = plain(set_table([outcome(), UNSOLVED], {}))
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_summary_counts_the_unsolved():
    text = summary([outcome(), outcome(4, 12), UNSOLVED, FAILED])
    assert text.startswith(
        "2 of 4 solved the task (median generation 9.5). 4,936 agents"
    )
    assert "8.0 M steps on SEs, 0.4 M on the task, 0:04:00 of processor time" in text
    assert summary([]) == "No SE is finished."


def terminal(width=80, height=24):
    return Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height,
        highlight=False, color_system=None, legacy_windows=False,
    )  # fmt: skip


def shown(console, quiet=False, **state):
    """A display of five SEs in the middle of a training."""
    display = SetDisplay(
        SESetPaths(Path("results/x")), SETTINGS, 5, console=console, quiet=quiet
    )
    for name, value in {"done": 2, "solved": 1, **state}.items():
        setattr(display, name, value)
    return display


def ago(seconds):
    return time.time() - seconds - 0.5


def test_the_live_view_shows_done_running_latest_and_eta():
    running = [
        Running("002", 3, 10, ago(20), (10.0, 50.0, 120.5)),
        Running("004", 0, 10, ago(1), ()),
    ]
    times = {"began": ago(60), "eta": 90.0, "eta_at": ago(0)}
    display = shown(terminal(), running=running, **times)
    with display:
        display.tell_end(outcome_line(outcome(), 75.0))
        text = plain(display.view(24))
    assert "se_fixed, CartPole-v0  results/x  0:01:00" in text
    assert "2/5, 1 solved  ETA 0:01:29" in text
    assert "002  3/10  0:00:20  ▁▄█  120.5" in text
    assert "004  0/10  0:00:01" in text
    assert "SE 003 solved at generation 7" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_a_display_of_which_nothing_is_known_yet_is_drawn_whole(caplog):
    with shown(terminal()) as display:
        display._live.refresh()
    assert "incomplete" not in caplog.text


@pytest.mark.parametrize("height", [1, 8, 10])
def test_the_live_view_leaves_out_what_does_not_fit(height):
    running = [Running(f"{k:03d}", 0, 10, ago(1), ()) for k in range(40)]
    display = shown(terminal(), running=running, total=40)
    assert len(plain(display.view(height)).splitlines()) <= max(height, 3)


def test_without_a_terminal_there_is_a_line_per_se(tmp_path):
    console = Console(file=io.StringIO(), width=80)
    running = {3: (75.0, 0)}
    made, workers = watch(tmp_path, [1, 2], running, n_parallel=1, console=console)
    with made:
        del workers.running[3]
        made.ended(outcome(), workers)
    assert "196.2 in 0:01:15 (4/6, ETA 0:02:30)\n" in console.file.getvalue()
    quiet = Console(file=io.StringIO(), width=80)
    with shown(quiet, quiet=True) as display:
        display.tell_end(outcome_line(outcome(), 75.0))
        logging.getLogger("se_hpo.x").warning("careful")
    assert quiet.file.getvalue().endswith("careful\n")
    assert "SE 003" not in quiet.file.getvalue()


def watch(tmp_path, waiting, running, n_parallel=2, settings=SETTINGS, console=None):
    """SEs 0 to 5 of a shard; `running`: index -> (seconds, generations)."""
    paths = SESetPaths(tmp_path)
    now = time.time()
    workers = SimpleNamespace(
        waiting=deque(waiting), running=dict.fromkeys(running), lost={}, held=[],
        started={}, n_parallel=n_parallel,
    )  # fmt: skip
    made = SetDisplay(paths, settings, 6, console=console)
    for index in running:
        workers.started[index] = now
    made.update(workers)
    for index, (seconds, generations) in running.items():
        workers.started[index] = now - seconds
        for generation in range(generations):
            line = generation_line(generation, [10.0])
            append_json_line(paths.run(index).generations, line)
    return made, workers


def test_nobody_knows_the_time_to_go_before_a_generation_is_done(tmp_path):
    made, workers = watch(tmp_path, [2, 3, 4, 5], {0: (5.0, 0), 1: (5.0, 0)})
    made.update(workers)
    assert made.eta is None
    assert (made.done, made.total, len(made.running)) == (0, 6, 2)


def test_the_time_to_go_before_any_se_ended_is_that_of_all_generations(tmp_path):
    made, workers = watch(tmp_path, [2, 3, 4, 5], {0: (20.0, 2), 1: (20.0, 2)})
    made.update(workers)
    assert made.running[0].curve == (10.0, 10.0)
    assert made.eta == pytest.approx((2 * 80 + 4 * 100) / 2, rel=0.01)


def test_the_time_to_go_follows_the_ses_that_ended(tmp_path):
    made, workers = watch(tmp_path, [4, 5], {1: (10.0, 1), 2: (10.0, 9)})
    workers.started |= {0: time.time() - 30.0, 3: time.time() - 50.0}
    made.ended(outcome(0), workers)
    assert made._seconds == [pytest.approx(30.0, abs=1.0)]
    made.ended(UNSOLVED.__class__(**{**vars(UNSOLVED), "index": 3}), workers)
    left = [30.0, 10.0 / 9, 40.0, 40.0]
    assert made.eta == pytest.approx(sum(left) / 2, rel=0.02)
    assert (made.done, made.solved) == (2, 1)


def test_a_random_search_is_watched_by_its_agents(tmp_path):
    settings = SetSettings("se_random", RunConfig(), 0, 10, "native", trainings=300)
    made, workers = watch(tmp_path, [], {0: (10.0, 0)}, settings=settings)
    line = {"trainings_before": 0, "scores": [1.0] * 64}
    line |= {"env_steps_se": 9, "env_steps_task": 9}
    append_json_line(made.paths.run(0).candidates, line)
    made.update(workers)
    assert (made.running[0].done, made.running[0].of) == (64, 300)
    assert made.eta == pytest.approx(10.0 / 64 * 236, rel=0.01)


def test_files_that_a_worker_set_aside_are_named_once(tmp_path, caplog):
    made, workers = watch(tmp_path, [], {0: (1.0, 1)})
    damaged = made.paths.run(0).state.with_name("state.safetensors.damaged")
    write_json(damaged, {})
    made.update(workers)
    made.update(workers)
    assert caplog.text.count("state.safetensors was damaged") == 1


def test_ses_that_were_finished_before_count_as_done_and_solved(tmp_path):
    made, workers = watch(tmp_path, [2, 3, 4, 5], {})
    made.solved = 1
    made.update(workers)
    assert (made.done, made.solved, made.eta) == (2, 1, None)
