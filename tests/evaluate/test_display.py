"""What an evaluation shows: progress, time to go, the final table."""

import io
import logging
import time

import pandas as pd
import pytest
from rich.console import Console

from se_hpo.evaluate import display
from se_hpo.evaluate.display import Progress, cost_lines, outcome_table, work_table
from se_hpo.evaluate.plan import PlannedAgent
from tests.results.test_evaluations import make_record

PLANNED = [PlannedAgent(s, "ddqn", p) for p in range(4) for s in ("real", "se_varied")]


def shown(renderable):
    display = Console(file=io.StringIO(), width=79)
    display.print(renderable)
    return display.file.getvalue()


def test_the_time_to_go_follows_what_each_setting_costs(monkeypatch):
    now = iter([0.0, 0.0, *[10.0] * 20])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    progress = Progress(PLANNED, [make_record(0, "real", seconds=6.0)], quiet=True)
    with progress:
        assert progress.time_to_go is None, "nobody knows how fast this machine is"
        progress.add(make_record(0, "se_varied", seconds=2.0))
        progress.add(make_record(1, "real", seconds=8.0))
        # To go: 2 x 7 s and 3 x 2 s of CPU time, at 10 CPU seconds in 10 seconds.
        assert progress.time_to_go == pytest.approx(20.0)


def test_off_a_terminal_lines_say_how_far_it_is(monkeypatch, caplog):
    monkeypatch.setattr(display, "SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level(logging.INFO, "se_hpo")
    with Progress(PLANNED, [], console=Console(file=io.StringIO())) as progress:
        progress.add(make_record(0, "real", score=100.0))
        progress.add(make_record(1, "real", score=50.0))
    assert "2 of 8 agents" in caplog.messages[-1]
    assert "mean returns: ddqn real 75.0" in caplog.messages[-1]


def test_on_a_terminal_a_table_is_drawn():
    display = Console(file=io.StringIO(), force_terminal=True, width=79)
    with Progress(PLANNED, [], console=display) as progress:
        progress.add(make_record(0, "real", score=123.4))
        progress._live.refresh()
    assert "123.4" in display.file.getvalue()
    assert "1 of 8 agents" in display.file.getvalue()


def test_the_final_table_has_train_envs_in_order_within_80_columns():
    rows = [
        make_record(0, "se_varied", score=196.0, env_steps=7_000),
        make_record(1, "se_varied", score=100.0, env_steps=6_000),
        make_record(0, "real", score=200.0, env_steps=1_234_567),
    ]
    lines = shown(outcome_table(pd.DataFrame(rows), 195.0)).splitlines()
    real, varied = (line for line in lines if "ddqn" in line)
    assert "real" in real and "1,234,567" in real and "100%" in real
    assert "148.00" in varied and "50%" in varied and "6,500" in varied


def test_the_work_is_counted_per_agent_and_setting():
    done = {PLANNED[0].key}
    lines = shown(work_table(PLANNED, done, 10)).splitlines()
    numbers = [line.split("│")[2:-1] for line in lines if "ddqn" in line]
    assert [[cell.strip() for cell in row] for row in numbers] == [
        ["real", "4", "40", "1", "3"],
        ["se_varied", "4", "40", "0", "4"],
    ]


def test_the_cost_is_projected_to_the_number_of_agents_of_the_paper():
    frame = pd.DataFrame(
        [make_record(0, "real", seconds=3.0), make_record(0, "se_varied", seconds=1.0)]
    )
    with Progress(PLANNED, [], quiet=True) as progress:
        (line,) = cost_lines(frame, progress, n_threads=2)
    assert "2.00 cpu seconds per agent" in line
    assert "0:13:20 on 2 free core(s)" in line, "400 x 4 s / 2"
