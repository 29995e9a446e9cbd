"""Hand-written controllers that solve tasks, as a measure of what SEs teach.

Each is a few lines from the task's physics, nothing is learned: CartPole by linear
feedback, MountainCar by pushing along the velocity, Pendulum by pumping energy and then
holding, Acrobot by torque along the lower joint's velocity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Controller = Callable[[Sequence[float]], float]
"""The dynamics' state (`env.unwrapped.state`) -> an action: its number, or where it is
continuous one number in [-1, 1]."""


def _cartpole(state: Sequence[float]) -> float:
    position, velocity, angle, angular_velocity = state
    lean = 0.2 * position + 0.5 * velocity + 10 * angle + 2 * angular_velocity
    return float(lean > 0)


def _mountain_car(state: Sequence[float]) -> float:
    return 2.0 if state[1] >= 0 else 0.0


def _mountain_car_continuous(state: Sequence[float]) -> float:
    return 1.0 if state[1] >= 0 else -1.0


def _acrobot(state: Sequence[float]) -> float:
    return 2.0 if state[3] > 0 else 0.0


def _pendulum(state: Sequence[float]) -> float:
    angle = (state[0] + math.pi) % (2 * math.pi) - math.pi
    velocity = state[1]
    if abs(angle) < 0.6:
        return float(np.clip(-6 * angle - 1.5 * velocity, -1, 1))
    missing = 5 * (1 - math.cos(angle)) - velocity**2 / 6  # of the energy at the top
    return math.copysign(1.0, missing) * (1.0 if velocity >= 0 else -1.0)


CONTROLLERS: dict[str, Controller] = {
    "CartPole-v0": _cartpole,
    "CartPole-v1": _cartpole,
    "Acrobot-v1": _acrobot,
    "MountainCar-v0": _mountain_car,
    "MountainCarContinuous-v0": _mountain_car_continuous,
    "Pendulum-v1": _pendulum,
}
"""By the task's own name."""


def own_name(task: str) -> str:
    """Of a task's id, without module and namespace: that of what it is made of.

    >>> own_name("se_hpo:Scaled/MountainCar-v0")
    'MountainCar-v0'
    """
    return task.rpartition("/")[2].rpartition(":")[2]
