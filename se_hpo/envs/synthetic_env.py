"""The synthetic environment as a Gymnasium environment.

Ferreira et al. (2022), section 4: an agent trains on it instead of the task; initial
states come from the task.
"""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.spaces import Box, Discrete

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.rendering import MODE, StateRenderer
from se_hpo.envs.se_net import FusedNets, se_net
from se_hpo.envs.tasks import TaskSpec, make_env

DONE_THRESHOLD = 0.5
"""An episode ends when the raw done output exceeds this."""


def se_spaces(task: TaskSpec) -> tuple[Box, Discrete]:
    """Observation and action space of a task's SE."""
    observations = Box(-np.inf, np.inf, (task.obs_size,), np.float32)
    return observations, Discrete(task.n_actions)


class SyntheticEnv(gymnasium.Env[np.ndarray, np.intp]):
    """A learned stand-in for a task, on which agents train in fewer steps.

    ### Action space
    As in the task: `Discrete(n_actions)`.

    ### Observation space
    `Box(-inf, inf, (obs_size,), float32)`. The numbers play the part of the task's
    (for CartPole: position, velocity, angle, angular velocity), but nothing bounds
    them, and their units are the network's own.

    ### Rewards
    The reward net's output, any float; its scale is not the task's, so that returns of
    the two cannot be compared.

    ### Starting state
    Drawn from the task with `np_random`, reproducible with `reset(seed=...)`.
    Everything after it is deterministic.

    ### Episode end
    Terminated when the raw done output exceeds 0.5. Truncated at the task's step limit
    by the wrapper that `gymnasium.make` adds.

    ### Info
    `step` gives `raw_done`: an agent of the paper bootstraps with `1 - raw_done`.

    ### Arguments
    `checkpoint`: a file that `se_hpo.envs.checkpoint.save_se` wrote, or a
    `SECheckpoint`. `render_mode`: `rgb_array` draws states as the task does, where it
    can.

    ```python
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint="se.safetensors")
    ```

    ### Version history
    Ids carry the name of the task with its version.
    """

    metadata: dict[str, Any] = {"render_modes": [MODE], "render_fps": 30}  # noqa: RUF012

    def __init__(
        self,
        task: str | None = None,
        checkpoint: SECheckpoint | Path | str | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the SE of `task` (an id; None: the checkpoint's) from a checkpoint.

        Raises:
            UserError: as `se_net.se_net`, or `StateRenderer`.
        """
        self.render_mode = render_mode
        self.task, self.net = se_net(task, checkpoint)
        self.observation_space, self.action_space = se_spaces(self.task)
        self._nets = FusedNets(self.net)
        self._task_env = make_env(self.task)
        self._renderer = render_mode and StateRenderer(self.task, render_mode)
        self._ready = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in a state of the task.

        Args:
            seed: seeds the task's generator of initial states.
            options: handed to the task.

        Returns:
            The observation `obs_size` and an empty dict.
        """
        observation, _ = self._task_env.reset(seed=seed, options=options)
        self._np_random = self.np_random  # where Gymnasium's check_env looks for it
        state = self._nets.state
        state[:] = observation
        self._ready = True
        return state.copy(), {}

    def step(
        self, action: np.intp | int
    ) -> tuple[np.ndarray, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take one step; reset first once it returned `terminated`.

        Raises:
            InvalidAction: `action` is not in the action space.
            ResetNeeded: the environment was never reset.
        """
        if not self._ready:
            raise ResetNeeded(f"{self}: call reset before step")
        try:
            index = int(operator.index(action))  # NumPy takes True for a mask
        except TypeError:
            index = -1
        if not 0 <= index < self.task.n_actions:  # NumPy would take -1 as the last
            raise InvalidAction(f"{action!r} is not in {self.action_space}")
        nets = self._nets
        nets.one_hot.fill(0)
        nets.one_hot[index] = 1
        output = nets.step()
        reward, raw_done = output.item(-2), output.item(-1)
        terminated = raw_done > DONE_THRESHOLD
        return output[:-2], reward, terminated, False, {"raw_done": raw_done}

    def render(self) -> np.ndarray | None:
        """The state drawn as the task draws its own; None without a render mode."""
        return self._renderer.draw(self._nets.state) if self._renderer else None

    def close(self) -> None:
        """Close the task environment that gives the initial states, and what draws."""
        self._task_env.close()
        if self._renderer:
            self._renderer.close()

    @property
    def np_random(self) -> np.random.Generator:
        """The generator of initial states: the task's."""
        return self._task_env.unwrapped.np_random

    @np_random.setter
    def np_random(self, value: np.random.Generator) -> None:
        self._task_env.unwrapped.np_random = value

    @property
    def np_random_seed(self) -> int:
        """The seed of `np_random`, -1 if that was set."""
        return self._task_env.unwrapped.np_random_seed
