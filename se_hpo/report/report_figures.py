"""Which figures a run has, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from se_hpo import figures
from se_hpo.analysis.pareto import pareto_front
from se_hpo.figures import Picture
from se_hpo.report.answers import Answers, Transitions
from se_hpo.report.learned_maps import learned_maps
from se_hpo.report.rules import rule_in_words, rules_of, slug, with_rule
from se_hpo.report.run_data import RunData
from se_hpo.report.taught import what_is_taught


def draw_phase2(data: RunData, answers: Answers) -> Iterator[Picture]:
    """What the SEs are worth: a set of figures per stopping rule."""
    for rule in rules_of(answers.train_envs):
        stem, what = slug(rule), rule_in_words(rule)
        rows = with_rule(answers.evaluations, rule)
        yield from _there(figures.draw_returns(rows, f"returns-{stem}", what))
        pairs, agreement = _of(answers.pairs, rule), _of(answers.rank_agreement, rule)
        sensitivity = _of(answers.sensitivity, rule)
        paid = _of(answers.break_even, rule)
        if len(pairs):
            name = f"rank_agreement-{stem}"
            yield from _there(figures.draw_agreement(pairs, agreement, name, what))
        if len(sensitivity):
            name = f"sensitivity-{stem}"
            yield from _there(figures.draw_sensitivity(sensitivity, name, what))
        yield from _there(figures.draw_break_even(paid, f"break_even-{stem}", what))


def draw_curves(data: RunData, answers: Answers) -> Iterator[Picture]:
    """How fast agents learn."""
    solved = {data.task or "": data.solved_return}
    yield from _there(figures.draw_learning_curves(answers.mean_curves, solved))


def draw_ses(
    data: RunData, answers: Answers, transitions: Transitions | None
) -> Iterator[Picture]:
    """How the SEs were learned, and how one differs from the task."""
    train_envs = {se_set.name: se_set.train_env for se_set in data.sets}
    if not data.se_generations.empty:
        of = (data.se_generations, answers.curves, train_envs, data.solved_return)
        yield from _there(figures.draw_nes_curves(*of))
    yield from _there(figures.draw_reward_maps(learned_maps(data)))
    taught = what_is_taught(data)
    frames = taught.agreement, taught.points, taught.maps
    yield from _there(figures.draw_taught(*frames))
    if transitions is not None:
        counts, source = transitions.counts, transitions.source
        yield from _there(figures.draw_histograms(counts, data.task or "", source))


def draw_bohb(data: RunData, answers: Answers) -> Iterator[Picture]:
    """What the search did."""
    if data.trials.empty:
        return
    best = data.incumbent.trial if data.incumbent else None
    unit, found, solved = data.unit_of_budget, answers.importance, data.solved_return
    once = data.trials.drop_duplicates("trial")
    what = dict(zip(once["trial"], figures.words_of_configurations(once), strict=True))
    yield from _there(
        figures.draw_losses_over_time(data.trials, unit),
        figures.draw_losses_over_budgets(data.trials, unit),
        figures.draw_trial_curves(data.generations, best, solved, what),
        figures.draw_importance(found, answers.importance_note, unit),
        figures.draw_parallel(data.trials, found, data.configspace, unit),
        figures.draw_pareto(pareto_front(data.trials)),
    )


def _there(*pictures: Picture | None) -> Iterator[Picture]:
    yield from (picture for picture in pictures if picture is not None)


def _of(table: pd.DataFrame, rule: str) -> pd.DataFrame:
    return table[table["rule"] == rule] if len(table) else table
