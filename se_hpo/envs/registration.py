"""Gymnasium ids of synthetic environments, reward networks, scaled tasks. No torch.

`Synthetic/<task id>` and `Rewarded/<task id>` for each task; `Synthetic` and `Rewarded`
for the task that a checkpoint names; `Scaled/<task id>`, which is a task itself.
"""

from __future__ import annotations

from typing import Any

import gymnasium

from se_hpo.envs.scaling import PREFIX, ScaledObservations
from se_hpo.envs.tasks import TaskSpec, import_task, known_task, list_tasks
from se_hpo.envs.vector_spaces import with_flat_observations


def register_synthetic_env(task: TaskSpec | str) -> str:
    """Register the SE of a task, by its spec or id; again does nothing.

    Returns:
        Its Gymnasium id: `Synthetic/Pole-v1`, or `Synthetic/space.Pole-v1` for a task
        `space/Pole-v1`, as Gymnasium has no namespace in a namespace.
    """
    return _register(
        task,
        "Synthetic",
        "se_hpo.envs.synthetic_env:SyntheticEnv",
        "se_hpo.envs.vector_env:SyntheticVectorEnv",
    )


def register_rewarded_task(task: TaskSpec | str) -> str:
    """Register a task with the reward of a reward network, as `register_synthetic_env`.

    Returns:
        Its Gymnasium id: `Rewarded/Pole-v1`.
    """
    return _register(task, "Rewarded", "se_hpo.envs.reward_wrapper:rewarded_task")


def register_scaled_task(task: TaskSpec | str) -> str:
    """Register a task with scaled observations, as `register_synthetic_env`.

    Returns:
        Its Gymnasium id: `Scaled/Pole-v1`.
    """
    return _register(task, "Scaled", "se_hpo.envs.registration:scaled_task")


def scaled_task(task: str, **kwargs: Any) -> ScaledObservations:
    """What `gymnasium.make("se_hpo:Scaled/...")` calls; the step limit is Gymnasium's.

    Other arguments are the task's own.
    """
    module, colon, name = task.rpartition(":")
    spec = import_task(f"{module}{colon}{PREFIX}{name}")
    env = gymnasium.make(
        spec.gymnasium_id, max_episode_steps=-1, disable_env_checker=True, **kwargs
    )
    return ScaledObservations(with_flat_observations(env), spec.scale)


def _register(
    task: TaskSpec | str, space: str, entry_point: str, vector: str | None = None
) -> str:
    spec = import_task(task) if isinstance(task, str) else task
    name = spec.id.rpartition(":")[2].replace("/", ".")
    env_id = f"{space}/{name}"
    if env_id not in gymnasium.registry:
        gymnasium.register(
            id=env_id,
            entry_point=entry_point,
            reward_threshold=spec.solved_return,
            max_episode_steps=spec.max_steps,
            kwargs={"task": spec.id},
            vector_entry_point=vector,
        )
        # The two CartPoles are different tasks: no id is a version of another one, or
        # Gymnasium warns that the lower is out of date.
        registered = gymnasium.registry[env_id]
        registered.name, registered.version = name, None
    return env_id


def register_learned_envs() -> None:
    """Register what there is for measured tasks (done by `import se_hpo`).

    Reward networks for all, SEs for those with discrete actions; scaled tasks, where
    observations can be scaled, and the same for these.

    Afterwards `gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=...)` works,
    `gymnasium.make("se_hpo:Synthetic", checkpoint=...)`, and the same of `Rewarded`.
    """
    ids = list_tasks()
    for spec in filter(None, map(known_task, [*ids, *(PREFIX + one for one in ids)])):
        if not (spec.scale or spec.discrete_obs):
            register_scaled_task(spec)
        register_rewarded_task(spec)
        if not spec.continuous:
            register_synthetic_env(spec)
    if "Synthetic" not in gymnasium.registry:
        gymnasium.register(
            id="Synthetic",
            entry_point="se_hpo.envs.synthetic_env:any_synthetic_env",
            vector_entry_point="se_hpo.envs.vector_env:SyntheticVectorEnv",
        )
        gymnasium.register(
            id="Rewarded", entry_point="se_hpo.envs.reward_wrapper:rewarded_task"
        )
