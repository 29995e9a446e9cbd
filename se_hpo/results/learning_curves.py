"""Learning curves: test returns while an agent is trained, by its training steps.

As Ferreira et al. (2022) plot them, the return of the test after a training episode
counts for the steps of that episode. A record keeps only the tests that the curve needs
at `GRID` places; there it is exact. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.results.columns import counts, numbers, texts, tidy
from se_hpo.results.evaluations import records_at

GRID = 200
"""Places at which a curve is looked at; closer together where training begins."""

CURVE_COLUMNS = {
    **texts("record_file", "task", "train_env", "kind", "se_set"),
    "se": "Int64",
    **texts("agent", "variation", "agent_values"),
    **counts("pair", "max_env_steps", "step"),
    **numbers("return"),
}
"""Columns of `load_curves`."""


def grid(n_steps: int) -> np.ndarray:
    """The places, int64: squares, so that the first is near 0 and the last `n_steps`.

    >>> grid(40_000)[:3], grid(40_000)[-2:]
    (array([1, 4, 9]), array([39601, 40000]))
    """
    places = n_steps * (np.arange(1, GRID + 1) / GRID) ** 2
    return np.unique(np.ceil(places).astype(np.int64))


def thinned(
    steps: Sequence[int] | np.ndarray,
    returns: Sequence[float] | np.ndarray,
    n_steps: int,
) -> tuple[list[int], list[float]]:
    """The tests that `at_steps` needs on the grid.

    Args:
        steps: training steps before each test, rising; at least one.
        returns: of the tests.
        n_steps: training steps that the curve is to have.
    """
    steps, returns = np.asarray(steps, np.int64), np.asarray(returns, float)
    following = np.searchsorted(steps, grid(n_steps))
    kept = np.unique(np.minimum(following, len(steps) - 1))
    changes = np.append(np.diff(returns[kept]) != 0, True)
    kept = kept[changes]
    return steps[kept].tolist(), [float(f"{r:.6g}") for r in returns[kept]]


def at_steps(
    steps: Sequence[int] | np.ndarray,
    returns: Sequence[float] | np.ndarray,
    places: np.ndarray,
) -> np.ndarray:
    """The curve at some steps: the return of the next test; NaN after the last."""
    following = np.searchsorted(np.asarray(steps), places)
    return np.append(np.asarray(returns, float), np.nan)[following]


def load_curves(path: str | Path) -> pd.DataFrame:
    """One row per kept test of every learning curve; path as in `load_evaluations`.

    `CURVE_COLUMNS`; a row's `return` holds from the row before up to its `step`. A
    `UserError` if there are no records.
    """
    rows: list[dict[str, Any]] = []
    for file, found in records_at(path):
        own = found | {"record_file": file.name}
        tests = zip(*(found["curve"] or ((), ())), strict=True)
        rows.extend(own | {"step": step, "return": value} for step, value in tests)
    return tidy(rows, CURVE_COLUMNS)
