"""The tables of learning curves: who learns in fewer steps, and what that has cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.names import arm_label
from se_hpo.report.answers import Answers
from se_hpo.report.tables import Column, Table, make_table, number, numbers, text, texts


def curve_tables(answers: Answers) -> list[Table | None]:
    """What each arm's curve says, and its mean return after some steps."""
    return [_arm_table(answers.learning), *_readings(answers.readings)]


def _arms(frame: pd.DataFrame) -> list[Column]:
    several = {"agent_values": "values of", "max_env_steps": "steps"}
    shown = [name for name in several if frame[name].nunique() > 1]
    return [
        *(text(name, several[name]) for name in shown),
        text("agent", words=agent_label),
        text("variation", "hyperparameters"),
        text("trained_on", "trained on"),
    ]


def _named(table: pd.DataFrame) -> pd.DataFrame:
    keys = zip(table["kind"], table["train_env"], strict=True)
    return table.assign(trained_on=[arm_label(*key) for key in keys])


def _arm_table(table: pd.DataFrame) -> Table | None:
    if table.empty:
        return None
    frame = _named(table)
    return make_table(
        "Learning curves",
        frame,
        [
            *_arms(frame),
            *numbers(n_envs="learned", n_agents="agents"),
            number("steps_to_solve", "steps until solved, median", interval=True),
            number("share_solved", "solved", ".0%", interval=True),
            *numbers(".1f", True, final="return at the end", area="mean of the curve"),
            number("steps_saved", "fewer steps than alone", interval=True),
            number("area_gain", "mean minus alone", "+.1f", interval=True),
        ],
        caption="Steps until solved: before the first test from which on ten in a row "
        "solve the task; an agent that never does counts with all its steps. Alone: "
        "the same agents trained on the real task. Brackets: 95 % bootstrap intervals, "
        "resampled over learned environments.",
    )


def _readings(readings: pd.DataFrame) -> Iterator[Table | None]:
    """A table per length of curves: mean returns after some steps."""
    lengths: Any = readings.groupby("max_env_steps") if len(readings) else ()
    for steps, rows in lengths:
        frame = _named(_wide(rows))
        places = sorted(set(rows["step"]))
        yield make_table(
            f"Mean return after so many of {steps:,} training steps",
            frame,
            [*_arms(frame), *(number(str(p), f"{p:,}", ".1f") for p in places)],
            folded=True,
        )


def _wide(readings: pd.DataFrame) -> pd.DataFrame:
    """One row per arm, a column per step."""
    keys = list(readings.columns.drop(["step", "mean", "low", "high"]))
    rows = []
    for values, own in readings.groupby(keys, sort=False):
        found = dict(zip(own["step"].astype(str), own["mean"], strict=True))
        rows.append(dict(zip(keys, values, strict=True)) | found)
    return pd.DataFrame(rows)


def curve_break_even_table(answers: Answers) -> Table | None:
    """After how many agents a reward network has paid for itself."""
    table = answers.curve_break_even
    if table.empty:
        return None
    frame = _named(table)
    return make_table(
        "Break-even of reward networks",
        frame,
        [
            *_arms(frame),
            number("cost", "env steps that one cost"),
            number("steps_saved", "saved per agent until solved", interval=True),
            number("agents", "agents to break even", interval=True),
            *texts(verdict="verdict"),
        ],
        caption="Cost: every step on the task that it took to learn a reward network, "
        "in training and in tests, spread over the networks of its set.",
    )
