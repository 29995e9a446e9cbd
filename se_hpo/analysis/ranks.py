"""Rank correlations of weighted samples, and their intervals.

Weights as in `estimates`: one row per resample, how often each value is in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from se_hpo.analysis.estimates import Bootstrap, Clusters, Estimate

MIN_PAIRS = 3
"""Fewer pairs have no rank correlation worth naming."""


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Spearman's rho per row of weights: Pearson's r of ranks, ties averaged.

    NaN where x or y is constant.
    """
    total = weights.sum(axis=1, keepdims=True)

    def centered(values: np.ndarray) -> np.ndarray:
        ranks = weighted_ranks(values, weights)
        return ranks - (weights * ranks).sum(axis=1, keepdims=True) / total

    a, b = centered(x), centered(y)
    covariance = (weights * a * b).sum(axis=1)
    return _ratio(covariance, (weights * a**2).sum(axis=1), (weights * b**2).sum(1))


def kendall(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kendall's tau-b per row of weights.

    (concordant - discordant) / sqrt(pairs not tied in x * pairs not tied in y). Copies
    of one value are tied with each other. NaN where x or y is constant.
    """
    a = np.sign(x[:, None] - x[None, :])
    b = np.sign(y[:, None] - y[None, :])

    def over_pairs(matrix: np.ndarray) -> np.ndarray:
        return ((weights @ matrix) * weights).sum(axis=1)

    return _ratio(over_pairs(a * b), over_pairs(a**2), over_pairs(b**2))


MEASURES: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "spearman": spearman,
    "kendall": kendall,
}


def _ratio(product: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    scale = np.sqrt(a * b)
    some = scale > 0
    ratio = np.full(len(product), np.nan)
    ratio[some] = np.clip(product[some] / scale[some], -1.0, 1.0)
    return ratio


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rank of each value in each weighted sample, from 1, ties averaged.

    >>> weighted_ranks(np.array([5.0, 3.0, 5.0]), np.array([[1.0, 2.0, 1.0]]))
    array([[3.5, 1.5, 3.5]])
    """
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    size = np.add.reduceat(weights[:, order], starts, axis=1)
    ranks = np.cumsum(size, axis=1) - (size - 1.0) / 2.0
    return ranks[:, group]


def rank_correlation(
    x: np.ndarray,
    y: np.ndarray,
    measure: str,
    how: Bootstrap,
    clusters: np.ndarray | None = None,
) -> Estimate:
    """A rank correlation of x and y, both (n,), with its interval.

    Pairs with a missing value are left out. With a label of each pair, clusters are
    drawn anew; independent pairs have Fisher's interval. NaN with a reason where x or y
    is constant or pairs are fewer than `MIN_PAIRS`.
    """
    there = np.isfinite(x) & np.isfinite(y)
    x, y = x[there], y[there]
    if len(x) < MIN_PAIRS:
        return Estimate(math.nan, note=f"{len(x)} pairs: too few for a correlation")
    for name, values in (("first", x), ("second", y)):
        if np.all(values == values[0]):
            note = f"no correlation: the {name} of the two is the same for all"
            return Estimate(math.nan, note=note)
    if clusters is None:
        r = float(MEASURES[measure](x, y, np.ones((1, len(x))))[0])
        return fisher_interval(r, len(x), measure, how.confidence)
    sampled = Clusters(clusters[there], how)
    return sampled.estimate(lambda weights: MEASURES[measure](x, y, weights))


def fisher_interval(r: float, n: int, measure: str, confidence: float) -> Estimate:
    """The interval tanh(atanh(r) +- z s) for n independent pairs.

    s^2 = (1 + r^2 / 2) / (n - 3) for Spearman's rho (Bonett and Wright 2000), and
    0.437 / (n - 4) for Kendall's tau (Fieller, Hartley and Pearson 1957). A perfect
    correlation is taken as half a step of its scale below one: s says nothing there.
    """
    if measure == "spearman":
        free, half_step = n - 3, 6.0 / (n**3 - n)
        numerator = 1.0 + r**2 / 2.0
    else:
        free, half_step = n - 4, 2.0 / (n * (n - 1))
        numerator = 0.437
    if free < 1:
        return Estimate(r, note=f"{n} pairs: too few for an interval")
    inner = math.copysign(min(abs(r), 1.0 - half_step), r)
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0) * math.sqrt(numerator / free)
    low, high = (math.tanh(math.atanh(inner) + d) for d in (-z, z))
    return Estimate(r, min(low, r), max(high, r))
