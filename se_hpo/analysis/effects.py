"""How much of a variance hyperparameters explain, without any model library.

Each hyperparameter is cut into up to four groups of equal size by its values, so that
the shape and the scale of its effect do not matter; explained is what the means of the
groups explain, corrected for what they would explain by chance.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

N_LEVELS = 4


def levels(values: pd.Series) -> np.ndarray:
    """Group of each value, integers from 0; missing values are a group of their own.

    Up to `N_LEVELS` different values, and anything that is not a number, are their own
    groups; more are cut at the quantiles, equal values staying together.
    """
    names, codes = np.unique(values.astype(str).to_numpy(str), return_inverse=True)
    numeric = pd.to_numeric(values, errors="coerce")
    given = values.notna()
    if len(names) <= N_LEVELS or (numeric.isna() & given).any() or not given.any():
        return codes
    ranks = numeric[given].rank(method="average").to_numpy(float)
    groups = np.full(len(values), N_LEVELS)
    groups[given.to_numpy(bool)] = ((ranks - 0.5) * N_LEVELS / len(ranks)).astype(int)
    return np.unique(groups, return_inverse=True)[1]


def epsilon_squared(values: np.ndarray, group: np.ndarray) -> float:
    """Share of the variance of `values` between groups, corrected for chance.

    (SS_between - (k - 1) MS_within) / SS_total, Kelley (1935); its mean is near 0 where
    groups do not matter, so that it may fall below 0. NaN for constant values, for a
    single group, and where there are no more values than groups.
    """
    _, group = np.unique(group, return_inverse=True)
    n, k = len(values), int(group.max(initial=-1)) + 1
    total = float(((values - values.mean()) ** 2).sum()) if n else 0.0
    if n <= k or k < 2 or total <= 0.0:
        return math.nan
    size = np.bincount(group)
    means = np.bincount(group, weights=values) / size
    within = float(((values - means[group]) ** 2).sum())
    return (total - within - (k - 1) * within / (n - k)) / total


def additive_basis(groups: list[np.ndarray]) -> np.ndarray:
    """Orthonormal columns (n, p) that span all group means, less the overall mean."""
    n = len(groups[0]) if groups else 0
    dummies = [np.eye(g.max() + 1)[g] for g in groups]
    if not dummies:
        return np.zeros((n, 0))
    columns = np.concatenate(dummies, axis=1)
    u, s, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return u[:, s > 1e-9 * max(1.0, s[0])]


def adjusted_r2(values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Share of variance that the columns of `basis` explain, corrected for chance.

    1 - (1 - R^2) (n - 1) / (n - p - 1) for p columns, which are orthonormal, and
    orthogonal to the constant, (n, p), and samples (..., n), none of them constant.
    """
    n, p = basis.shape
    centered = values - values.mean(axis=-1, keepdims=True)
    total = (centered**2).sum(axis=-1)
    r2 = ((centered @ basis) ** 2).sum(axis=-1) / total
    return 1.0 - (1.0 - r2) * (n - 1) / (n - p - 1)
