"""What an evaluation costs, by its configuration: a linear model of log seconds.

Population, network size and episodes multiply what a run costs, so that the logarithm
is nearly linear in them, where they are on a log scale all the more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_PENALTY = 1.0  # of squared coefficients: as much as one observation says


@dataclass
class CostModel:
    """Learns from finished evaluations; predicts cost relative to the budget's mean."""

    levels: np.ndarray
    """As `ProductKernel.levels`."""
    _seen: dict[float, list[tuple[np.ndarray, float]]] = field(default_factory=dict)
    _fitted: tuple[int, np.ndarray] | None = None

    def add(self, vector: np.ndarray, budget: float, seconds: Any) -> None:
        """Take what an evaluation cost; ignores what is no number above 0."""
        known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if known and 0 < seconds < math.inf:
            self._seen.setdefault(budget, []).append((vector, math.log(seconds)))

    def log_cost(self, points: np.ndarray) -> np.ndarray:
        """Log of the cost over the geometric mean at the same budget: `m`."""
        predicted: np.ndarray = self._features(points) @ self._coefficients()
        return predicted

    def _coefficients(self) -> np.ndarray:
        """Ridge regression, anew only after new observations."""
        n = sum(map(len, self._seen.values()))
        if self._fitted is None or self._fitted[0] != n:
            vectors, excess = [np.empty((0, len(self.levels)))], [np.empty(0)]
            for known in self._seen.values():
                logs = np.array([log for _, log in known])
                vectors.append(np.array([vector for vector, _ in known]))
                excess.append(logs - logs.mean())
            x = self._features(np.concatenate(vectors))
            gram = x.T @ x + _PENALTY * np.eye(x.shape[1])
            found = np.linalg.solve(gram, x.T @ np.concatenate(excess))
            self._fitted = (n, found)
        return self._fitted[1]

    def _features(self, points: np.ndarray) -> np.ndarray:
        """Numbers around 0, indicators of choices; 0 for what is inactive."""
        columns = [np.nan_to_num(points[:, self.levels == 0] - 0.5)]
        columns += [
            (points[:, j, None] == np.arange(self.levels[j])).astype(float)
            for j in np.flatnonzero(self.levels)
        ]
        return np.concatenate(columns, axis=1)
