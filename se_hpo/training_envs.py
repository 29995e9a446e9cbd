"""What an agent trains on: a synthetic environment or the task, with one interface."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from se_hpo.config import SyntheticEnvConfig
from se_hpo.synthetic_env import from_parameters
from se_hpo.tasks import TaskSpec, make_env


class Step(NamedTuple):
    """Outcome of one environment step."""

    next_state: np.ndarray
    """`obs_size`, float32."""
    reward: float
    done: float
    """What the replay buffer stores; (1 - done) multiplies the bootstrapped value."""
    ended: bool
    """The episode is over."""


class TrainingEnv(Protocol):
    """An environment as the training loop sees it."""

    def reset(self) -> np.ndarray:
        """Start an episode; returns the state, `obs_size`, float32."""

    def step(self, action: int) -> Step:
        """Take one step."""


class SyntheticTrainingEnv:
    """An SE: `done` is the raw output of its done net, also at the step limit."""

    def __init__(
        self, spec: TaskSpec, se: SyntheticEnvConfig, psi: np.ndarray, seed: int
    ) -> None:
        self._env = from_parameters(spec.id, se, psi)
        self._env.reset(seed=seed)
        self._max_steps, self._steps = spec.max_steps, 0

    def reset(self) -> np.ndarray:
        """Start an episode in a state of the task."""
        self._steps = 0
        return self._env.reset()[0]

    def step(self, action: int) -> Step:
        """Take one step; the episode ends at raw done > 0.5 or at the step limit."""
        state, reward, terminated, _, info = self._env.step(action)
        self._steps += 1
        ended = terminated or self._steps >= self._max_steps
        return Step(state, float(reward), info["raw_done"], ended)


class TaskTrainingEnv:
    """The task: `done` is 1 for termination, and for truncation as configured.

    Args:
        spec: the task.
        seed: seeds its initial states.
        truncation: `bootstrap` stores 0 for an episode cut by the step limit,
            `terminal` 1 (`AgentConfig.truncation`).
    """

    def __init__(self, spec: TaskSpec, seed: int, truncation: str) -> None:
        self._env = make_env(spec)
        self._env.reset(seed=seed)
        self._truncation_is_terminal = truncation == "terminal"

    def reset(self) -> np.ndarray:
        """Start an episode."""
        return np.asarray(self._env.reset()[0], np.float32)

    def step(self, action: int) -> Step:
        """Take one step."""
        state, reward, terminated, truncated, _ = self._env.step(action)
        done = terminated or (truncated and self._truncation_is_terminal)
        ended = bool(terminated or truncated)
        return Step(np.asarray(state, np.float32), float(reward), float(done), ended)
