"""What the analysis says of a run: every table of the report, computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from se_hpo import analysis
from se_hpo.errors import UserError
from se_hpo.report.run_data import RunData
from se_hpo.results.evaluations import evaluation_names


@dataclass
class Answers:
    """Tables of `se_hpo.analysis`; without rows where there is nothing to analyse."""

    evaluations: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The records that the tables of phase 2 are made from."""
    train_envs: pd.DataFrame = field(default_factory=pd.DataFrame)
    ses: pd.DataFrame = field(default_factory=pd.DataFrame)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)
    rank_agreement: pd.DataFrame = field(default_factory=pd.DataFrame)
    sensitivity: pd.DataFrame = field(default_factory=pd.DataFrame)
    main_effects: pd.DataFrame = field(default_factory=pd.DataFrame)
    break_even: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Mean NES curve of each set."""
    budgets: pd.DataFrame = field(default_factory=pd.DataFrame)
    picks: pd.DataFrame = field(default_factory=pd.DataFrame)
    importance: pd.DataFrame = field(default_factory=pd.DataFrame)
    importance_note: str = ""
    problems: list[str] = field(default_factory=list)
    """Why a table is missing, a sentence each."""


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
    if not data.evaluations.empty:
        _analyse_phase2(data, answers)
    return answers


def _analyse_bohb(data: RunData, answers: Answers) -> None:
    trials = data.trials
    exclude = () if data.settings.get("random_start", True) else ("000-0-000",)
    _table(answers, "budgets", analysis.budget_correlation, trials)
    _table(answers, "picks", analysis.model_based_picks, trials, exclude=exclude)
    space = data.configspace or None
    try:
        found = analysis.hyperparameter_importance(trials, configspace=space)
    except UserError as error:
        answers.importance_note = str(error)
        return
    answers.importance_note = found.note
    if found.frame is not None:
        of = {"budget": found.budget, "n_trials": found.n_trials}
        answers.importance = found.frame.assign(**of)


def _analyse_phase2(data: RunData, answers: Answers) -> None:
    rows = answers.evaluations = _usable(data.evaluations, answers)
    solved = {"solved_return": data.solved_return}
    _table(answers, "train_envs", analysis.train_env_table, rows, **solved)
    _table(answers, "ses", analysis.se_table, rows, **solved)
    _table(answers, "pairs", analysis.paired, rows)
    _table(answers, "rank_agreement", analysis.rank_agreement, rows)
    _table(answers, "sensitivity", analysis.sensitivity_table, rows)
    _table(answers, "main_effects", analysis.main_effects, rows)
    trials = data.trials if len(data.trials) else None
    _table(answers, "break_even", analysis.break_even, rows, data.ses, trials)


def _usable(evaluations: pd.DataFrame, answers: Answers) -> pd.DataFrame:
    """Of the evaluations, from the largest on, those that go with the ones before."""
    names = evaluation_names(evaluations)
    used: list[str] = []
    for name in names.value_counts().index:
        try:
            analysis.paired(evaluations[names.isin([*used, name])])
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
