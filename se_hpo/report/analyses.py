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
    trajectory: pd.DataFrame = field(default_factory=pd.DataFrame)
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
        keys = ["run", "se_set", "se"]
        ended = set(data.ses[keys].itertuples(index=False, name=None))
        _table(
            answers,
            "curves",
            lambda: analysis.nes_curves(
                data.se_generations, by="se_set", finished=ended
            ),
        )
    if not data.evaluations.empty:
        _analyse_phase2(data, answers)
    return answers


def _analyse_bohb(data: RunData, answers: Answers) -> None:
    trials = data.trials
    _table(answers, "budgets", lambda: analysis.budget_correlation(trials))
    exclude = () if data.settings.get("random_start", True) else ("000-0-000",)
    _table(
        answers, "picks", lambda: analysis.model_based_picks(trials, exclude=exclude)
    )
    _table(answers, "trajectory", lambda: analysis.incumbent_trajectory(trials))
    try:
        importance = analysis.hyperparameter_importance(
            trials, configspace=data.configspace or None
        )
    except UserError as error:
        answers.importance_note = str(error)
        return
    answers.importance_note = importance.note
    if importance.frame is not None:
        answers.importance = importance.frame.assign(
            budget=importance.budget, n_trials=importance.n_trials
        )


def _analyse_phase2(data: RunData, answers: Answers) -> None:
    rows, solved = _usable(data.evaluations, answers), data.solved_return
    answers.evaluations = rows
    functions: dict[str, Callable[[], pd.DataFrame]] = {
        "train_envs": lambda: analysis.train_env_table(rows, solved_return=solved),
        "ses": lambda: analysis.se_table(rows, solved_return=solved),
        "pairs": lambda: analysis.paired(rows),
        "rank_agreement": lambda: analysis.rank_agreement(rows),
        "sensitivity": lambda: analysis.sensitivity_table(rows),
        "main_effects": lambda: analysis.main_effects(rows),
        "break_even": lambda: analysis.break_even(
            rows, data.ses, data.trials if len(data.trials) else None
        ),
    }
    for name, function in functions.items():
        _table(answers, name, function)


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


def _table(answers: Answers, name: str, function: Callable[[], pd.DataFrame]) -> None:
    """Put the table in its place; bad input costs this table only, and is named."""
    try:
        value: Any = function()
    except UserError as error:
        if str(error) not in answers.problems:
            answers.problems.append(str(error))
        return
    setattr(answers, name, value)
