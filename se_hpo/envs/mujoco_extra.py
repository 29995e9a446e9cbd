"""Making an environment, with MuJoCo where it needs this: the extra `mujoco`."""

from __future__ import annotations

import importlib
import logging

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import DependencyNotInstalled

from se_hpo.errors import UserError
from se_hpo.text import typed_line

log = logging.getLogger(__name__)


def prepare_mujoco(task_id: str, gymnasium_id: str) -> None:
    """Import MuJoCo if the environment needs it, and have it warn to Python's log.

    By itself it prints warnings to stdout, and writes them into a file in the folder
    that it runs in.

    Raises:
        UserError: it is not installed.
    """
    theirs = gymnasium.registry.get(gymnasium_id)
    module = str(theirs and theirs.entry_point).partition(":")[0]
    if not module.startswith("gymnasium.envs.mujoco."):
        return
    try:
        importlib.import_module(module)
        mujoco = importlib.import_module("mujoco")
    except (ImportError, DependencyNotInstalled) as error:
        raise UserError(
            f"task {task_id!r} needs MuJoCo ({error}): pip install 'se-hpo[mujoco]'"
        ) from error
    if mujoco.get_mju_user_warning() is None:
        mujoco.set_mju_user_warning(log.info)


def make_theirs(task_id: str, theirs: EnvSpec) -> gymnasium.Env:
    """The environment of a spec as it is: nothing flattened or scaled.

    Raises:
        UserError: it cannot be made.
    """
    prepare_mujoco(task_id, theirs.id)
    try:
        return gymnasium.make(theirs.id, disable_env_checker=True)
    except (Exception, SystemExit) as error:
        why = typed_line(error)
        raise UserError(f"task {task_id!r} cannot be made: {why}") from error
