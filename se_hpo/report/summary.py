"""The answer in one paragraph of numbers, with its intervals and its shortcomings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.names import is_random, train_env_prose
from se_hpo.registries import budget_unit, objective_kind
from se_hpo.report.answers import Answers
from se_hpo.report.curve_summary import curve_paragraphs
from se_hpo.report.rules import rule_in_words, rules_of
from se_hpo.report.run_data import RunData
from se_hpo.report.tables import rows_of
from se_hpo.text import score_text

Row = Mapping[str, Any]


def answer(data: RunData, answers: Answers) -> list[str]:
    """Paragraphs: one per stopping rule and agent, then the search."""
    paragraphs = []
    what = "reward networks" if data.of_rewards else "synthetic environments"
    table = answers.train_envs
    for rule in rules_of(table):
        for agent, rows in table[table["rule"] == rule].groupby("agent", sort=False):
            paragraphs.append(" ".join(_agent(rule, str(agent), rows, answers)))
    paragraphs += curve_paragraphs(answers.learning)
    if table.empty and answers.learning.empty:
        paragraphs.append(
            f"What the {what} are worth is not known yet: no agents "
            "have been trained on them and on the task to compare."
        )
    elif len(table):
        paragraphs.append(
            "Brackets are 95 % intervals over SEs. Returns are of the same agents with "
            "random hyperparameters, tested on the real task."
        )
    if data.has_bohb:
        paragraphs.append(" ".join(_search(data)))
    return paragraphs


def _agent(
    rule: str, agent: str, rows: pd.DataFrame, answers: Answers
) -> Iterator[str]:
    name = f"{agent_label(agent)} ({rule_in_words(rule)})"
    by_train_env = {row["train_env"]: row for row in rows_of(rows)}
    real = by_train_env.pop("real", None)
    if real is None:
        yield f"{name}: not yet trained on the real task, so nothing to compare with."
    else:
        yield (
            f"{name}: trained on the real task, {real['n_agents']:.0f} agents return "
            f"{_with_interval(real, 'mean', '.1f')} after {_steps(real)}."
        )
    for train_env, row in by_train_env.items():
        yield _on_ses(str(train_env), row)
        yield from _paid(rule, agent, row, answers)


def _on_ses(train_env: str, row: Row) -> str:
    n, solved = row["n_ses"], row["n_ses_solved"]
    ses = f"{n:.0f} SE{'s' * (n != 1)}, {solved:.0f} solved"
    text = f"On {train_env_prose(train_env)}, {ses}: "
    text += f"{_with_interval(row, 'mean', '.1f')} after {_steps(row)}"
    if math.isfinite(row["env_steps_saved"]) and row["env_steps_saved"]:  # 0: fixed
        text += f", {_fewer(row)}"
    return f"{text}; {verdict(row)}{_on_pairs(row)}."


def _on_pairs(row: Row) -> str:
    """Says where differences are of fewer agents, or SEs, than one would think."""
    parts = []
    if 0 < row["n_pairs"] < row["n_agents"]:
        parts.append(f"on the {row['n_pairs']:.0f} agents that are on the task, too")
    if "intervals are too narrow" in row["note"]:
        parts.append("few SEs, so the interval is too narrow")
    return f" ({'; '.join(parts)})" if parts else ""


def _steps(row: Row) -> str:
    steps = row["env_steps_mean"]
    known = f"{steps:,.0f}" if math.isfinite(steps) else "an unknown number of"
    return f"{known} env steps"


def _fewer(row: Row) -> str:
    """Steps saved against the real task, or spent on top of it."""
    if row["env_steps_saved"] >= 0:
        return f"{_with_interval(row, 'env_steps_saved', '.0%')} fewer"
    ends = (("", ""), ("_low", "_high"), ("_high", "_low"))
    more = {f"more{a}": -row[f"env_steps_saved{b}"] for a, b in ends}
    return f"{_with_interval(more, 'more', '.0%')} more"


def _with_interval(row: Row, name: str, spec: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if not math.isfinite(value):
        return "an unknown return"
    known = math.isfinite(low) and math.isfinite(high)
    interval = f"{low:{spec}}, {high:{spec}}" if known else "interval unknown"
    return f"{value:{spec}} [{interval}]"


def verdict(row: Row) -> str:
    """How a train_env's returns compare with the real task's, as far as is known."""
    difference = row["difference"]
    low, high = row["difference_low"], row["difference_high"]
    if not math.isfinite(difference):
        return "no pairs to compare the returns with the real task's"
    if not (math.isfinite(low) and math.isfinite(high)):
        return f"too few SEs to say whether the return differs ({difference:+.1f})"
    by = f"({_with_interval(row, 'difference', '+.1f')})"
    if high < 0:
        return f"the return falls short of the real task's {by}"
    if low > 0:
        return f"the return is better than the real task's {by}"
    return f"no clear difference in return {by}"


def _paid(rule: str, agent: str, of: Row, answers: Answers) -> Iterator[str]:
    """When what found the SEs of a train_env has paid for itself in real steps."""
    keys = {"rule": rule, "agent": agent, "train_env": of["train_env"]}
    keys |= {"unit": "env_steps_task", "with_bohb": False, "verdict": "pays off"}
    for row in rows_of(answers.break_even):
        if keys.items() <= row.items():
            agents = f"{row['agents']:,.0f} agent{'s' * (row['agents'] != 1)}"
            what = "random search" if is_random(of["train_env"]) else "NES run"
            lower = -of["difference_low"]
            but = f", if returns up to {lower:.1f} lower would do" * (lower > 0)
            yield f"Its {what} has paid for itself in real steps after {agents}{but}."


def _search(data: RunData) -> Iterator[str]:
    best = data.incumbent
    if best is None:
        yield "The search has no finished evaluation yet."
        return
    record, trials = best.record, data.trials
    objective = data.settings.get("objective", "nes")
    learns_se = getattr(objective_kind(objective), "learns_se", False)
    yield (
        f"The search evaluated {trials['trial'].nunique()} configurations "
        f"({len(trials)} evaluations); the best, trial {best.trial}, has loss "
        f"{best.loss:.3f} at {best.budget:g} {budget_unit(objective)}."
    )
    if record.score_best is None:
        return
    at = data.solved_return
    what = "Its best center" if learns_se else "Its best seed"
    of = f"score by {data.fitness}"
    of = "mean return" if data.fitness == "return" else of
    text = f"{what} reached a {of} of {score_text(record.score_best)}"
    if at is not None and record.generations_to_solve is not None:
        text += f" and solved the task in generation {record.generations_to_solve}"
    elif at is not None and learns_se:
        text += f", which does not solve the task ({at:g})"
    yield f"{text}; as the best of many noisy runs this is optimistic."
    first = trials["trial"].min()
    if not data.settings.get("random_start", True) and best.trial == first:
        yield "It is the space's default configuration, which the run began with."
