"""Which configurations are best for what they cost: a value against a cost."""

from __future__ import annotations

import math

import pandas as pd

from se_hpo.analysis.incumbents import with_loss
from se_hpo.analysis.trained_agents import numbers
from se_hpo.errors import UserError, did_you_mean

_KEPT = ("trial", "budget", "loss", "score_final", "reason")
RISING = ("score_final", "score_best")
"""Columns of which more is better; of all others less is."""


def pareto_front(
    trials: pd.DataFrame,
    cost: str = "env_steps_task",
    value: str = "score_final",
) -> pd.DataFrame:
    """Finished evaluations by cost, and whether no other is at least as good for it.

    `on_front`: no other evaluation costs as little or less and has as good a value or a
    better one, and one of both strictly. A trial's steps are counted from its
    beginning, so its evaluations at several budgets are points of their own.

    Args:
        trials: from `load_trials`.
        cost: a column of numbers, of which less is better: `env_steps_task`,
            `env_steps_se`, `cpu_seconds`, ...
        value: another one; of scores more is better, of all others less.

    Returns:
        `trial`, `budget`, `loss`, `score_final`, `reason`, both columns, `on_front`.

    Raises:
        UserError: the frame is not that of `load_trials`, or twice the same column.
    """
    frame = with_loss(trials)
    for name in (cost, value):
        if name not in frame:
            raise UserError(f"no column {name!r}: {did_you_mean(name, frame.columns)}")
    if cost == value:
        raise UserError(f"cost and value are both {cost!r}: a front needs two columns")
    finished = frame[frame["status"] == "finished"]
    found = finished.assign(**{n: numbers(finished[n]) for n in (cost, value)})
    found = found.dropna(subset=[cost, value])
    best_first = [True, value not in RISING]
    found = found.sort_values([cost, value], ascending=best_first, kind="stable")
    kept = list(dict.fromkeys([*_KEPT, cost, value]))
    front = _is_on_front(found[cost], found[value] * (-1 if value in RISING else 1))
    return found[kept].assign(on_front=front).reset_index(drop=True)


def _is_on_front(costs: pd.Series, values: pd.Series) -> list[bool]:
    """Of points by cost, and of equal cost by value, those that nothing dominates."""
    corner, found = (math.inf, math.inf), []
    for point in zip(costs, values, strict=True):
        corner = point if point[1] < corner[1] else corner
        found.append(point == corner)  # or a twin of it
    return found
