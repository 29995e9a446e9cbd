"""What the inner loop asks of an agent."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np


class DivergedError(ArithmeticError):
    """NaN or infinity where a number is needed; ends the training of that agent."""


Action = int | np.ndarray


class Agent(Protocol):
    """A learner for vectors as observations.

    An action is the number of a discrete one, or where the task is continuous a
    float32 vector of its numbers, in [-1, 1].
    """

    def start_episode(self, episode: int) -> None:
        """Prepare for a training episode; they count from 0."""

    def act(self, state: np.ndarray) -> Action:
        """The action of a training step, exploring. `state`: `obs_size`, float32."""

    def act_greedily(self, state: np.ndarray) -> Action:
        """The best action, without exploring.

        Raises:
            DivergedError: the values of the actions are not finite.
        """

    def remember(
        self,
        state: np.ndarray,
        action: Any,
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
class SeesEnds(Protocol):
    """An agent that is told of the ends of its training episodes."""

    def end_episode(self, truncated: bool) -> None:
        """After the last step, which is remembered and learned from.

        `truncated`: a limit cut the episode, it did not terminate.
        """


@runtime_checkable
class Scheduled(Protocol):
    """An agent that explores less and less in a training of a known length."""

    def at_step(self, step: int, total: int) -> None:
        """Before training step `step` of `total`, from 0; overrules the episodes."""


@runtime_checkable
class Storable(Protocol):
    """An agent that can be saved."""

    acts_by: str
    """Name of the attribute that decides how it acts: a torch module, or an array, that
    the constructor makes with its shapes."""


@runtime_checkable
class SelfTrained(Protocol):
    """An agent that brings its own training loop, and `act_greedily` for the tests."""

    def train_on(self, env: Any) -> str:
        """Train on a `TrainingEnv`, which counts; returns why it ended.

        That is a name in `names.STOP_REASONS`.

        Raises:
            DivergedError: something is not finite; whatever `env` raises goes through.
        """
