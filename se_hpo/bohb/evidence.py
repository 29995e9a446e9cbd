"""What a model is fitted to, and the two densities that come of it."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from se_hpo.bohb.density import ProductKernel

_LOG_FLOOR = math.log(1e-32)  # densities below this one count as equally absent


@dataclass(frozen=True)
class Model:
    """Densities of the good configurations and of the rest."""

    good: ProductKernel
    bad: ProductKernel
    n: int
    """Results at all budgets when it was fitted."""


def log_ratio(model: Model, points: np.ndarray) -> np.ndarray:
    """Logarithm of the ratio of good to bad density."""
    good, bad = model.good.log_density(points), model.bad.log_density(points)
    ratio: np.ndarray = np.maximum(good, _LOG_FLOOR) - np.maximum(bad, _LOG_FLOOR)
    return ratio


@dataclass
class Results:
    """What is known at one budget, in order of arrival."""

    vectors: list[np.ndarray] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    model: Model | None = None


def pooled(results: Mapping[float, Results]) -> tuple[np.ndarray, np.ndarray]:
    """Every configuration once, with the loss it would have at the largest budget.

    From one budget to the next a loss changes by what it changed by, on average, for
    the configurations with a result at both, and as if one more had not changed. What
    has failed stays worst.

    Returns:
        Vectors (`n x d`), losses (`n`).
    """
    ladder = sorted(results)
    seen: dict[bytes, tuple[int, float, np.ndarray]] = {}
    steps: list[list[float]] = [[] for _ in ladder]
    for rung, budget in enumerate(ladder):
        known = results[budget]
        for vector, loss in zip(known.vectors, known.losses, strict=True):
            below, before, _ = seen.get(vector.tobytes(), (-2, 0.0, vector))
            if below == rung - 1 and max(abs(loss), abs(before)) < sys.float_info.max:
                steps[below].append(loss - before)
            seen[vector.tobytes()] = (rung, loss, vector)
    change = [sum(step) / (len(step) + 1) for step in steps]
    rest = [*itertools.accumulate(reversed(change))][::-1]
    found = list(seen.values())
    losses = np.array([loss + rest[rung] for rung, loss, _ in found])
    return np.array([vector for *_, vector in found]), losses
