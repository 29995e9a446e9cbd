"""Many copies of an SE that learned where episodes start, in one batch. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode

from se_hpo.envs.batch_env import BatchEnv
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned_start import (
    DONE_THRESHOLD,
    LearnedStartNets,
    clipped_actions,
    spaces_of,
)
from se_hpo.envs.vector_arguments import checked_actions, limit_of


class LearnedStartVectorEnv(BatchEnv):
    """`num_envs` copies of one SE; see `LearnedStartEnv` for what a copy is.

    Each copy has a generator of its own: copy `i` of `reset(seed=s)` starts all its
    episodes where a single SE reset with `s + i` does, but for rounding. Autoreset: see
    `BatchEnv`. Infos: `raw_done` for the copies in the mask `_raw_done`.
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

        Arguments and errors are those of `SyntheticVectorEnv`; an SE with a step limit
        of its own keeps that.
        """
        self._nets = LearnedStartNets(task, checkpoint)
        self.task = self._nets.task
        limit = limit_of(max_episode_steps, self.task.max_steps)
        limit = min(limit, self._nets.max_steps)
        spaces = spaces_of(self.task)
        super().__init__(spaces, num_envs, limit, autoreset_mode, render_mode)
        self._generators = [np_random() for _ in range(num_envs)]
        self._one_hot = np.eye(self.task.n_actions, dtype=np.float32)
        self._state = np.zeros((num_envs, self.task.obs_size), np.float32)

    @property
    def np_random(self) -> tuple[np.random.Generator, ...]:
        """The generator of initial states of every copy."""
        return tuple(generator for generator, _ in self._generators)

    @property
    def np_random_seed(self) -> tuple[int, ...]:
        """The seed of every copy."""
        return tuple(seed for _, seed in self._generators)

    def _checked_actions(self, actions: Any) -> np.ndarray:
        size = self.task.n_actions
        if self.task.continuous:
            return clipped_actions(actions, (self.num_envs, size))
        return self._one_hot[checked_actions(actions, self.num_envs, size).astype(int)]

    def _start_episodes(
        self,
        mask: np.ndarray,
        seeds: Sequence[int | None],
        options: dict[str, Any] | None,
    ) -> None:
        chosen = np.flatnonzero(mask).tolist()
        for i in chosen:
            if seeds[i] is not None:
                self._generators[i] = np_random(seeds[i])
        shape = self.task.obs_size
        noise = [self._generators[i][0].standard_normal(shape, "f") for i in chosen]
        self._state[mask] = self._nets.start(np.array(noise))

    def _advance(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        self._state, *rest = self._nets.step(actions, self._state)
        rewards, raw_done = (values.astype(np.float64) for values in rest)
        return rewards, raw_done > DONE_THRESHOLD, {"raw_done": raw_done}

    def _observations(self) -> np.ndarray:
        return self._state.copy()
