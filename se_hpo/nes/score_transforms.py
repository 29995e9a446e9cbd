"""Scores of a population -> update weights, by name.

The first eight are those of the paper's appendix and code (types 0 to 7, in this
order); `centered_rank` is Salimans et al. 2017. Rank 1 is the best score, P the
population; tied scores share the mean of their ranks. Weights multiply the members'
perturbations in a strategy's update.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from se_hpo.errors import UserError, did_you_mean

ScoreTransform = Callable[[np.ndarray, float], np.ndarray]
"""`(scores: P, baseline: mean score of the unperturbed SE) -> weights: P`."""

BETTER_BY = 1e-6  # how much a score must exceed the baseline to count as better


def descending_ranks(scores: np.ndarray) -> np.ndarray:
    """Rank 1 for the highest; ties share their mean (scipy's takes long to import)."""
    _, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _divided(values: np.ndarray, by: float) -> np.ndarray:
    """`values / by`; all zero where there is nothing to tell members apart by."""
    return values / by if by > 0 else np.zeros_like(values)


def linear(scores: np.ndarray, baseline: float) -> np.ndarray:
    """Worst 0, best 1, linear between; all 0 where all are equal."""
    return (scores - scores.min()) / (scores.max() - scores.min() + 1e-9)


def rank(scores: np.ndarray, baseline: float) -> np.ndarray:
    """Worst 0, best 1, equidistant by rank."""
    if len(scores) == 1:
        return np.ones(1)
    return (len(scores) - descending_ranks(scores)) / (len(scores) - 1)


def _utilities(scores: np.ndarray) -> np.ndarray:
    """Wierstra et al. 2014, section 3.1, before the subtraction of 1/P: sum 1."""
    ranks = descending_ranks(scores)
    utilities = np.maximum(0.0, np.log(len(scores) / 2 + 1) - np.log(ranks))
    return utilities / utilities.sum()


def nes(scores: np.ndarray, baseline: float) -> np.ndarray:
    """NES utilities, zero-sum, scaled so that the best weight is 1."""
    utilities = _utilities(scores) - 1 / len(scores)
    largest = utilities.max()
    return _divided(utilities, largest if largest > 1e-12 else 0.0)


def nes_unnormalized(scores: np.ndarray, baseline: float) -> np.ndarray:
    """NES utilities without the 1/P: best 1, lower half 0, always moves."""
    utilities = _utilities(scores)
    return utilities / utilities.max()


def single_best(scores: np.ndarray, baseline: float) -> np.ndarray:
    """1 for the best (the first of several), 0 for all others."""
    weights = np.zeros(len(scores))
    weights[np.argmax(scores)] = 1.0
    return weights


def single_better(scores: np.ndarray, baseline: float) -> np.ndarray:
    """As `single_best` if the best exceeds the baseline, else all 0."""
    if scores.max() > baseline + BETTER_BY:
        return single_best(scores, baseline)
    return np.zeros(len(scores))


def _advantages(scores: np.ndarray, baseline: float) -> np.ndarray:
    better = scores > baseline + BETTER_BY
    if not better.any():
        return np.zeros(len(scores))
    return np.where(better, scores - baseline, 0.0) / (scores.max() - baseline + 1e-9)


def all_better(scores: np.ndarray, baseline: float) -> np.ndarray:
    """Advantage over the baseline where positive, scaled so that the best is 1."""
    weights = _advantages(scores, baseline)
    return _divided(weights, weights.max())


def all_better_sum(scores: np.ndarray, baseline: float) -> np.ndarray:
    """Advantage over the baseline where positive, scaled so that the sum is 1."""
    weights = _advantages(scores, baseline)
    return _divided(weights, weights.sum())


def centered_rank(scores: np.ndarray, baseline: float) -> np.ndarray:
    """Worst -0.5, best 0.5, equidistant by rank (Salimans et al. 2017)."""
    return rank(scores, baseline) - 0.5 if len(scores) > 1 else np.zeros(1)


_ALL = (linear, rank, nes, nes_unnormalized, single_best, single_better, all_better)
TRANSFORMS: dict[str, ScoreTransform] = {
    function.__name__: function for function in (*_ALL, all_better_sum, centered_rank)
}


def transform_scores(name: str, scores: np.ndarray, baseline: float) -> np.ndarray:
    """Weights of a population.

    Args:
        name: a key of `TRANSFORMS`.
        scores: `P`, finite.
        baseline: mean score of the unperturbed SE.

    Raises:
        UserError: unknown name, no scores, or a score that is not finite.

    >>> transform_scores("rank", np.array([3.0, 1.0, 3.0]), 0.0).tolist()
    [0.75, 0.0, 0.75]
    """
    if name not in TRANSFORMS:
        hint = did_you_mean(name, TRANSFORMS)
        raise UserError(f"unknown score transform {name!r}: {hint}")
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores) or not np.isfinite(scores).all():
        raise UserError(f"scores must be a non-empty finite vector, not {scores}")
    return TRANSFORMS[name](scores, float(baseline))
