"""Where Stable-Baselines3's agents live: an environment and random numbers of ours."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box, Discrete


class Over(Exception):  # noqa: N818 - no error
    """All steps are done."""


class CountedEnv(gymnasium.Env[np.ndarray, Any]):
    """A `TrainingEnv`, once there is one, as Gymnasium has it; for so many steps."""

    inner: Any = None

    def __init__(
        self, obs_size: int, n_actions: int, steps: int, continuous: bool
    ) -> None:
        self.observation_space = Box(-np.inf, np.inf, (obs_size,), np.float32)
        self.action_space = (
            Box(-1, 1, (n_actions,), np.float32) if continuous else Discrete(n_actions)
        )
        self.steps_left, self._continuous = steps, continuous

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; the environment was seeded when it was made."""
        return self.inner.reset(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one step; `done` is what a replay buffer is to hold."""
        if self.steps_left <= 0:
            raise Over
        step = self.inner.step(action if self._continuous else int(action))
        self.steps_left -= step.env_steps
        truncated, info = step.ended and not step.terminated, {"done": step.done}
        return step.next_state, step.reward, step.terminated, truncated, info


class Generators:
    """Those of the process, from which Stable-Baselines3 draws: in a state of our own.

    Outside of `own` nobody sees that something was drawn.
    """

    def __init__(self) -> None:
        self._state: _State | None = None

    @contextlib.contextmanager
    def own(self) -> Iterator[None]:
        """Go on from where the last `own` ended; no warning is shown."""
        before = _state()
        if self._state:
            _restore(self._state)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self._state = _state()
            _restore(before)


_State = tuple[Any, Any, torch.Tensor]


def _state() -> _State:
    numpys = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpys, torch.get_rng_state()


def _restore(state: _State) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])  # noqa: NPY002
    torch.set_rng_state(state[2])
