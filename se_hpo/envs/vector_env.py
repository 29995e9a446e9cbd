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

import numpy as np
from gymnasium.vector import AutoresetMode

from se_hpo.envs.batch_env import BatchEnv
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.se_net import FusedNets, se_net
from se_hpo.envs.synthetic_env import DONE_THRESHOLD, se_spaces
from se_hpo.envs.tasks import make_env
from se_hpo.envs.vector_arguments import checked_actions, limit_of


class SyntheticVectorEnv(BatchEnv):
    """`num_envs` copies of one SE; see `SyntheticEnv` for what a copy is.

    Each copy draws its initial states from a task environment of its own, so that copy
    `i` of `reset(seed=s)` starts all its episodes where a single SE reset with `s + i`
    does. Autoreset: see `BatchEnv`.

    ### Infos
    `raw_done` for the copies in the mask `_raw_done`: those that took a step.
    """

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
        limit = limit_of(max_episode_steps, self.task.max_steps)
        spaces = se_spaces(self.task)
        super().__init__(spaces, num_envs, limit, autoreset_mode, render_mode)
        # One column per copy, so that the networks multiply without transposing.
        self._nets = FusedNets(self.net, num_envs)
        self._task_envs = [make_env(self.task) for _ in range(num_envs)]
        self._all_actions = np.arange(self.task.n_actions)[:, None]

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

    def _checked_actions(self, actions: Any) -> np.ndarray:
        return checked_actions(actions, self.num_envs, self.task.n_actions)

    def _start_episodes(
        self,
        mask: np.ndarray,
        seeds: Sequence[int | None],
        options: dict[str, Any] | None,
    ) -> None:
        for i in np.flatnonzero(mask).tolist():
            state, _ = self._task_envs[i].reset(seed=seeds[i], options=options)
            self._nets.state[:, i] = state

    def _advance(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        np.equal(actions, self._all_actions, out=self._nets.one_hot)
        rewards, raw_done = self._nets.step()[-2:].astype(np.float64)
        return rewards, raw_done > DONE_THRESHOLD, {"raw_done": raw_done}

    def _observations(self) -> np.ndarray:
        return self._nets.state.T.copy()
