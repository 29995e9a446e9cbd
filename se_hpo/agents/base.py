"""What the inner loop asks of an agent."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class DivergedError(ArithmeticError):
    """NaN or infinity where a number is needed; ends the training of that agent."""


class Agent(Protocol):
    """An off-policy learner for Box observations and discrete actions."""

    def start_episode(self, episode: int) -> None:
        """Prepare for a training episode; they count from 0."""

    def act(self, state: np.ndarray) -> int:
        """The action of a training step, exploring. `state`: `obs_size`, float32."""

    def act_greedily(self, state: np.ndarray) -> int:
        """The best action, without exploring.

        Raises:
            DivergedError: the values of the actions are not finite.
        """

    def remember(
        self,
        state: np.ndarray,
        action: int,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Store a transition. `done` may be any number: (1 - done) bootstraps."""

    def update(self) -> None:
        """One gradient update.

        Raises:
            DivergedError: the loss is not finite.
        """
