"""What the inner loop asks of an agent."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

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


@runtime_checkable
class SelfTrained(Protocol):
    """An agent that brings its own training loop, and `act_greedily` for the tests."""

    def train_on(self, env: Any) -> str:
        """Train on a `TrainingEnv`, which counts; returns why it ended.

        That is a name in `names.STOP_REASONS`.

        Raises:
            DivergedError: something is not finite; whatever `env` raises goes through.
        """
