"""Gymnasium ids of synthetic environments and reward networks. No torch.

`Synthetic/<task id>` and `Rewarded/<task id>` for each task; `Synthetic` and `Rewarded`
for the task that a checkpoint names.
"""

from __future__ import annotations

import gymnasium

from se_hpo.envs.tasks import TaskSpec, import_task, known_task, list_tasks

_ENTRY_POINTS = {
    "Synthetic": {
        "entry_point": "se_hpo.envs.by_kind:synthetic_env",
        "vector_entry_point": "se_hpo.envs.by_kind:synthetic_vector_env",
    },
    "Rewarded": {
        "entry_point": "se_hpo.envs.reward_wrapper:rewarded_task",
        "vector_entry_point": "se_hpo.envs.by_kind:rewarded_vector",
    },
}


def register_synthetic_env(task: TaskSpec | str) -> str:
    """Register the SE of a task, by its spec or id; again does nothing.

    Returns:
        Its Gymnasium id: `Synthetic/Pole-v1`, or `Synthetic/space.Pole-v1` for a task
        `space/Pole-v1`, as Gymnasium has no namespace in a namespace.
    """
    return _register(task, "Synthetic")


def register_rewarded_task(task: TaskSpec | str) -> str:
    """Register a task with the reward of a reward network, as `register_synthetic_env`.

    Returns:
        Its Gymnasium id: `Rewarded/Pole-v1`.
    """
    return _register(task, "Rewarded")


def _register(task: TaskSpec | str, space: str) -> str:
    spec = import_task(task) if isinstance(task, str) else task
    name = spec.id.rpartition(":")[2].replace("/", ".")
    env_id = f"{space}/{name}"
    if env_id not in gymnasium.registry:
        gymnasium.register(
            id=env_id,
            reward_threshold=spec.solved_return,
            max_episode_steps=spec.max_steps,
            kwargs={"task": spec.id},
            **_ENTRY_POINTS[space],
        )
        # The two CartPoles are different tasks: no id is a version of another one, or
        # Gymnasium warns that the lower is out of date.
        registered = gymnasium.registry[env_id]
        registered.name, registered.version = name, None
    return env_id


def register_learned_envs() -> None:
    """Register what there is for measured tasks (done by `import se_hpo`).

    Afterwards `gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=...)` works,
    `gymnasium.make("se_hpo:Synthetic", checkpoint=...)`, and the same of `Rewarded`.
    """
    for spec in filter(None, map(known_task, list_tasks())):
        register_rewarded_task(spec)
        register_synthetic_env(spec)
    for space, entry_points in _ENTRY_POINTS.items():
        if space not in gymnasium.registry:
            gymnasium.register(id=space, **entry_points)
