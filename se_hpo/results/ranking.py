"""Which evaluation is better: large budgets first, then low loss.

Only finished evaluations with a finite loss are ranked; of equals the first wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from se_hpo.results.columns import numbers, texts, tidy
from se_hpo.results.lines import read_configurations, read_evaluations
from se_hpo.storage.paths import ConfigId, RunPaths
from se_hpo.storage.records import EvaluationRecord, Status

T = TypeVar("T")

_INCUMBENTS = {
    **texts("incumbent"),
    **numbers("incumbent_budget", "incumbent_loss"),
    "improved": "bool",
}
Rank = tuple[float, float]
"""Minus the budget, and the loss: the lower, the better."""


@dataclass(frozen=True)
class Finalist:
    """A trial among the best of a run."""

    config_id: ConfigId
    configuration: dict[str, object]
    budget: float
    loss: float
    """As the search saw it."""


def rank(record: EvaluationRecord) -> Rank | None:
    """The rank of an evaluation; None where it has none."""
    ranked = record.status is Status.FINISHED and math.isfinite(record.loss)
    return (-record.budget, record.loss) if ranked else None


def best_first(items: Iterable[T], of: Callable[[T], EvaluationRecord]) -> list[T]:
    """What is ranked of the items, best first; `of` gives an item's record."""
    ranks = [(place, item) for item in items if (place := rank(of(item))) is not None]
    return [item for _, item in sorted(ranks, key=lambda pair: pair[0])]


def best_trials(run: RunPaths, n: int) -> list[Finalist]:
    """The `n` best trials, each at its largest budget: large budgets, then low loss."""
    configurations = read_configurations(run)
    finalists: dict[ConfigId, Finalist] = {}
    for evaluation in best_first(read_evaluations(run), lambda e: e.record):
        config_id, record = evaluation.config_id, evaluation.record
        if config_id in configurations and config_id not in finalists:
            values = dict(configurations[config_id].values)
            finalists[config_id] = Finalist(
                config_id, values, record.budget, record.loss
            )
    return list(finalists.values())[:n]


def ranked(trials: pd.DataFrame) -> pd.DataFrame:
    """The rows of `load_trials` that are ranked, best first."""
    rows = trials[_is_ranked(trials)]
    return rows.sort_values(["budget", "loss"], ascending=[False, True], kind="stable")


def incumbents(trials: pd.DataFrame) -> pd.DataFrame:
    """The best so far at every row of a frame that is sorted by time.

    Columns `incumbent` (its trial), `incumbent_budget`, `incumbent_loss`; missing
    before there is one. `improved`: it changed at this row.
    """
    best: Rank | None = None
    found: dict[str, object] = {}
    rows = []
    columns = (trials["trial"], trials["budget"], trials["loss"], _is_ranked(trials))
    for trial, budget, loss, is_ranked in zip(*columns, strict=True):
        place = (-float(budget), float(loss))
        improved = bool(is_ranked) and (best is None or place < best)
        if improved:
            best = place
            found = {"incumbent": trial, "incumbent_budget": float(budget)}
            found["incumbent_loss"] = float(loss)
        rows.append({**found, "improved": improved})
    return tidy(rows, _INCUMBENTS).set_index(trials.index)


def _is_ranked(trials: pd.DataFrame) -> pd.Series:
    finite = np.isfinite(trials["loss"].astype("float64"))
    return (trials["status"] == Status.FINISHED.value) & finite
