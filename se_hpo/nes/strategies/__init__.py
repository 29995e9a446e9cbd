"""Evolution strategies: ask and tell over a state that is saved as it is.

One strategy per file, by the names in `registries.STRATEGIES`. `P` is the population,
`n` the number of SE parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from se_hpo.config.nes_config import NESConfig
from se_hpo.registries import STRATEGIES

State = dict[str, np.ndarray]
"""What a strategy needs for its next generation; `psi` is the center, float32: `n`.
Any other name but `best_psi` may be there."""


@dataclass(frozen=True)
class Update:
    """What `tell` did, for the log."""

    weights: np.ndarray
    """Weight of each direction, so a kept -eps has its sign: `P`."""
    step_norm: float
    """Euclidean norm of the change of psi."""


class Strategy(ABC):
    """A strategy with its settings; all that changes is in the state.

    By default members are pairs psi +- eps with eps ~ N(0, noise_std^2 I).
    """

    def __init__(self, config: NESConfig) -> None:
        self.config = config

    @property
    def n_signs(self) -> int:
        """Members evaluated per direction: +eps, and -eps where it is 2."""
        return 2

    def init(self, psi: np.ndarray) -> State:
        """The state before the first generation."""
        return {"psi": psi}

    def ask(self, state: State, rng: np.random.Generator) -> np.ndarray:
        """What to add to the center, float32: `P x n_signs x n`, +eps first."""
        shape = (self.config.population, len(state["psi"]))
        noise = rng.standard_normal(shape, dtype=np.float32)
        directions = noise * np.float32(self.config.noise_std)
        signs = np.array([1, -1][: self.n_signs], dtype=np.float32)
        return signs[:, None] * directions[:, None, :]

    def tell(
        self,
        state: State,
        perturbations: np.ndarray,
        scores: np.ndarray,
        baseline: float,
    ) -> tuple[State, Update]:
        """The state after one update.

        Args:
            state: the state that `ask` was given.
            perturbations: as `ask` returned them: `P x n_signs x n`.
            scores: score of each member: `P x n_signs`; what is not finite is worst.
            baseline: mean center score.
        """
        scores = finite_scores(np.asarray(scores, np.float64))
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is the caller's
            new, weights = self.update(state, perturbations, scores, baseline)
            moved = np.linalg.norm(new["psi"].astype(np.float64) - state["psi"])
        return new, Update(weights, float(moved))

    @abstractmethod
    def update(
        self,
        state: State,
        perturbations: np.ndarray,
        scores: np.ndarray,
        baseline: float,
    ) -> tuple[State, np.ndarray]:
        """As `tell`, from finite scores: the new state and the directions' weights."""


def make_strategy(config: NESConfig) -> Strategy:
    """The strategy that a configuration names, with its settings."""
    strategy: Strategy = STRATEGIES[config.strategy](config)
    return strategy


def finite_scores(scores: np.ndarray) -> np.ndarray:
    """Scores with NaN and inf just below the worst, so that they never win.

    >>> finite_scores(np.array([np.nan, 3.0, 1.0])).argsort().tolist()
    [0, 2, 1]
    """
    finite = np.isfinite(scores)
    worst = scores[finite].min() if finite.any() else 0.0
    return np.where(finite, scores, np.nextafter(worst, -np.inf))


def weighted_sum(weights: np.ndarray, perturbations: np.ndarray) -> np.ndarray:
    """Sum over directions of weight times +eps: `n`.

    Not a BLAS product: its sum order, hence the last bit, varies between machines.
    """
    step: np.ndarray = (weights[:, None] * perturbations[:, 0]).sum(axis=0)
    return step
