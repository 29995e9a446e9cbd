"""Environments held to Gymnasium's API, call by call: what breaks it is one line."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from se_hpo.errors import UserError
from se_hpo.text import text_of, typed_line

_RESET = "reset(seed=..., options=...) that returns an observation and a dict"
_STEP = (
    "step(action) that returns observation, reward, terminated, truncated and a dict"
)
_LARGEST_REWARD = float(np.finfo(np.float32).max)


class CheckedEnv:
    """An environment whose answers are checked; observations stay inside.

    Every method raises `UserError` with the task, what it did and what was asked for.
    """

    def __init__(self, task: str, env: gymnasium.Env) -> None:
        self._task, self._env = task, env

    def reset(self, seed: int | None = None) -> None:
        """Start an episode."""
        call = "reset()" if seed is None else f"reset(seed={seed})"
        answer = self._call(call, _RESET, lambda: self._env.reset(seed=seed))
        if not (isinstance(answer, tuple) and len(answer) == 2):
            raise self._error(f"{call} returned {_shown(answer)}", _RESET)
        observation, info = answer
        if not isinstance(info, dict):
            raise self._error(f"{call} returned {_shown(info)} as info", _RESET)
        self._check_observation(call, observation)

    def step(self, action: Any) -> tuple[float, bool]:
        """Take a step; returns its reward and whether the episode is over."""
        call = f"step({_shown(action)})"
        answer = self._call(call, _STEP, lambda: self._env.step(action))
        if not (isinstance(answer, tuple) and len(answer) == 5):
            raise self._error(f"{call} returned {_shown(answer)}", _STEP)
        observation, reward, *ends, info = answer
        self._check_observation(call, observation)
        for name, end in zip(("terminated", "truncated"), ends, strict=True):
            if not isinstance(end, (bool, np.bool_)) and _shown(end) not in ("0", "1"):
                raise self._error(
                    f"{call} returned {name} = {_shown(end)}", "True or False"
                )
        if not isinstance(info, dict):
            raise self._error(f"{call} returned {_shown(info)} as info", _STEP)
        return self._checked_reward(call, reward), bool(ends[0] or ends[1])

    def _call(self, call: str, asked: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except (Exception, SystemExit) as error:
            raise self._error(f"{call} raised {typed_line(error)}", asked) from error

    def _checked_reward(self, call: str, reward: Any) -> float:
        try:
            no_number = isinstance(reward, str) or np.ndim(reward)
            value = math.nan if no_number else float(reward)
        except Exception:  # noqa: BLE001 - it is anyone's object
            value = math.nan
        if not abs(value) <= _LARGEST_REWARD:
            raise self._error(
                f"{call} returned reward = {_shown(reward)}", "a finite number"
            )
        return value

    def _check_observation(self, call: str, observation: Any) -> None:
        space: Any = self._env.observation_space
        if isinstance(space, Discrete):
            self._check_number(call, observation, int(space.n))
            return
        asked = f"one of its observation_space, {space.dtype} of shape {space.shape}"
        try:
            found = np.asarray(observation)
        except Exception:  # noqa: BLE001 - rows of unequal length, anyone's object
            found = np.empty((), object)
        fits = found.shape == space.shape and np.can_cast(
            found.dtype, space.dtype, "same_kind"
        )
        if not fits or not np.isfinite(found).all():
            shown = _shown(observation if found.dtype == object else found)
            raise self._error(f"the observation of {call} is {shown}", asked)

    def _check_number(self, call: str, observation: Any, n: int) -> None:
        number = isinstance(observation, int | np.integer) and not isinstance(
            observation, bool
        )
        if not (number and 0 <= observation < n):
            asked = f"a number of its observation_space, 0 to {n - 1}"
            raise self._error(
                f"the observation of {call} is {_shown(observation)}", asked
            )

    def _error(self, what: str, asked: str) -> UserError:
        return UserError(
            f"task {self._task!r}: {what}; Gymnasium's API asks for {asked}: mend the "
            "environment"
        )


def random_episodes(
    env: gymnasium.Env,
    task: str,
    seed: int,
    episodes: float = math.inf,
    steps: float = math.inf,
) -> list[float]:
    """Returns of uniformly random actions, every answer checked (`CheckedEnv`).

    `seed` is that of environment and actions; it ends after so many episodes or steps.
    """
    checked, rng = CheckedEnv(task, env), np.random.default_rng(seed)
    checked.reset(seed)
    returns: list[float] = []
    while len(returns) < episodes and steps > 0:
        checked.reset()
        returns.append(0.0)
        ended = False
        while not ended and steps > 0:
            reward, ended = checked.step(_random_action(env.action_space, rng))
            returns[-1] += reward
            steps -= 1
    return returns


def _random_action(space: Any, rng: np.random.Generator) -> Any:
    if isinstance(space, Discrete):
        return int(rng.integers(space.n))
    return rng.uniform(space.low, space.high).astype(space.dtype)


def measure_random_returns(
    env: gymnasium.Env, seed: int, episodes: int, task: str = "task"
) -> tuple[float, float]:
    """Mean and lowest return of uniformly random actions."""
    returns = np.array(random_episodes(env, task, seed, episodes))
    return float(returns.mean()), float(returns.min())


def check_spaces(task_id: str, env: gymnasium.Env) -> dict[str, Any]:
    """The fields of a `TaskSpec` that observations and actions decide.

    Raises:
        UserError: spaces that no agent here can handle.
    """
    observations = getattr(env, "observation_space", None)
    actions = getattr(env, "action_space", None)
    if isinstance(observations, Discrete) and observations.start == 0:
        obs_size = int(observations.n)
    elif isinstance(observations, Box) and math.prod(observations.shape):
        obs_size = math.prod(observations.shape)
    else:
        raise UserError(
            f"task {task_id!r} has observations {text_of(observations)}: only Box "
            "works, with one number or more, and Discrete from 0; wrap the environment "
            "and register it under an id of your own"
        )
    if isinstance(actions, Discrete) and actions.start == 0:
        n_actions = int(actions.n)
    elif isinstance(actions, Box) and _is_bounded(actions):
        n_actions = math.prod(actions.shape)
    else:
        raise UserError(
            f"task {task_id!r} has actions {text_of(actions)}: only Discrete actions "
            "from 0 work, and bounded Box actions; wrap the environment and register "
            "it under an id of your own"
        )
    return {
        "obs_size": obs_size,
        "n_actions": n_actions,
        "continuous": isinstance(actions, Box),
        "discrete_obs": isinstance(observations, Discrete),
    }


def _is_bounded(actions: Box) -> bool:
    """Some numbers, none without end on either side, none that cannot change."""
    bounds = np.isfinite(actions.low) & np.isfinite(actions.high)
    floats = np.issubdtype(actions.dtype, np.floating)
    return floats and bool(
        actions.low.size and (bounds & (actions.low < actions.high)).all()
    )


def _shown(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray) and value.size > 6:
        what = "with NaN or infinity, " if _not_finite(value) else ""
        return f"an array {what}{value.dtype} of shape {value.shape}"
    if isinstance(value, tuple) and len(value) != 1:
        return f"{len(value)} values"
    text = " ".join(text_of(value, repr).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def _not_finite(value: np.ndarray) -> bool:
    return value.dtype.kind == "f" and not np.isfinite(value).all()
