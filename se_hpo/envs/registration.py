"""Gymnasium ids of synthetic environments, reward networks, scaled tasks. No torch.

`Synthetic/<task id>` and `Rewarded/<task id>` for each task; `Synthetic` and `Rewarded`
for the task that a checkpoint names; `Scaled/<task id>`, which is a task itself.
"""

from __future__ import annotations

import gymnasium

from se_hpo.envs.scaling import PREFIX
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
    "Scaled": {"entry_point": "se_hpo.envs.by_kind:scaled_task"},
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


def register_scaled_task(task: TaskSpec | str) -> str:
    """Register a task with scaled observations, as `register_synthetic_env`.

    Returns:
        Its Gymnasium id: `Scaled/Pole-v1`.
    """
    return _register(task, "Scaled")


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

    Scaled tasks too, where observations can be scaled, and the same for these.

    Afterwards `gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=...)` works,
    `gymnasium.make("se_hpo:Synthetic", checkpoint=...)`, and the same of `Rewarded`.
    """
    ids = list_tasks()
    for spec in filter(None, map(known_task, [*ids, *(PREFIX + one for one in ids)])):
        if not (spec.scale or spec.discrete_obs):
            register_scaled_task(spec)
        register_rewarded_task(spec)
        register_synthetic_env(spec)
    for space in ("Synthetic", "Rewarded"):
        if space not in gymnasium.registry:
            gymnasium.register(id=space, **_ENTRY_POINTS[space])
