"""Synthetic environments, rewarded and scaled tasks as Gymnasium makes them.

What `gymnasium.make` and `make_vec` call for `Synthetic/...` and, in vectors,
`Rewarded/...`: the file says of which kind it is. Imports torch for kinds that need it.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit

from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.learned import LearnedKind, kind_of
from se_hpo.envs.reward_vector import RewardNetworkVector
from se_hpo.envs.reward_wrapper import bare_task
from se_hpo.envs.scaling import PREFIX
from se_hpo.envs.tasks import import_task
from se_hpo.envs.vector_arguments import autoreset_mode_of, positive
from se_hpo.errors import UserError
from se_hpo.registries import load

Checkpoint = SECheckpoint | Path | str | None


def synthetic_env(
    task: str | None = None, checkpoint: Checkpoint = None, **kwargs: Any
) -> gymnasium.Env[Any, Any]:
    """The SE of `task`, or where that is None of the checkpoint's, with a step limit.

    Raises:
        UserError: no checkpoint of an SE, or none that takes the task's actions.
    """
    spec, opened = open_checkpoint(task, checkpoint, "synthetic environment")
    kind = _kind(opened)
    kind.check_actions(spec.id, spec.continuous)
    # The zoo's may be of the scaled task.
    env = load(kind.environment)(task and opened.task, opened, **kwargs)
    # An id that knows no task cannot know its limit.
    return env if task else TimeLimit(env, spec.max_steps)


def synthetic_vector_env(
    task: str | None = None, checkpoint: Checkpoint = None, **kwargs: Any
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Copies of the SE, as `synthetic_env`; see `BatchEnv` for other arguments.

    Raises:
        UserError: as `synthetic_env`, or its kind has no vector environment.
    """
    spec, opened = open_checkpoint(task, checkpoint, "synthetic environment")
    kind = _kind(opened)
    kind.check_actions(spec.id, spec.continuous)
    if kind.vector_environment is None:
        raise UserError(
            f"a {kind.label} has no vector environment: add vectorization_mode='sync'"
        )
    made: gymnasium.vector.VectorEnv[Any, Any, Any]
    made = load(kind.vector_environment)(
        task and opened.task, checkpoint=opened, **kwargs
    )
    return made


def rewarded_vector(
    num_envs: int,
    task: str | None = None,
    checkpoint: Checkpoint = None,
    discount: float | None = None,
    max_episode_steps: int | None = None,
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **kwargs: Any,
) -> RewardNetworkVector:
    """Copies of a task, with the reward of a reward network for all at once.

    Other arguments are the task's own.
    """
    spec, opened = open_checkpoint(task, checkpoint, "reward network")
    limit = max_episode_steps or spec.max_steps
    one = functools.partial(bare_task, spec, limit, **kwargs)
    envs = gymnasium.vector.SyncVectorEnv(
        [one] * positive("num_envs", num_envs),
        autoreset_mode=autoreset_mode_of(autoreset_mode),
    )
    return RewardNetworkVector(envs, opened, discount)


def scaled_task(task: str, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """The task with scaled observations; other arguments are the task's own."""
    module, colon, name = task.rpartition(":")
    return bare_task(import_task(f"{module}{colon}{PREFIX}{name}"), -1, **kwargs)


def _kind(checkpoint: SECheckpoint) -> LearnedKind:
    kind = kind_of(checkpoint.se_config)
    if kind.environment is None:
        raise UserError(
            f"a {kind.label} has other networks than a synthetic environment: make "
            "se_hpo:Rewarded of it, or take another file"
        )
    return kind
