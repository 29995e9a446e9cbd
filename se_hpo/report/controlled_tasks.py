"""What a hand-written controller meets on its task, and what actions are worth there.

The measure beside which stands what an SE teaches. States are those of the
controller's episodes with half of the actions random; the worth of an action is the
discounted return when the controller goes on from it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from se_hpo.envs.controllers import CONTROLLERS, Controller, own_name
from se_hpo.envs.tasks import TaskSpec, get_task, make_env

_EPISODES, _STATES, _VALUED = 8, 400, 48
_DISCOUNT, _HORIZON = 0.99, 200
_RANDOM = 0.5
_ROLLOUTS = {"CartPole-v0": 4, "CartPole-v1": 4}
"""There the controller mends any slip: the worth is a mean over such continuations with
random actions, the same ones for each action. Elsewhere it goes on without any."""


@dataclass(frozen=True)
class Controlled:
    """States of a task, and what its controller does there."""

    choices: np.ndarray
    """Actions as networks get them, one-hot or numbers in [-1, 1], `n x n_actions`."""
    observations: np.ndarray
    """`states x obs_size`, float32."""
    actions: np.ndarray
    """The controller's: a number each."""
    worth: np.ndarray
    """Of the first of the states, `valued x n`."""


def controller_of(task: str) -> Controller | None:
    """The task's controller, if it has one; of a scaled task that of the task."""
    return CONTROLLERS.get(own_name(task))


@functools.cache
def controlled(task: str) -> Controlled | None:
    """States and worths of a task, drawn from seed 0; None where it has no controller.

    Takes a few seconds.
    """
    controller, spec = controller_of(task), get_task(task)
    if controller is None:
        return None
    rng = np.random.default_rng(0)
    with make_env(spec) as env:
        raw, observations = _visited(env, controller, spec, rng)
        chosen = rng.permutation(len(raw))[:_STATES]
        raw, observations = raw[chosen], observations[chosen]
        takes = list(_choices(spec)[:, 0] if spec.continuous else range(spec.n_actions))
        worth = [
            [_worth(env, controller, spec, state, action) for action in takes]
            for state in raw[:_VALUED]
        ]
    actions = np.array([controller(state) for state in raw.tolist()])
    return Controlled(_choices(spec), observations, actions, np.array(worth))


def _choices(spec: TaskSpec) -> np.ndarray:
    if not spec.continuous:
        return np.eye(spec.n_actions, dtype=np.float32)
    return np.linspace(-1, 1, 5, dtype=np.float32)[:, None]


def _visited(
    env: gymnasium.Env[Any, Any],
    controller: Controller,
    spec: TaskSpec,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """The dynamics' states, and the observations that agents get of them."""
    base: Any = env.unwrapped
    raw, observations = [], []
    for episode in range(_EPISODES):
        observation, _ = env.reset(seed=episode)
        ended = False
        while not ended:
            raw.append(np.array(base.state, float))
            observations.append(np.array(observation, np.float32))
            action = _noisy(controller, spec, base.state, rng, _RANDOM)
            observation, _, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
    return np.array(raw), np.array(observations)


def _worth(
    env: gymnasium.Env[Any, Any],
    controller: Controller,
    spec: TaskSpec,
    state: np.ndarray,
    action: float,
) -> float:
    rollouts = _ROLLOUTS.get(own_name(spec.id), 0)
    random = _RANDOM if rollouts else 0.0
    returns = []
    for seed in range(max(1, rollouts)):
        env.reset(seed=0)
        base: Any = env.unwrapped
        base.state = state.copy()
        returns.append(_return(env, controller, spec, action, seed, random))
    return float(np.mean(returns))


def _return(
    env: gymnasium.Env[Any, Any],
    controller: Controller,
    spec: TaskSpec,
    first: float,
    seed: int,
    random: float,
) -> float:
    base: Any = env.unwrapped
    rng = np.random.default_rng(seed)
    total, weight, action = 0.0, 1.0, _as_action(spec, first)
    for _ in range(_HORIZON):
        _, reward, terminated, _, _ = env.step(action)
        total, weight = total + weight * float(reward), weight * _DISCOUNT
        if terminated:
            break
        action = _noisy(controller, spec, base.state, rng, random)
    return total


def _noisy(
    controller: Controller,
    spec: TaskSpec,
    state: Any,
    rng: np.random.Generator,
    random: float,
) -> Any:
    chance = rng.random()
    at_random = rng.uniform(-1, 1) if spec.continuous else rng.integers(spec.n_actions)
    return _as_action(spec, at_random if chance < random else controller(state))


def _as_action(spec: TaskSpec, value: Any) -> Any:
    return np.array([value], np.float32) if spec.continuous else int(value)
