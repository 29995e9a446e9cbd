"""Many copies of an environment, stepped as one batch, in Gymnasium's autoreset modes.

What each means is that of Gymnasium's `SyncVectorEnv`, transition by transition and
seed by seed. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from se_hpo.envs.vector_arguments import (
    Seeds,
    autoreset_mode_of,
    positive,
    seed_of_each,
    split_reset_mask,
)
from se_hpo.errors import UserError


class BatchEnv(gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """`num_envs` copies of an environment; a class derived from it has their states.

    An array handed out is never written to again.

    ### Autoreset
    As Gymnasium 1.x defines it, see `metadata["autoreset_mode"]`. `NEXT_STEP`: the step
    after an episode's end ignores that copy's action, gives the initial observation of
    the next episode, reward 0 and no end. `SAME_STEP`: the ending step gives it at
    once, and the last observation as `infos["final_obs"]`. `DISABLED`: ended copies
    must be reset with `reset(options={"reset_mask": ended})` before the next step.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(
        self,
        spaces: tuple[Box, Box | Discrete],
        num_envs: int,
        limit: float,
        autoreset_mode: AutoresetMode | str,
        render_mode: str | None,
    ) -> None:
        """Make copies that are yet to be reset.

        Args:
            spaces: of observations and actions of one copy.
            num_envs: how many copies, >= 1.
            limit: truncates episodes after so many steps; infinity: never.
            autoreset_mode: a mode or its value (`NextStep`, `SameStep`, `Disabled`).
            render_mode: None, as copies are not drawn.

        Raises:
            UserError: an argument out of range.
        """
        if render_mode is not None:
            raise UserError(
                f"render_mode {render_mode!r}: copies are not drawn; add "
                "vectorization_mode='sync', or take one by gymnasium.make"
            )
        self.num_envs = positive("num_envs", num_envs)
        self.autoreset_mode = autoreset_mode_of(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = render_mode
        self.single_observation_space, self.single_action_space = spaces
        self.observation_space = batch_space(spaces[0], num_envs)
        self.action_space = batch_space(spaces[1], num_envs)
        self._limit = limit
        self._steps = np.zeros(num_envs, np.int64)
        self._ended = np.zeros(num_envs, np.bool_)
        self._nobody = np.zeros(num_envs, np.bool_)
        self._ready = False

    # -- of the derived class --------------------------------------------------------

    def _checked_actions(self, actions: Any) -> np.ndarray:
        """The actions; `InvalidAction` unless there is one for each copy."""
        raise NotImplementedError

    def _start_episodes(
        self,
        mask: np.ndarray,
        seeds: Sequence[int | None],
        options: dict[str, Any] | None,
    ) -> None:
        """Start an episode in the copies of the mask."""
        raise NotImplementedError

    def _advance(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """Step all; returns rewards, terminations and infos, `num_envs` each, new."""
        raise NotImplementedError

    def _observations(self) -> np.ndarray:
        """Of all copies, `num_envs x obs_size`, a new array."""
        raise NotImplementedError

    # -- Gymnasium's -----------------------------------------------------------------

    def reset(
        self, *, seed: Seeds = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode in every copy.

        Args:
            seed: copy `i` is seeded with `seed + i`, or with `seed[i]`; None goes on
                with the generators as they are.
            options: `reset_mask` (bool, `num_envs`) chooses the copies to reset; the
                rest is the copies'.

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
        self._restart(mask, seeds, options)
        self._ended, self._ready = self._ended & ~mask, True
        return self._observations(), {}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Take one step in every copy.

        Args:
            actions: one for each copy.

        Returns:
            Observations `num_envs x obs_size` (float32), rewards (float64),
            terminations and truncations, `num_envs` each, and infos.

        Raises:
            InvalidAction: not one action of the action space for each copy.
            ResetNeeded: a copy was never reset, or has ended in mode `DISABLED`.
        """
        self._check_ready()
        rewards, terminations, values = self._advance(self._checked_actions(actions))
        self._steps += 1
        truncations = self._steps >= self._limit
        restart, infos = self._nobody, {}
        if self.autoreset_mode is AutoresetMode.NEXT_STEP and self._ended.any():
            restart = self._ended
            for result in (rewards, terminations, truncations):
                result[restart] = 0
        self._ended = terminations | truncations
        if self.autoreset_mode is AutoresetMode.SAME_STEP and self._ended.any():
            restart, infos = self._ended, self._final_infos(values)
        if restart is not self._nobody:
            self._restart(restart, seed_of_each(None, self.num_envs), None)
        if not restart.all():
            infos |= _masked(values, ~restart)
        return self._observations(), rewards, terminations, truncations, infos

    def _restart(
        self,
        mask: np.ndarray,
        seeds: Sequence[int | None],
        options: dict[str, Any] | None,
    ) -> None:
        self._start_episodes(mask, seeds, options)
        self._steps[mask] = 0

    def _final_infos(self, values: dict[str, np.ndarray]) -> dict[str, Any]:
        """What `SAME_STEP` tells of the copies that have just ended."""
        last, observations = np.full(self.num_envs, None, object), self._observations()
        for i in np.flatnonzero(self._ended):
            last[i] = observations[i]
        ended = self._ended
        return {
            "final_obs": last,
            "_final_obs": ended.copy(),
            "final_info": _masked(values, ended),
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


def _masked(values: dict[str, np.ndarray], mask: np.ndarray) -> dict[str, np.ndarray]:
    """Infos of the copies in the mask, 0 of the others."""
    infos = {}
    for name, value in values.items():
        infos[name], infos[f"_{name}"] = np.where(mask, value, 0.0), mask.copy()
    return infos
