"""The answer in one paragraph of numbers, with its intervals and its shortcomings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from se_hpo.reporting.answers import Answers
from se_hpo.reporting.data import RunData
from se_hpo.reporting.rules import rule_in_words, rules_of
from se_hpo.reporting.tables import rows_of
from se_hpo.reporting.words import AGENT_WORDS, SETTING_WORDS

Row = Mapping[str, Any]


def answer(data: RunData, answers: Answers) -> list[str]:
    """Paragraphs: per stopping rule and agent, then the search."""
    paragraphs = []
    table = answers.settings
    for rule in rules_of(table):
        for agent in dict.fromkeys(table.loc[table["rule"] == rule, "agent"]):
            rows = table[(table["rule"] == rule) & (table["agent"] == agent)]
            paragraphs.append(" ".join(_agent(rule, str(agent), rows, answers)))
    if table.empty:
        paragraphs.append(
            "What the synthetic environments are worth is not known yet: no agents "
            "have been trained on them and on the task to compare."
        )
    if data.has_bohb:
        paragraphs.append(" ".join(_search(data)))
    return paragraphs


def _agent(
    rule: str, agent: str, rows: pd.DataFrame, answers: Answers
) -> Iterator[str]:
    name = AGENT_WORDS.get(agent, agent)
    by_setting = {row["setting"]: row for row in rows_of(rows)}
    real = by_setting.pop("real", None)
    if real is None:
        yield f"{name} ({rule_in_words(rule)}): not yet trained on the real task."
    else:
        yield (
            f"{name} ({rule_in_words(rule)}), {real['n_agents']:.0f} agents with "
            "random hyperparameters trained on the real task: mean test return "
            f"{_mean(real)}, after {real['env_steps_mean']:,.0f} env steps on average."
        )
    for setting, row in by_setting.items():
        yield _on_ses(str(setting), row)
        yield from _paid(rule, agent, str(setting), answers)


def _on_ses(setting: str, row: Row) -> str:
    ses = (
        f"{row['n_ses']:.0f} SE{'s' * (row['n_ses'] != 1)}, "
        f"{row['n_ses_solved']:.0f} of which solved the task"
    )
    text = (
        f"Trained on {SETTING_WORDS.get(setting, setting)} ({ses}): mean test return "
        f"{_mean(row)}, after {row['env_steps_mean']:,.0f} env steps"
    )
    saved = row["env_steps_saved"]
    if math.isfinite(saved):
        how = "fewer" if saved >= 0 else "more"
        text += f", {abs(saved):.0%} {how} than on the real task"
        text += _interval(row, "env_steps_saved", ".0%")
    return f"{text}. {verdict(row)}"


def _mean(row: Row) -> str:
    return f"{row['mean']:.1f}{_interval(row, 'mean', '.1f')}"


def _interval(row: Row, name: str, spec: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if not (math.isfinite(low) and math.isfinite(high)):
        return " (interval unknown)"
    return f" (95 % interval {format(low, spec)} to {format(high, spec)})"


def verdict(row: Row) -> str:
    """How a setting's returns compare with the real task's, as far as is known."""
    difference = row["difference"]
    low, high = row["difference_low"], row["difference_high"]
    if not math.isfinite(difference):
        return "There are no pairs to compare with the real task."
    by = f"{difference:+.1f}"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"The paired difference in return is {by}; too few SEs to say more."
    by += f", {low:+.1f} to {high:+.1f}"
    if high < 0:
        return f"That falls short of the real task: paired difference {by}."
    if low > 0:
        return f"That is better than the real task: paired difference {by}."
    return f"No clear difference in return from the real task: paired difference {by}."


def _paid(rule: str, agent: str, setting: str, answers: Answers) -> Iterator[str]:
    """When the NES run, and BOHB's share, have paid for themselves in real steps."""
    table = answers.break_even
    if table.empty:
        return
    rows = table[
        (table["rule"] == rule)
        & (table["agent"] == agent)
        & (table["setting"] == setting)
        & (table["unit"] == "env_steps_task")
    ]
    for row in rows_of(rows):
        if row["with_bohb"] or row["verdict"] != "pays off":
            continue
        yield (
            f"In real env steps an SE has paid for its NES run after "
            f"{row['agents']:,.0f} agent{'s' * (row['agents'] != 1)}."
        )


def _search(data: RunData) -> Iterator[str]:
    best = data.incumbent
    if best is None:
        yield "The search has no finished evaluation yet."
        return
    record, trials = best.record, data.trials
    is_nes = data.settings.get("objective", "nes") == "nes"
    unit = "generations" if is_nes else "seeds"
    yield (
        f"The search evaluated {trials['trial'].nunique()} configurations "
        f"({len(trials)} evaluations); the best, trial {best.trial}, has loss "
        f"{best.loss:.3f} at {best.budget:g} {unit}."
    )
    if record.score_best is None:
        return
    at = data.solved_return
    what = "Its best center" if is_nes else "Its best seed"
    text = f"{what} reached a mean return of {record.score_best:.1f}"
    if at is not None and record.generations_to_solve is not None:
        text += f" and solved the task in generation {record.generations_to_solve}"
    elif at is not None and is_nes:
        text += f", which does not solve the task ({at:g})"
    yield f"{text}; as the best of many noisy runs this is optimistic."
    first = trials["trial"].min()
    if not data.settings.get("random_start", True) and best.trial == first:
        yield "It is the space's default configuration, which the run began with."
