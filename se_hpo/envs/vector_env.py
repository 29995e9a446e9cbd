"""Many copies of a synthetic environment, stepped as one batch.

`gymnasium.make_vec("se_hpo:Synthetic/...", num_envs=256, checkpoint=...)` makes one. It
means what Gymnasium's `SyncVectorEnv` over `SyntheticEnv` means, transition by
transition and seed by seed; only the three networks are computed for all copies at
once, which makes it some hundred times faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.se_net import FusedNets, se_net
from se_hpo.envs.synthetic_env import DONE_THRESHOLD, se_spaces
from se_hpo.envs.tasks import make_env
from se_hpo.envs.vector_arguments import (
    Seeds,
    autoreset_mode_of,
    checked_actions,
    positive,
    seed_of_each,
    split_reset_mask,
)


class SyntheticVectorEnv(
    gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]
):
    """`num_envs` copies of one SE; see `SyntheticEnv` for what a copy is.

    Each copy draws its initial states from a task environment of its own, so that copy
    `i` of `reset(seed=s)` starts all its episodes where a single SE reset with `s + i`
    does. An array handed out is never written to again.

    ### Autoreset
    As Gymnasium 1.x defines it, see `metadata["autoreset_mode"]`. `NEXT_STEP`: the step
    after an episode's end ignores that copy's action, gives the initial observation of
    the next episode, reward 0 and no end. `SAME_STEP`: the ending step gives it at
    once, and the last observation as `infos["final_obs"]`. `DISABLED`: ended copies
    must be reset with `reset(options={"reset_mask": ended})` before the next step.

    ### Infos
    `raw_done` for the copies in the mask `_raw_done`: those that took a step.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        task: str | None = None,
        num_envs: int = 1,
        checkpoint: SECheckpoint | Path | str | None = None,
        max_episode_steps: int | None = None,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
    ) -> None:
        """Make the SE of `task` from a checkpoint, `num_envs` times.

        Args:
            task: id of the task that the SE stands in for; None: the checkpoint's.
            num_envs: how many copies, >= 1.
            checkpoint: a file that `save_se` wrote, or a `SECheckpoint`.
            max_episode_steps: truncates episodes; None: the task's limit, -1: never.
            autoreset_mode: a mode or its value (`NextStep`, `SameStep`, `Disabled`).
            render_mode: there is none.

        Raises:
            UserError: an argument out of range, or no fitting checkpoint.
        """
        self.task, self.net = se_net(task, checkpoint)
        self.num_envs = positive("num_envs", num_envs)
        self._limit: float = self.task.max_steps
        if max_episode_steps == -1:
            self._limit = np.inf
        elif max_episode_steps is not None:
            self._limit = positive("max_episode_steps", max_episode_steps)
        self.autoreset_mode = autoreset_mode_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode

        spaces = se_spaces(self.task)
        self.single_observation_space, self.single_action_space = spaces
        self.observation_space = batch_space(spaces[0], num_envs)
        self.action_space = batch_space(spaces[1], num_envs)
        # One column per copy, so that the networks multiply without transposing.
        self._nets = FusedNets(self.net, num_envs)
        self._task_envs = [make_env(self.task) for _ in range(num_envs)]

        self._all_actions = np.arange(self.task.n_actions)[:, None]
        self._steps = np.zeros(num_envs, np.int64)
        self._ended = np.zeros(num_envs, np.bool_)
        self._nobody = np.zeros(num_envs, np.bool_)
        self._ready = False

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in every copy, in a state of the task.

        Args:
            seed: copy `i` is seeded with `seed + i`, or with `seed[i]`; None goes on
                with the generators as they are.
            options: `reset_mask` (bool, `num_envs`) chooses the copies to reset; the
                rest is handed to the task.

        Returns:
            Observations `num_envs x obs_size` and an empty dict.

        Raises:
            UserError: seeds or a mask that do not fit.
            ResetNeeded: the first reset has a mask that leaves some out.
        """
        self._check_open()
        seeds = seed_of_each(seed, self.num_envs)
        mask, options = split_reset_mask(options, self.num_envs)
        if not self._ready and not mask.all():
            raise ResetNeeded(f"{self}: the first reset must be one of all copies")
        self._start_episodes(mask, seeds, options)
        self._ended, self._ready = self._ended & ~mask, True
        return self._observations(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take one step in every copy.

        Args:
            actions: `num_envs` integers.

        Returns:
            Observations `num_envs x obs_size` (float32), rewards (float64),
            terminations and truncations, `num_envs` each, and infos.

        Raises:
            InvalidAction: not one action of the action space for each copy.
            ResetNeeded: a copy was never reset, or has ended in mode `DISABLED`.
        """
        self._check_ready()
        actions = checked_actions(actions, self.num_envs, self.task.n_actions)
        rewards, raw_done = self._advance(actions)
        terminations = raw_done > DONE_THRESHOLD
        truncations = self._steps >= self._limit
        restart, infos = self._nobody, {}
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and self._ended.any():
            restart = self._ended
            for result in (rewards, terminations, truncations):
                result[restart] = 0
        self._ended = terminations | truncations
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            restart, infos = self._ended, self._final_infos(raw_done)
        if restart is not self._nobody:
            raw_done[restart] = 0
            self._start_episodes(restart)
        if not restart.all():
            infos |= {"raw_done": raw_done, "_raw_done": ~restart}
        return self._observations(), rewards, terminations, truncations, infos

    def close_extras(self, **kwargs: Any) -> None:
        """Close the task environments that give the initial states."""
        for env in self._task_envs:
            env.close()

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:
        """The generator of initial states of every copy."""
        return tuple(env.unwrapped.np_random for env in self._task_envs)

    @property
    def np_random_seed(self) -> tuple[int, ...]:
        """The seed of every copy."""
        return tuple(env.unwrapped.np_random_seed for env in self._task_envs)

    def _start_episodes(
        self,
        mask: np.ndarray,
        seeds: Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        for i in np.flatnonzero(mask).tolist():
            seed = None if seeds is None else seeds[i]
            state, _ = self._task_envs[i].reset(seed=seed, options=options)
            self._nets.state[:, i] = state
            self._steps[i] = 0

    def _advance(self, actions: np.ndarray) -> np.ndarray:
        """Step all states; returns rewards and raw done outputs, `2 x num_envs`."""
        np.equal(actions, self._all_actions, out=self._nets.one_hot)
        self._steps += 1
        return self._nets.step()[-2:].astype(np.float64)

    def _observations(self) -> np.ndarray:
        return self._nets.state.T.copy()

    def _final_infos(self, raw_done: np.ndarray) -> dict[str, Any]:
        """What `SAME_STEP` tells of the copies that have just ended."""
        last = np.full(self.num_envs, None, dtype=object)
        for i in np.flatnonzero(self._ended):
            last[i] = self._nets.state[:, i].copy()
        ended = self._ended
        info = {"raw_done": np.where(ended, raw_done, 0.0), "_raw_done": ended.copy()}
        return {
            "final_obs": last,
            "_final_obs": ended.copy(),
            "final_info": info,
            "_final_info": ended.copy(),
        }

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedEnvironmentError(f"{self} was used after close()")

    def _check_ready(self) -> None:
        self._check_open()
        if not self._ready:
            raise ResetNeeded(f"{self}: call reset before step")
        if self.autoreset_mode is AutoresetMode.DISABLED and self._ended.any():
            raise ResetNeeded(
                f"{self}: copies {np.flatnonzero(self._ended)} have ended; call "
                'reset(options={"reset_mask": ...}) for them before step'
            )
