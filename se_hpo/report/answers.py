"""The tables of a report, whoever computes them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


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
    learning: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What the learning curves say, arm by arm."""
    mean_curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    readings: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Mean learning curves after some steps."""
    curve_break_even: pd.DataFrame = field(default_factory=pd.DataFrame)
    budgets: pd.DataFrame = field(default_factory=pd.DataFrame)
    picks: pd.DataFrame = field(default_factory=pd.DataFrame)
    importance: pd.DataFrame = field(default_factory=pd.DataFrame)
    importance_note: str = ""
    problems: list[str] = field(default_factory=list)
    """Why a table is missing, a sentence each."""


@dataclass(frozen=True)
class Transitions:
    """Histograms of one SE, and which one it is."""

    counts: pd.DataFrame
    """From `transitions.transition_counts`."""
    source: str
