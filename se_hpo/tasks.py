"""Tasks: real environments, and what it takes to solve them.

Imports Gymnasium and NumPy only. Four tasks are measured and have a native engine;
any other Gymnasium id with Box observations and Discrete actions works as it is.
"""

from __future__ import annotations

import functools
import importlib
import math
from dataclasses import dataclass

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, flatten, flatten_space

from se_hpo.errors import UserError, did_you_mean


@dataclass(frozen=True)
class TaskSpec:
    """What the project knows of a task; returns are undiscounted."""

    id: str
    """Name in this project (`CartPole-v0`)."""
    gymnasium_id: str
    """Id that `gymnasium.make` gets."""
    max_steps: int
    """Steps after which an episode is truncated."""
    solved_return: float
    """Mean return from which the task counts as solved."""
    random_return: float
    """Mean return of uniformly random actions."""
    worst_return: float
    """Lowest return seen with random actions; the score of a diverged agent."""
    obs_size: int
    """Numbers in a flattened observation."""
    n_actions: int
    """Discrete actions, 0 to `n_actions` - 1."""
    native: str | None
    """Name in the native engine, None where it has no such task."""


# random_return and worst_return: mean and lowest return of uniformly random actions,
# `measure_random_returns(make_env(spec), seed=0, episodes=N)`, Gymnasium 1.4, with
# N = 20,000 (CartPole), 2,000 (Acrobot) and 500 (MountainCar).
_TASKS = {
    spec.id: spec
    for spec in (
        TaskSpec(
            id="CartPole-v0",
            gymnasium_id="CartPole-v1",  # differs from v0 in step limit and threshold
            max_steps=200,
            solved_return=195.0,
            random_return=22.3,
            worst_return=8.0,
            obs_size=4,
            n_actions=2,
            native="cartpole",
        ),
        TaskSpec(
            id="CartPole-v1",
            gymnasium_id="CartPole-v1",
            max_steps=500,
            solved_return=475.0,
            random_return=22.3,
            worst_return=8.0,
            obs_size=4,
            n_actions=2,
            native="cartpole",
        ),
        TaskSpec(
            id="Acrobot-v1",
            gymnasium_id="Acrobot-v1",
            max_steps=500,
            solved_return=-100.0,
            random_return=-499.1,
            worst_return=-500.0,
            obs_size=6,
            n_actions=3,
            native="acrobot",
        ),
        TaskSpec(
            id="MountainCar-v0",
            gymnasium_id="MountainCar-v0",
            max_steps=200,
            solved_return=-110.0,
            random_return=-200.0,
            worst_return=-200.0,
            obs_size=2,
            n_actions=3,
            native="mountain_car",
        ),
    )
}


def list_tasks() -> list[str]:
    """Ids of the measured tasks.

    >>> list_tasks()
    ['CartPole-v0', 'CartPole-v1', 'Acrobot-v1', 'MountainCar-v0']
    """
    return list(_TASKS)


def get_task(task_id: str) -> TaskSpec:
    """The spec of a measured task, or one made from Gymnasium's.

    For the latter, 100 random episodes are played once per process.

    Raises:
        UserError: an unknown id, spaces that no agent here can handle, or a Gymnasium
            spec without reward threshold or step limit.
    """
    return _TASKS.get(task_id) or _task_from_gymnasium(task_id)


def known_solved_return(task_id: object) -> float | None:
    """The solved return of a measured task; None for all others."""
    known = isinstance(task_id, str) and task_id in _TASKS
    return _TASKS[str(task_id)].solved_return if known else None


def make_env(spec: TaskSpec) -> gymnasium.Env:
    """A new environment of the task: flat observations, truncation at `max_steps`."""
    env = gymnasium.make(
        spec.gymnasium_id,
        max_episode_steps=spec.max_steps,
        disable_env_checker=True,
    )
    if len(env.observation_space.shape or ()) != 1:
        space = env.observation_space
        # Not FlattenObservation: it holds a lambda, which cannot be pickled.
        env = gymnasium.wrappers.TransformObservation(
            env, functools.partial(flatten, space), flatten_space(space)
        )
    return env


def measure_random_returns(
    env: gymnasium.Env, seed: int, episodes: int
) -> tuple[float, float]:
    """Mean and lowest return of uniformly random actions."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    returns = np.zeros(episodes)
    for episode in range(episodes):
        env.reset()
        ended = False
        while not ended:
            action = int(rng.integers(env.action_space.n))
            _, reward, terminated, truncated, _ = env.step(action)
            returns[episode] += float(reward)
            ended = terminated or truncated
    return float(returns.mean()), float(returns.min())


@functools.cache
def _task_from_gymnasium(task_id: str) -> TaskSpec:
    spec = _gymnasium_spec(task_id)
    with _make(task_id) as env:
        obs_size, n_actions = _check_spaces(task_id, env)
    if spec.reward_threshold is None or spec.max_episode_steps is None:
        missing = "reward_threshold" if spec.reward_threshold is None else "step limit"
        raise UserError(
            f"task {task_id!r} has no {missing}: register it under an id of your own "
            "with reward_threshold=... and max_episode_steps=..."
        )
    with _make(task_id) as env:
        mean, worst = measure_random_returns(env, seed=0, episodes=100)
    if not spec.reward_threshold > mean:
        raise UserError(
            f"task {task_id!r}: random actions return {mean:g} on average, no less "
            f"than its reward_threshold {spec.reward_threshold:g}; register it with a "
            "higher one"
        )
    return TaskSpec(
        id=task_id,
        gymnasium_id=task_id,
        max_steps=spec.max_episode_steps,
        solved_return=float(spec.reward_threshold),
        random_return=mean,
        worst_return=worst,
        obs_size=obs_size,
        n_actions=n_actions,
        native=None,
    )


def _gymnasium_spec(task_id: str) -> gymnasium.envs.registration.EnvSpec:
    module, _, env_id = task_id.rpartition(":")
    try:
        if module:
            importlib.import_module(module)
        return gymnasium.spec(env_id)
    except ModuleNotFoundError as error:
        raise UserError(
            f"task {task_id!r}: {error}; install the package or mend the name"
        ) from error
    except gymnasium.error.Error as error:
        hint = did_you_mean(task_id, {*list_tasks(), *gymnasium.registry})
        if hint.startswith("known:"):  # nothing is close: do not list all of Gymnasium
            hint = f"{did_you_mean('', list_tasks())} and the ids of Gymnasium"
        raise UserError(f"unknown task {task_id!r}: {hint}") from error


def _make(task_id: str) -> gymnasium.Env:
    try:
        return gymnasium.make(task_id, disable_env_checker=True)
    except (gymnasium.error.Error, ImportError, TypeError) as error:
        raise UserError(f"task {task_id!r} cannot be made: {error}") from error


def _check_spaces(task_id: str, env: gymnasium.Env) -> tuple[int, int]:
    observations, actions = env.observation_space, env.action_space
    if not isinstance(observations, Box) or not math.prod(observations.shape):
        raise UserError(
            f"task {task_id!r} has observations {observations}: only Box works, with "
            "one number or more; wrap the environment and register it under an id of "
            "your own"
        )
    if not isinstance(actions, Discrete) or actions.start != 0:
        raise UserError(
            f"task {task_id!r} has actions {actions}: only Discrete actions from 0 "
            "work; wrap the environment and register it under an id of your own"
        )
    return math.prod(observations.shape), int(actions.n)
