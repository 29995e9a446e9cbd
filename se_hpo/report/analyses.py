"""What the analysis says of a run: every table of the report, computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd

from se_hpo import analysis
from se_hpo.analysis.importance import NOT_INSTALLED
from se_hpo.errors import UserError
from se_hpo.report.answers import Answers
from se_hpo.report.run_data import RunData
from se_hpo.results.evaluations import evaluation_names

_OF_RANKS = "share of the variance of the loss' ranks, each alone"
_SHARES = (0.02, 0.04, 0.1, 0.2, 0.4, 1.0)
"""Of all training steps: where learning curves are read off."""


def analyse(data: RunData) -> Answers:
    """All tables that the run has data for."""
    answers = Answers()
    if not data.trials.empty:
        _analyse_bohb(data, answers)
    if not data.se_generations.empty:
        keys = data.ses[["run", "se_set", "se"]]
        ended = set(keys.itertuples(index=False, name=None))
        curves, generations = analysis.nes_curves, data.se_generations
        _table(answers, "curves", curves, generations, by="se_set", finished=ended)
    have_curves = data.evaluations["area"].notna()
    if have_curves.any():
        _analyse_curves(data, answers)
    if not have_curves.all():
        _analyse_phase2(data, data.evaluations[~have_curves], answers)
    return answers


def _analyse_bohb(data: RunData, answers: Answers) -> None:
    trials = data.trials
    exclude = () if data.settings.get("random_start", True) else ("000-0-000",)
    _table(answers, "budgets", analysis.budget_correlation, trials)
    _table(answers, "picks", analysis.model_based_picks, trials, exclude=exclude)
    space = data.configspace or None
    importance = partial(analysis.hyperparameter_importance, trials, configspace=space)
    try:
        found, share = importance(), "share of the variance of the loss, main effect"
        if found.note == NOT_INSTALLED:
            found, share = importance(method="ranks"), _OF_RANKS
    except UserError as error:
        answers.importance_note = str(error)
        return
    answers.importance_note = found.note
    if found.frame is not None:
        of: Any = {"budget": found.budget, "n_trials": found.n_trials, "share": share}
        answers.importance = found.frame.assign(**of)


def _analyse_curves(data: RunData, answers: Answers) -> None:
    agents = data.evaluations[data.evaluations["area"].notna()]
    rows = _usable(agents, answers, analysis.curve_agents)
    curves = data.curves[data.curves["record_file"].isin(rows["record_file"])]
    _table(answers, "learning", analysis.curve_table, rows)
    _table(answers, "mean_curves", analysis.mean_curves, curves)
    _table(answers, "readings", _readings, curves)
    paid = analysis.curve_break_even
    _table(answers, "curve_break_even", paid, answers.learning, rows, data.ses)


def _readings(curves: pd.DataFrame) -> pd.DataFrame:
    """Mean curves after shares of their steps; without intervals."""
    parts = []
    lengths: Any = curves.groupby("max_env_steps")
    for steps, rows in lengths:
        places = sorted({max(1, round(steps * share)) for share in _SHARES})
        parts.append(analysis.mean_curves(rows, places, n_resamples=1))
    return pd.concat(parts, ignore_index=True)


def _analyse_phase2(data: RunData, evaluations: pd.DataFrame, answers: Answers) -> None:
    rows = answers.evaluations = _usable(evaluations, answers, analysis.paired)
    solved = {"solved_return": data.solved_return}
    _table(answers, "train_envs", analysis.train_env_table, rows, **solved)
    _table(answers, "ses", analysis.se_table, rows, **solved)
    _table(answers, "pairs", analysis.paired, rows)
    _table(answers, "rank_agreement", analysis.rank_agreement, rows)
    _table(answers, "sensitivity", analysis.sensitivity_table, rows)
    _table(answers, "main_effects", analysis.main_effects, rows)
    trials = data.trials if len(data.trials) else None
    _table(answers, "break_even", analysis.break_even, rows, data.ses, trials)


def _usable(
    evaluations: pd.DataFrame,
    answers: Answers,
    check: Callable[[pd.DataFrame], pd.DataFrame],
) -> pd.DataFrame:
    """Of the evaluations, from the largest on, those that go with the ones before."""
    names = evaluation_names(evaluations)
    used: list[str] = []
    for name in names.value_counts().index:
        try:
            check(evaluations[names.isin([*used, name])])
        except UserError as error:
            beside = f" beside {', '.join(used)}" if used else ""
            answers.problems.append(
                f"Evaluation {name} is not used{beside}: {str(error).rstrip('.')}."
            )
        else:
            used.append(name)
    return evaluations[names.isin(used)] if used else evaluations


def _table(
    answers: Answers,
    name: str,
    of: Callable[..., pd.DataFrame],
    *of_what: Any,
    **how: Any,
) -> None:
    """Put a table in its place; bad input costs this table only, and is named."""
    try:
        setattr(answers, name, of(*of_what, **how))
    except UserError as error:
        if str(error) not in answers.problems:
            answers.problems.append(str(error))
