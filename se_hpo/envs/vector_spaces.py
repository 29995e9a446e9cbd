"""Observations and actions as vectors, which is what agents and networks work with."""

from __future__ import annotations

import functools
import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, flatten, flatten_space


def with_flat_observations(env: gymnasium.Env) -> gymnasium.Env:
    """Observations as flat float vectors, one-hot ones of a `Discrete` space."""
    if len(env.observation_space.shape or ()) == 1:
        return env
    space = env.observation_space
    # Not FlattenObservation: it holds a lambda, which cannot be pickled.
    flat = functools.partial(_flat, space)
    return gymnasium.wrappers.TransformObservation(env, flat, _flat_space(space))


def _flat(space: gymnasium.Space, observation: Any) -> np.ndarray:
    flat: np.ndarray = flatten(space, observation)
    return flat.astype(np.float32) if isinstance(space, Discrete) else flat


def _flat_space(space: gymnasium.Space) -> Box:
    flat: Any = flatten_space(space)
    if isinstance(space, Discrete):
        flat = Box(0, 1, flat.shape, np.float32)
    return flat


def with_unit_actions(env: gymnasium.Env) -> gymnasium.Env:
    """Actions of [-1, 1]^n, float32, scaled to the bounds of its own."""
    box: Any = env.action_space
    shape = (math.prod(box.shape),)
    unit = Box(-1, 1, shape, np.float32)
    if box.shape == shape and (box.low == -1).all() and (box.high == 1).all():
        return env
    scale = functools.partial(_scaled, box.low, box.high)
    return gymnasium.wrappers.TransformAction(env, scale, unit)


def _scaled(low: np.ndarray, high: np.ndarray, action: np.ndarray) -> np.ndarray:
    # In higher precision: the ends, and multiples of symmetric bounds, are exact.
    unit = np.asarray(action, np.longdouble).reshape(low.shape)
    low_half, high_half = low / np.longdouble(2), high / np.longdouble(2)
    scaled = (low_half + high_half) + (high_half - low_half) * unit
    return scaled.astype(low.dtype)


def from_unit_action(space: Any, action: np.ndarray) -> np.ndarray:
    """An action of [-1, 1]^n, float32, as one of a `Box`: as `with_unit_actions`."""
    return _scaled(space.low, space.high, action)
