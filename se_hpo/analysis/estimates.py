"""Statistics of weighted samples, and their intervals from whole clusters drawn anew.

Agents trained on the same SE share its luck, so that a sample of 40 SEs with 10 agents
each is nearer to 40 independent values than to 400. The bootstrap here therefore draws
SEs (clusters) with replacement and keeps all agents of each. A resample is a row of
weights: how often each agent is in it. Every statistic takes such rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from se_hpo.errors import UserError
from se_hpo.seeding import generator

Statistic = Callable[[np.ndarray], np.ndarray]
"""Weights (resamples, values) -> one number per resample."""

FEW_CLUSTERS = 5
"""Below this, a bootstrap interval is given, but called rough: it is too narrow, as
resamples cannot leave the range of the clusters. Nothing is concluded from so few."""

LEAST_CLUSTERS = 3
"""Below this there is no interval."""


@dataclass(frozen=True)
class Estimate:
    """A number, its interval, and why either is missing or weak."""

    value: float
    """NaN where it is not defined."""
    low: float | None = None
    """Lower end of the interval; None where there is none."""
    high: float | None = None
    note: str = ""
    """Empty, or one phrase on what is missing or weak."""

    def columns(self, name: str) -> dict[str, float]:
        """`name`, `name_low`, `name_high`, with NaN for None.

        >>> Estimate(1.0, 0.5, 2.0).columns("mean")
        {'mean': 1.0, 'mean_low': 0.5, 'mean_high': 2.0}
        """
        low, high = (math.nan if x is None else x for x in (self.low, self.high))
        return {name: self.value, f"{name}_low": low, f"{name}_high": high}


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made; the same seed gives the same resamples."""

    seed: int = 0
    n_resamples: int = 2000
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.n_resamples < 1:
            raise UserError(f"n_resamples = {self.n_resamples}: must be >= 1")
        if not 0 < self.confidence < 1:
            raise UserError(f"confidence = {self.confidence}: must be in (0, 1)")

    def quantiles(self, values: np.ndarray, n_drawn: int) -> tuple[float, float]:
        """Both ends of the expanded percentile interval of the finite `values`.

        Quantiles of resamples of `n_drawn` are too narrow by what a normal interval
        with divisor n in place of Student's t is; the tails are those that make up for
        it (Hesterberg 2015, "What Teachers Should Know About the Bootstrap").
        """
        from scipy.special import ndtr, stdtrit  # slow to import

        student = stdtrit(n_drawn - 1, (1.0 - self.confidence) / 2)
        tail = float(ndtr(math.sqrt(n_drawn / (n_drawn - 1)) * student))
        low, high = np.quantile(values[np.isfinite(values)], [tail, 1.0 - tail])
        return float(low), float(high)

    def generator(self, name: str) -> np.random.Generator:
        """The source of randomness for one purpose."""
        return generator(self.seed, "analysis", name)


class Clusters:
    """Resamples of one set of agents, shared by all statistics of it."""

    def __init__(self, labels: Sequence[object] | np.ndarray, how: Bootstrap) -> None:
        """Draw the resamples; `labels` has the cluster of each value."""
        self.how = how
        names, codes = np.unique(np.asarray(labels), return_inverse=True)
        self.n_clusters, self.n_values = len(names), len(codes)
        self.weights = self._draw(codes)

    def _draw(self, codes: np.ndarray) -> np.ndarray:
        """Weights of shape (n_resamples, n_values); multinomial counts of clusters."""
        if self.n_clusters < LEAST_CLUSTERS:
            return np.ones((0, self.n_values))
        equal = np.full(self.n_clusters, 1.0 / self.n_clusters)
        rng = self.how.generator("clusters")
        counts = rng.multinomial(self.n_clusters, equal, size=self.how.n_resamples)
        return counts[:, codes].astype(float)

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic of all values, with its percentile interval."""
        if self.n_values == 0:
            return Estimate(math.nan, note="no agents")
        with np.errstate(invalid="ignore", divide="ignore"):
            value = float(statistic(np.ones((1, self.n_values)))[0])
            resampled = statistic(self.weights) if len(self.weights) else np.empty(0)
        if not math.isfinite(value):
            return Estimate(math.nan, note="not defined for these values")
        if self.n_clusters < LEAST_CLUSTERS:
            few = ("", "one SE", "two SEs")[self.n_clusters]
            return Estimate(value, note=f"{few}: no interval")
        if not np.isfinite(resampled).any():
            return Estimate(value, note="no interval: no resample has a value")
        few = f"only {self.n_clusters} SEs: intervals are too narrow"
        note = few * (self.n_clusters < FEW_CLUSTERS)
        return Estimate(value, *self.how.quantiles(resampled, self.n_clusters), note)


def mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean per row of weights."""
    return (weights @ values) / weights.sum(axis=1)


def std(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sample standard deviation (divisor N - 1) per row of weights."""
    centered = values - values.mean()  # else squares lose digits for large values
    total = weights.sum(axis=1)
    variance = weights @ centered**2 / total - mean(centered, weights) ** 2
    return np.sqrt(np.maximum(variance, 0.0) * total / (total - 1.0))


def interquartile_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the middle half: floor(N / 4) values are cut off at either end.

    Agarwal et al. (2021), "Deep RL at the Edge of the Statistical Precipice"; equals
    `scipy.stats.trim_mean(values, 0.25)` for weights of one.
    """
    total = weights.sum(axis=1)
    cut = np.floor(0.25 * total)
    return mean_of_ranks(values, weights, cut, total - cut)


def worst_decile(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the lowest tenth, ceil(N / 10) values."""
    total = weights.sum(axis=1)
    return mean_of_ranks(values, weights, np.zeros_like(total), np.ceil(total / 10.0))


def mean_of_ranks(
    values: np.ndarray, weights: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """Mean of the order statistics first + 1 to last of each weighted sample."""
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weights[:, order], axis=1)
    inside = np.clip(up_to, first[:, None], last[:, None])
    kept = np.diff(inside, axis=1, prepend=first[:, None])
    return (kept @ values[order]) / (last - first)


def improvement(ours: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """1 where ours is better, 1/2 where equal, 0 where worse.

    The mean estimates the probability of improvement, P(X > Y) + P(X = Y) / 2 (Agarwal
    et al. 2021).
    """
    return np.where(ours == baseline, 0.5, ours > baseline)
