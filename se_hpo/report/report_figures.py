"""Which figures a run has, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from se_hpo.figures import (
    Picture,
    draw_agreement,
    draw_break_even,
    draw_histograms,
    draw_importance,
    draw_losses_over_budgets,
    draw_losses_over_time,
    draw_nes_curves,
    draw_parallel,
    draw_returns,
    draw_sensitivity,
    draw_trial_curves,
)
from se_hpo.report.analyses import Answers
from se_hpo.report.rules import rule_in_words, rules_of, slug, with_rule
from se_hpo.report.run_data import RunData


@dataclass(frozen=True)
class Transitions:
    """Histograms of one SE, and which one it is."""

    counts: pd.DataFrame
    """From `transitions.transition_counts`."""
    source: str


def draw_phase2(data: RunData, answers: Answers) -> Iterator[Picture]:
    """What the SEs are worth: a set of figures per stopping rule."""
    for rule in rules_of(answers.train_envs):
        stem, what = slug(rule), rule_in_words(rule)
        own = [
            _of(table, rule)
            for table in (
                answers.pairs,
                answers.rank_agreement,
                answers.sensitivity,
                answers.break_even,
            )
        ]
        pairs, agreement, sensitivity, break_even = own
        yield from _there(
            draw_returns(with_rule(answers.evaluations, rule), f"returns-{stem}", what),
            draw_agreement(pairs, agreement, f"rank_agreement-{stem}", what)
            if len(pairs)
            else None,
            draw_sensitivity(sensitivity, f"sensitivity-{stem}", what)
            if len(sensitivity)
            else None,
            draw_break_even(break_even, f"break_even-{stem}", what),
        )


def draw_ses(
    data: RunData, answers: Answers, transitions: Transitions | None
) -> Iterator[Picture]:
    """How the SEs were learned, and how one differs from the task."""
    train_envs = {se_set.name: se_set.train_env for se_set in data.sets}
    if not data.se_generations.empty:
        yield from _there(
            draw_nes_curves(
                data.se_generations, answers.curves, train_envs, data.solved_return
            )
        )
    if transitions is not None:
        yield from _there(
            draw_histograms(transitions.counts, data.task or "", transitions.source)
        )


def draw_bohb(data: RunData, answers: Answers) -> Iterator[Picture]:
    """What the search did."""
    if data.trials.empty:
        return
    best = data.incumbent.trial if data.incumbent else None
    yield from _there(
        draw_losses_over_time(data.trials),
        draw_losses_over_budgets(data.trials),
        draw_trial_curves(data.generations, best, data.solved_return),
        draw_importance(answers.importance, answers.importance_note),
        draw_parallel(data.trials, answers.importance, data.configspace),
    )


def _there(*pictures: Picture | None) -> Iterator[Picture]:
    yield from (picture for picture in pictures if picture is not None)


def _of(table: pd.DataFrame, rule: str) -> pd.DataFrame:
    return table[table["rule"] == rule] if len(table) else table
