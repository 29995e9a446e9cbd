"""Observations scaled to [-1, 1]: the tasks `Scaled/<id>`.

Each number is mapped affinely, from the bounds of its space where both are finite, else
from what `EPISODES` random episodes show. What an agent meets later may lie outside.
"""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs

from se_hpo.errors import UserError

PREFIX = "Scaled/"
EPISODES = 20
"""Random episodes, with seed 0, that show the bounds of what has none."""
Bounds = tuple[tuple[float, float], ...]
"""(low, high) of each number of an observation: what becomes -1 and 1."""

_ENDLESS = 1e30
"""Bounds beyond are none: some environments give the largest float32."""


def unscaled(task_id: str) -> str | None:
    """The id without scaling: `lab:Pole-v1` of `lab:Scaled/Pole-v1`; None: no such id.

    Raises:
        UserError: it is scaled twice, or its module stands behind `Scaled/`.
    """
    module, colon, name = task_id.rpartition(":")
    if module.startswith(PREFIX):
        first = module.removeprefix(PREFIX)
        raise UserError(f"task {task_id!r}: write {first}:{PREFIX}{name}")
    if not name.startswith(PREFIX):
        return None
    base = name.removeprefix(PREFIX)
    if base.startswith(PREFIX):
        raise UserError(
            f"task {task_id!r} is scaled twice: write {module}{colon}{base}"
        )
    return f"{module}{colon}{base}"


class ScaledObservations(
    gymnasium.ObservationWrapper[Any, Any, Any], RecordConstructorArgs
):
    """An environment whose observations, flat vectors, are scaled; float32."""

    def __init__(self, env: gymnasium.Env[Any, Any], bounds: Bounds) -> None:
        """Scale by `bounds`; what has no bound in its space has none then either."""
        as_json = [list(pair) for pair in bounds]  # an EnvSpec may go through JSON
        RecordConstructorArgs.__init__(self, bounds=as_json)
        gymnasium.ObservationWrapper.__init__(self, env)
        self._low, high = np.array(bounds, np.float64).T
        self._factor = 2 / (high - self._low)
        space: Any = env.observation_space
        low, high = self.observation(space.low), self.observation(space.high)
        self.observation_space = Box(low, high, dtype=np.float32)

    def observation(self, observation: Any) -> np.ndarray:
        """`obs_size`, in double precision but for the result, as the native engine."""
        unit = (np.asarray(observation, np.float64) - self._low) * self._factor - 1
        with np.errstate(over="ignore"):
            return unit.astype(np.float32)


def unscaled_observation(scaled: np.ndarray, bounds: Bounds) -> np.ndarray:
    """The task's own observation of a scaled one: `obs_size`, float64."""
    low, high = np.array(bounds, np.float64).T
    return low + (np.asarray(scaled, np.float64) + 1) * (high - low) / 2


class SeenObservations(gymnasium.ObservationWrapper[Any, Any, Any]):
    """An environment with flat observations that keeps the extremes of all it gave."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.low = np.full(env.observation_space.shape or (), np.inf)
        self.high = -self.low

    def observation(self, observation: Any) -> Any:
        """The same; a wrong one, which others find, counts for nothing."""
        if np.shape(observation) == self.low.shape:
            self.low = np.fmin(self.low, observation)
            self.high = np.fmax(self.high, observation)
        return observation


def bounded(space: Any) -> np.ndarray:
    """Which numbers of a flat Box have two finite bounds: `obs_size`, bool."""
    return (np.abs(space.low) < _ENDLESS) & (np.abs(space.high) < _ENDLESS)


def bounds_of(space: Any, low: np.ndarray, high: np.ndarray) -> Bounds:
    """Those of a flat Box, and where it has none of what was seen in random episodes.

    The latter are rounded outwards to two digits of their range, so that the last bits
    of another machine's arithmetic seldom tell.
    """
    own, pairs = bounded(space), []
    for i, is_own in enumerate(own):
        ends = (space.low, space.high) if is_own else (low, high)
        pair = float(ends[0][i]), float(ends[1][i])
        pairs.append(_apart(*(pair if is_own else _rounded(*pair))))
    return tuple(pairs)


def _rounded(low: float, high: float) -> tuple[float, float]:
    if not low < high:
        return low, high
    digits = 1 - math.floor(math.log10(high - low))
    unit = 10.0**-digits
    ends = math.floor(round(low / unit, 6)), math.ceil(round(high / unit, 6))
    return round(ends[0] * unit, digits), round(ends[1] * unit, digits)


def _apart(low: float, high: float) -> tuple[float, float]:
    """What never changes becomes 0."""
    return (low, high) if low < high else (low - 1, low + 1)


def stored_bounds(stored: Any) -> Bounds | None:
    """Bounds as they were stored in JSON; None: that is something else."""
    try:
        array = np.array(stored, np.float64)
    except (TypeError, ValueError):
        return None
    fits = array.ndim == 2 and array.shape[1] == 2 and np.isfinite(array).all()
    if not fits or not (array[:, 0] < array[:, 1]).all():
        return None
    return tuple((low, high) for low, high in array.tolist())


def same_bounds(one: Bounds, other: Bounds) -> bool:
    """Whether both scale alike, but for rounding."""
    return np.shape(one) == np.shape(other) and np.allclose(one, other, 1e-6, 1e-9)


def is_scaled(spec: EnvSpec) -> bool:
    """Whether an environment of such a spec has scaled observations."""
    wrappers = {wrapper.name for wrapper in spec.additional_wrappers}
    return spec.id.startswith(PREFIX) or ScaledObservations.__name__ in wrappers


def _table(*pairs: tuple[float, float]) -> Bounds:
    """In float32, as the spaces have them."""
    rounded = np.array(pairs, np.float32).tolist()
    return tuple((low, high) for low, high in rounded)


_CAR = _table((-1.2, 0.6), (-0.07, 0.07))
_CHEETAH = (
    *((-0.59, 0.27), (-0.7, 3.7), (-0.7, 0.9), (-0.9, 0.9), (-0.6, 0.9), (-1.1, 0.8)),
    *((-1.1, 1.1), (-0.7, 0.7), (-3.1, 3.0), (-3.1, 3.1), (-6.0, 7.0), (-20.0, 18.0)),
    *((-24.0, 23.0), (-23.0, 19.0), (-20.0, 24.0), (-27.0, 26.0), (-21.0, 20.0)),
)
MEASURED: dict[str, Bounds] = {
    "CartPole-v1": (
        *_table((-4.8, 4.8)),
        (-1.4, 1.7),
        *_table((-24 * math.pi / 180, 24 * math.pi / 180)),
        (-2.6, 2.1),
    ),
    "Acrobot-v1": _table(
        *[(-1, 1)] * 4, (-4 * math.pi, 4 * math.pi), (-9 * math.pi, 9 * math.pi)
    ),
    "MountainCar-v0": _CAR,
    "MountainCarContinuous-v0": _CAR,
    "Pendulum-v1": _table((-1, 1), (-1, 1), (-8, 8)),
    "HalfCheetah-v5": _CHEETAH,
}
"""Of the measured tasks, by their Gymnasium id; what was seen with Gymnasium 1.4 and
MuJoCo 3.17."""
