"""Gymnasium's registry, asked about a task's id; what it lacks is one line."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec

from se_hpo.errors import UserError, did_you_mean


def find_spec(task_id: str, base: str | None, tasks: Iterable[str]) -> EnvSpec:
    """Gymnasium's spec of a task, or of the one that is scaled; imports nothing.

    Args:
        task_id: its id.
        base: that without `Scaled/`, if it has this.
        tasks: ids that may be meant, beside Gymnasium's.

    Raises:
        UserError: an unknown id, or one of a module that was not imported.
    """
    module, _, env_id = (base or task_id).rpartition(":")
    try:
        if module and module not in sys.modules:
            raise gymnasium.error.UnregisteredEnv(f"{module} was not imported")
        return gymnasium.spec(env_id)
    except gymnasium.error.Error as error:
        scaled = [f"Scaled/{known}" for known in gymnasium.registry if base]
        hint = did_you_mean(task_id, {*tasks, *gymnasium.registry, *scaled})
        if hint.startswith("known:"):  # nothing is close: do not list all of Gymnasium
            hint = f"{did_you_mean('', tasks)} and the ids of Gymnasium"
        if module and module not in sys.modules:
            hint = f"if you trust the module {module}, import it first (train and "
            hint += f"evaluate: --task {task_id})"
        raise UserError(f"unknown task {task_id!r}: {hint}") from error


def limits_of(task_id: str, theirs: EnvSpec) -> dict[str, Any]:
    """The fields of a `TaskSpec` that Gymnasium's spec decides.

    Raises:
        UserError: it has no reward threshold or no step limit.
    """
    if theirs.reward_threshold is None or theirs.max_episode_steps is None:
        missing = "reward_threshold" if theirs.max_episode_steps else "step limit"
        raise UserError(
            f"task {task_id!r} has no {missing}: register it under an id of your own "
            "with reward_threshold=... and max_episode_steps=..."
        )
    threshold = theirs.reward_threshold
    if not isinstance(threshold, (int, float, np.number)) or not np.isfinite(threshold):
        raise UserError(
            f"task {task_id!r} has reward_threshold = {threshold!r}: register it with "
            "a finite number"
        )
    return {
        "gymnasium_id": theirs.id,
        "max_steps": theirs.max_episode_steps,
        "solved_return": float(threshold),
    }


STORED_SOLVED: dict[str, float] = {}
"""Solved returns of users' tasks, by id, as the runs tell that were read here."""


def remember_solved(task: Any, solved: Any) -> None:
    """Take over what a run's file says of its task; what is no number is left alone."""
    number = isinstance(solved, (int, float)) and not isinstance(solved, bool)
    if isinstance(task, str) and number and math.isfinite(solved):
        STORED_SOLVED[task] = float(solved)
