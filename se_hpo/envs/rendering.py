"""States of an SE drawn by the task's own renderer, where the task can draw a state.

An SE's states play the part of the task's: drawn, they show what agents are shown. What
no task would give, a cart beside the track say, is drawn as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from se_hpo.envs.scaling import unscaled_observation
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError

MODE = "rgb_array"
_FARTHEST = 50.0
"""Of any number of a state: pixels are 16-bit numbers."""


def _acrobot(seen: np.ndarray) -> np.ndarray:
    cos1, sin1, cos2, sin2, *speeds = seen
    return np.array([np.arctan2(sin1, cos1), np.arctan2(sin2, cos2), *speeds])


def _pendulum(seen: np.ndarray) -> np.ndarray:
    return np.array([np.arctan2(seen[1], seen[0]), seen[2]])


STATE_OF: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "CartPole-v1": np.array,
    "Acrobot-v1": _acrobot,
    "MountainCar-v0": np.array,
    "MountainCarContinuous-v0": np.array,
    "Pendulum-v1": _pendulum,
}
"""Gymnasium's id -> the `state` of the environment that one observation is of."""


class StateRenderer:
    """Draws observations of a task; a copy or pickle makes its own window.

    Raises:
        UserError: another mode, or a task that cannot draw a given state.
    """

    def __init__(self, task: TaskSpec, mode: str) -> None:
        if mode != MODE:
            raise UserError(f"render_mode {mode!r}: give {MODE!r}, or none")
        if task.gymnasium_id not in STATE_OF:
            known = ", ".join(STATE_OF)
            raise UserError(f"states of {task.id} cannot be drawn: only of {known}")
        self._id, self._scale = task.gymnasium_id, task.scale
        self._env: Any = None

    def draw(self, observation: np.ndarray) -> np.ndarray:
        """A picture, `height x width x 3`, uint8.

        Raises:
            gymnasium.error.DependencyNotInstalled: pygame is missing; says how to get
                it.
        """
        if self._env is None:
            self._env = gymnasium.make(self._id, render_mode=MODE)
            self._env.reset(seed=0)
        seen = np.asarray(observation, np.float64)
        if self._scale:
            seen = unscaled_observation(seen, self._scale)
        state = np.nan_to_num(seen, posinf=0, neginf=0)
        self._env.unwrapped.state = np.clip(
            STATE_OF[self._id](state), -_FARTHEST, _FARTHEST
        )
        picture: np.ndarray = self._env.render()
        return picture

    def close(self) -> None:
        """Close what draws, if anything was drawn."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_env": None}
