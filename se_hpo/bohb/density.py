"""Product kernel density over numbers in [0, 1] and categorical indices.

The model of BOHB (Falkner et al. 2018, section 4.1), vectorized. Gaussian kernels for
numbers; for categoricals the kernel of Aitchison & Aitken (1976) over the *declared*
choices, so that a choice nobody has tried keeps a density. `fit_parzen` has the widths
and the uniform kernel of the tree-structured Parzen estimator (Bergstra et al. 2011),
as Optuna's multivariate sampler sets them (Watanabe 2023).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProductKernel:
    """A density that is the mean of product kernels around observations."""

    data: np.ndarray
    """Observations without NaN: `n x d`."""
    levels: np.ndarray
    """Choices of each categorical, 0 for a number: `d`, integers."""
    bandwidth: np.ndarray
    """Standard deviation of a number's kernel; probability of another choice: `d`."""
    prior: float = 0.0
    """Weight of a kernel that is uniform over the space; an observation's is 1."""

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Logarithm of the density at `points` (`m x d`): `m`."""
        # Every log kernel is a constant minus half a squared distance of features, so
        # that one matrix product serves all pairs of point and observation: `m x n`.
        x, y = self._features(points), self._features(self.data)
        log_kernel = x @ y.T
        log_kernel -= 0.5 * (x * x).sum(axis=1)[:, None]
        log_kernel -= 0.5 * (y * y).sum(axis=1)
        peak = log_kernel.max(axis=1, keepdims=True)
        np.exp(log_kernel - peak, out=log_kernel)
        density = peak[:, 0] + np.log(log_kernel.mean(axis=1)) + self._log_peak()
        if not self.prior:
            return density
        n, uniform = len(self.data), -np.log(self.levels[self.levels > 0]).sum()
        return np.logaddexp(np.log(n) + density, np.log(self.prior) + uniform) - np.log(
            n + self.prior
        )

    def _features(self, points: np.ndarray) -> np.ndarray:
        """Numbers in bandwidths; a scaled indicator of each choice: `m x features`."""
        numbers = self.levels == 0
        columns = [points[:, numbers] / self.bandwidth[numbers]]
        for j in np.flatnonzero(self.levels):
            k, h = self.levels[j], self.bandwidth[j]
            odds = np.log(
                (1.0 - h) * (k - 1) / h
            )  # of the same to another choice, >= 0
            same = points[:, j, None] == np.arange(k)
            columns.append(np.sqrt(max(odds, 0.0)) * same)
        return np.concatenate(columns, axis=1)

    def log_marginals(self, points: np.ndarray) -> np.ndarray:
        """As `log_density`, as if the columns knew nothing of each other: `m`."""
        n, total = len(self.data), np.zeros(len(points))
        for j, (k, h) in enumerate(zip(self.levels, self.bandwidth, strict=True)):
            x, y = points[:, j], self.data[:, j]
            if k:
                same = np.bincount(y.astype(np.int64), minlength=k)
                mass = same * (1.0 - h) + (n - same) * (h / (k - 1)) + self.prior / k
                mass = mass[x.astype(np.int64)]
            else:
                kernel = (x[:, None] - y) / h
                kernel *= kernel  # in place: there are `m x n`
                kernel *= -0.5
                np.exp(kernel, out=kernel)
                mass = kernel.sum(axis=1) / (h * np.sqrt(2.0 * np.pi)) + self.prior
            total += np.log(np.maximum(mass / (n + self.prior), 1e-12))
        return total

    def _log_peak(self) -> float:
        """Log kernel at an observation itself."""
        h, numbers = self.bandwidth, self.levels == 0
        normal = np.log(h[numbers] * np.sqrt(2.0 * np.pi)).sum()
        return float(np.log1p(-h[~numbers]).sum() - normal)

    def sample(
        self, rng: np.random.Generator, size: int, widening: float, crossed: float = 0
    ) -> np.ndarray:
        """Draw `size x d` points.

        Numbers come from the normal kernel, `widening` times as wide and truncated to
        [0, 1]; categoricals change their choice with the bandwidth as probability. A
        share `crossed` of the points has each column from another observation.
        """
        points = self.data[rng.integers(len(self.data), size=size)].copy()
        if crossed:
            rows = np.flatnonzero(rng.random(size) < crossed)
            parents = rng.integers(len(self.data), size=(len(rows), points.shape[1]))
            points[rows] = self.data[parents, np.arange(points.shape[1])]
        for j, (k, h) in enumerate(zip(self.levels, self.bandwidth, strict=True)):
            if k:
                other = (points[:, j] + rng.integers(1, k, size=size)) % k
                points[:, j] = np.where(rng.random(size) < h, other, points[:, j])
            else:
                points[:, j] = truncated_normal(rng, points[:, j], widening * h)
        if self.prior:
            share = self.prior / (len(self.data) + self.prior)
            unlike = rng.random(size) < share
            points[unlike] = uniform_points(rng, int(unlike.sum()), self.levels)
        return points


def fit_kernel(
    data: np.ndarray, levels: np.ndarray, min_bandwidth: float
) -> ProductKernel:
    """Bandwidths by the normal reference rule, 1.06 spread n^(-1 / (4 + d)).

    A categorical's bandwidth ends at (k - 1) / k, where its kernel is uniform.
    """
    n, d = data.shape
    widest = np.where(levels > 0, (levels - 1) / np.maximum(levels, 1), np.inf)
    bandwidth = 1.06 * _spread(data, levels) * n ** (-1.0 / (4 + d))
    return ProductKernel(data, levels, np.clip(bandwidth, min_bandwidth, widest))


def fit_parzen(
    data: np.ndarray, levels: np.ndarray, min_bandwidth: float
) -> ProductKernel:
    """Widths that depend on how many observations there are, not on how they lie.

    A number's is n^(-1 / (4 + d)) / 5, at least 1 / (n + 2) and 1 / 100; a choice is
    counted once per observation and 1 / n times more for each choice declared. A
    uniform kernel weighs as much as one observation.
    """
    n, d = data.shape
    number = max(0.2 * n ** (-1.0 / (4 + d)), 1.0 / min(100, n + 2), min_bandwidth)
    other = (levels - 1) / (n + levels)
    bandwidth = np.where(levels > 0, other, number)
    return ProductKernel(data, levels, bandwidth, prior=1.0)


def uniform_points(
    rng: np.random.Generator, size: int, levels: np.ndarray
) -> np.ndarray:
    """Draw `size x d` points that know of no observation."""
    points = rng.random((size, len(levels)))
    return np.where(levels > 0, np.floor(points * levels), points)


def _spread(data: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Standard deviation of numbers; its analogue for categoricals.

    That is the root of half the Gini impurity: equal to the standard deviation for two
    choices, and independent of the order in which more of them are declared.
    """
    spread = np.std(data, axis=0)
    for j in np.flatnonzero(levels):
        shares = np.bincount(data[:, j].astype(np.int64), minlength=levels[j])
        spread[j] = np.sqrt(0.5 * (1.0 - np.sum((shares / len(data)) ** 2)))
    return spread


def truncated_normal(
    rng: np.random.Generator, mean: np.ndarray, std: float
) -> np.ndarray:
    """Normal numbers around `mean` in [0, 1], redrawn until they fall into [0, 1]."""
    # A mean in [0, 1] and std <= 1.6 (widening 3, bandwidth <= 0.53) accept at least
    # every fifth draw; the loop ends after a few dozen rounds at worst.
    x = rng.normal(mean, std)
    while (outside := (x < 0.0) | (x > 1.0)).any():
        x[outside] = rng.normal(mean[outside], std)
    return x


def impute(
    data: np.ndarray, levels: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Fill inactive entries (NaN) from observations in which they were active.

    An entry that was never active is drawn uniformly. Columns of `n x d` are filled one
    by one, so that what is imputed carries the marginal and no false correlation.
    """
    filled = data.copy()
    for j in range(data.shape[1]):
        missing = np.isnan(data[:, j])
        if not (count := int(missing.sum())):
            continue
        known = data[~missing, j]
        if len(known):
            filled[missing, j] = rng.choice(known, size=count)
        elif levels[j]:
            filled[missing, j] = rng.integers(levels[j], size=count)
        else:
            filled[missing, j] = rng.random(count)
    return filled
