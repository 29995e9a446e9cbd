"""How a gradient estimate becomes a step; what an optimizer remembers is in its state.

A strategy that takes one is given it as an object, and keeps its arrays in its own
state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

Arrays = dict[str, np.ndarray]


class Optimizer(Protocol):
    """Steps uphill, along gradients of `n` numbers."""

    def init(self, n: int) -> Arrays:
        """What it remembers before the first step."""

    def step(
        self, state: Mapping[str, np.ndarray], gradient: np.ndarray
    ) -> tuple[Arrays, np.ndarray]:
        """What it remembers afterwards, and the step."""


@dataclass(frozen=True)
class Adam:
    """Kingma and Ba 2015, Algorithm 1; its constants are the paper's."""

    step_size: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def init(self, n: int) -> Arrays:
        """Both moments 0, after no step."""
        zeros = np.zeros(n)
        return {"adam_m": zeros, "adam_v": zeros, "adam_t": np.zeros(1, np.int64)}

    def step(
        self, state: Mapping[str, np.ndarray], gradient: np.ndarray
    ) -> tuple[Arrays, np.ndarray]:
        """Along the mean gradient, in units of its root mean square."""
        t = state["adam_t"] + 1
        m = self.beta_1 * state["adam_m"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * state["adam_v"] + (1 - self.beta_2) * gradient**2
        mean = m / (1 - self.beta_1 ** int(t[0]))
        square = v / (1 - self.beta_2 ** int(t[0]))
        step = self.step_size * mean / (np.sqrt(square) + self.epsilon)
        return {"adam_m": m, "adam_v": v, "adam_t": t}, step
