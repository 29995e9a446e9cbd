"""Gymnasium ids of the synthetic environments: `Synthetic/<task id>`. No torch."""

from __future__ import annotations

import warnings

import gymnasium

from se_hpo.tasks import TaskSpec, get_task, list_tasks


def register_synthetic_env(spec: TaskSpec) -> str:
    """Register the SE of a task and return its Gymnasium id; again does nothing."""
    env_id = f"Synthetic/{spec.id.rpartition(':')[2].rpartition('/')[2]}"
    if env_id not in gymnasium.registry:
        gymnasium.register(
            id=env_id,
            entry_point="se_hpo.synthetic_env:SyntheticEnv",
            reward_threshold=spec.solved_return,
            max_episode_steps=spec.max_steps,
            kwargs={"task": spec.id},
            vector_entry_point="se_hpo.vector_env:SyntheticVectorEnv",
        )
    return env_id


def register_synthetic_envs() -> None:
    """Register the SEs of all measured tasks (done by `import se_hpo`).

    Afterwards `gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=...)` works.
    """
    for task_id in list_tasks():
        register_synthetic_env(get_task(task_id))
    # The two CartPoles are different tasks, not versions of one another.
    warnings.filterwarnings("ignore", message=r".*Synthetic/CartPole-v0 is out of date")
