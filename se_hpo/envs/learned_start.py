"""Synthetic environments that learn where episodes start, for Gymnasium. No torch.

Liesen et al. (2024, arXiv 2406.12589): `one_step` and `mdp_learned_start`. With z drawn
from N(0, I) of an observation's size, a an action (one-hot, or a continuous one itself)
and s the state:

- reset: s0 = init(z);
- step of `one_step`: reward(a, s0), and the episode is over;
- step of `mdp_learned_start`: s' = s + state(a, s), reward(a, s), terminated where
  done(s') > 0.5, truncated at `max_steps`.
"""

from __future__ import annotations

import math
import operator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.spaces import Box, Discrete

from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.learned import kind_of
from se_hpo.envs.numpy_mlp import NumpyMLP, silent
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.rendering import MODE, StateRenderer
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError

DONE_THRESHOLD = 0.5
"""An episode ends when the raw done output exceeds this."""
_LOW, _HIGH = np.float32(-1), np.float32(1)


class LearnedStartNets:
    """The networks, for one state or for a row per copy."""

    def __init__(
        self, task: str | None, checkpoint: SECheckpoint | Path | str | None
    ) -> None:
        """Take the networks of a checkpoint for `task` (None: the checkpoint's).

        Raises:
            UserError: no fitting checkpoint, or one whose episodes start in the task.
        """
        self.task, opened = open_checkpoint(task, checkpoint, "synthetic environment")
        config, kind = opened.se_config, kind_of(opened.se_config)
        kind.check_actions(self.task.id, self.task.continuous)
        sizes = config, self.task.obs_size, self.task.n_actions
        arrays: dict[str, list[np.ndarray]] = {}
        for name, values in split_psi(opened.psi, *sizes):
            arrays.setdefault(name.partition(".")[0], []).append(values)
        if "init" not in arrays:
            raise UserError(
                f"a {kind.label} has no learned initial states: make it by "
                'gymnasium.make("se_hpo:Synthetic", checkpoint=...)'
            )
        self._nets = {
            name: NumpyMLP(parts, config.activation) for name, parts in arrays.items()
        }
        self.max_steps: float = getattr(config, "max_steps", math.inf)
        """Of an episode; it may be shorter."""

    def start(self, noise: np.ndarray) -> np.ndarray:
        """Initial states of noise, `... x obs_size` each, float32."""
        with silent():
            return self._nets["init"](noise)

    def step(
        self, action: np.ndarray, state: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Next states, rewards and raw done of actions and states, float32.

        Args:
            action: one-hot, or continuous, `... x n_actions`.
            state: `... x obs_size`.
        """
        nets, x = self._nets, np.concatenate((action, state), axis=-1)
        with silent():
            rewards = nets["reward"](x)[..., 0]
            if "state" not in nets:
                return state, rewards, np.ones(rewards.shape, np.float32)
            state = state + nets["state"](x)
            return state, rewards, nets["done"](state)[..., 0]


class LearnedStartEnv(gymnasium.Env[np.ndarray, Any]):
    """A learned stand-in for a task, with initial states of its own.

    ### Action space
    `Discrete(n_actions)` as in the task, or `Box(-1, 1, (n,))` where its actions are
    continuous; what is beyond is clipped.

    ### Observation space
    `Box(-inf, inf, (obs_size,), float32)`. Nothing makes them look like the task's.

    ### Rewards
    Any float; returns say nothing about returns on the task.

    ### Starting state
    A network's, of noise drawn with `np_random`: reproducible with `reset(seed=...)`.
    Everything after it is deterministic.

    ### Episode end
    Of kind `one_step` terminated after the first step, whose observation is the
    initial one again. Of `mdp_learned_start` terminated when the done net exceeds 0.5,
    truncated at `max_steps` of its configuration.

    ### Info
    `step` gives `raw_done`, the done net's output, or 1 where there is none.

    ### Arguments
    `checkpoint`: a file that `se_hpo.envs.checkpoint.save_se` wrote, or a
    `SECheckpoint`. `render_mode`: `rgb_array` draws states as the task does, where it
    can; they need not look like the task's.
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
            UserError: as `LearnedStartNets`, or `StateRenderer`.
        """
        self.render_mode = render_mode
        self._nets = LearnedStartNets(task, checkpoint)
        self.task = self._nets.task
        self._renderer = render_mode and StateRenderer(self.task, render_mode)
        self.observation_space, self.action_space = spaces_of(self.task)
        self._one_hot = np.eye(self.task.n_actions, dtype=np.float32)
        self._state: np.ndarray | None = None
        self._steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; there are no options. Returns the observation and {}."""
        super().reset(seed=seed)
        noise = self.np_random.standard_normal(self.task.obs_size, np.float32)
        self._state, self._steps = self._nets.start(noise), 0
        return self._state.copy(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Take one step; reset first once the episode has ended.

        Raises:
            InvalidAction: `action` is not in the action space, but for its bounds.
            ResetNeeded: the environment was never reset.
        """
        if self._state is None:
            raise ResetNeeded(f"{self}: call reset before step")
        taken = self._action(action)
        self._state, reward, done = self._nets.step(taken, self._state)
        self._steps += 1
        raw_done = float(done)
        ends = raw_done > DONE_THRESHOLD, self._steps >= self._nets.max_steps
        return self._state.copy(), float(reward), *ends, {"raw_done": raw_done}

    def render(self) -> np.ndarray | None:
        """The state drawn as the task draws its own; None without a render mode.

        Raises:
            ResetNeeded: the environment was never reset.
        """
        if not self._renderer:
            return None
        if self._state is None:
            raise ResetNeeded(f"{self}: call reset before render")
        return self._renderer.draw(self._state)

    def close(self) -> None:
        """Close what draws."""
        if self._renderer:
            self._renderer.close()

    def _action(self, action: Any) -> np.ndarray:
        """What the networks get."""
        if self.task.continuous:
            return clipped_actions(action, (self.task.n_actions,))
        try:
            index = operator.index(action)  # NumPy takes True for a mask
        except TypeError:
            index = -1
        if not 0 <= index < self.task.n_actions:  # NumPy would take -1 as the last
            raise InvalidAction(f"{action!r} is not in {self.action_space}")
        return self._one_hot[index]


def spaces_of(task: TaskSpec) -> tuple[Box, Box | Discrete]:
    """Observation and action space of a task's SE."""
    size = task.n_actions
    actions = Box(-1, 1, (size,), np.float32) if task.continuous else Discrete(size)
    return Box(-np.inf, np.inf, (task.obs_size,), np.float32), actions


def clipped_actions(actions: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Continuous actions as float32 in [-1, 1].

    Raises:
        InvalidAction: they are no numbers of such a shape.
    """
    try:
        found = np.asarray(actions, np.float32)
    except (TypeError, ValueError):
        found = np.empty(0, np.float32)
    if found.shape != shape or np.isnan(found).any():
        raise InvalidAction(f"{actions!r}: must be numbers of shape {shape}")
    return np.minimum(np.maximum(found, _LOW), _HIGH)  # np.clip takes much longer
