"""What the methods of a vector environment are called with, checked. No torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.error import InvalidAction
from gymnasium.vector import AutoresetMode

from se_hpo.errors import UserError, did_you_mean

Seeds = int | Sequence[int | None] | None


def positive(name: str, value: int) -> int:
    """An integer >= 1, or a `UserError` that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise UserError(f"{name}={value!r}: must be an integer >= 1")
    return int(value)


def limit_of(max_episode_steps: int | None, usual: int) -> float:
    """The steps after which an episode is truncated.

    >>> limit_of(None, 200), limit_of(-1, 200), limit_of(7, 200)
    (200, inf, 7)
    """
    if max_episode_steps is None:
        return usual
    if max_episode_steps == -1:
        return math.inf
    return positive("max_episode_steps", max_episode_steps)


def autoreset_mode_of(mode: AutoresetMode | str) -> AutoresetMode:
    """A mode from itself or its value.

    >>> autoreset_mode_of("SameStep")
    <AutoresetMode.SAME_STEP: 'SameStep'>
    """
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        hint = did_you_mean(str(mode), [known.value for known in AutoresetMode])
        raise UserError(f"unknown autoreset_mode {mode!r}: {hint}") from error


def seed_of_each(seed: Seeds, num_envs: int) -> list[int | None]:
    """Seeds as `SyncVectorEnv.reset` hands them out.

    >>> seed_of_each(7, 3), seed_of_each(None, 2), seed_of_each([4, None], 2)
    ([7, 8, 9], [None, None], [4, None])
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + i for i in range(num_envs)]
    if len(seed) != num_envs:
        raise UserError(
            f"seed={seed!r} has {len(seed)} seeds: give {num_envs}, one for each copy, "
            "or one integer"
        )
    return list(seed)


def split_reset_mask(
    options: dict[str, Any] | None, num_envs: int
) -> tuple[np.ndarray, dict[str, Any] | None]:
    """Which copies to reset (bool, `num_envs`), and the other options of a reset."""
    if options is None or "reset_mask" not in options:
        return np.ones(num_envs, np.bool_), options
    mask = options["reset_mask"]
    fits = isinstance(mask, np.ndarray) and mask.shape == (num_envs,)
    if not fits or mask.dtype != np.bool_ or not mask.any():
        raise UserError(
            f"options['reset_mask'] = {mask!r}: must be a bool array of shape "
            f"({num_envs},), not all False"
        )
    return mask, {key: v for key, v in options.items() if key != "reset_mask"}


def checked_actions(actions: Any, num_envs: int, n_actions: int) -> np.ndarray:
    """Actions as an array, `num_envs`, each from 0 to `n_actions` - 1.

    Raises:
        InvalidAction: anything else.
    """
    actions = np.asarray(actions)
    if actions.shape != (num_envs,) or actions.dtype.kind not in "biu":
        raise InvalidAction(
            f"actions: {actions.dtype} of shape {actions.shape}, expected integers of "
            f"shape ({num_envs},)"
        )
    if actions.min() < 0 or actions.max() >= n_actions:
        wrong = np.flatnonzero((actions < 0) | (actions >= n_actions))[0]
        raise InvalidAction(
            f"action {actions[wrong]} of copy {wrong}: must be from 0 to "
            f"{n_actions - 1}"
        )
    return actions
