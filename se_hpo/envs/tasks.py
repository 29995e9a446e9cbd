"""Tasks: real environments, and what it takes to solve them.

Some tasks are measured, and have a native engine but for `HalfCheetah-v5`; any other
Gymnasium id with Box or Discrete observations, and Discrete or bounded Box actions,
works as it is. `get_task` looks up and nothing else; `import_task` imports the module
that an id names, so give it no id out of a file from a stranger; `measure_task` plays
random episodes where returns are not known yet.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Discrete

from se_hpo.envs.env_api import check_spaces, measure_random_returns, random_episodes
from se_hpo.envs.gridworld import GRIDWORLDS, MOVES
from se_hpo.envs.gymnasium_specs import STORED_SOLVED, find_spec, limits_of
from se_hpo.envs.mujoco_extra import make_theirs, prepare_mujoco
from se_hpo.envs.scaling import (
    EPISODES,
    MEASURED,
    PREFIX,
    Bounds,
    ScaledObservations,
    SeenObservations,
    bounded,
    bounds_of,
    stored_bounds,
    unscaled,
)
from se_hpo.envs.vector_spaces import with_flat_observations, with_unit_actions
from se_hpo.errors import UserError


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
    """Mean return of uniformly random actions; NaN before `measure_task`."""
    worst_return: float
    """Lowest return seen with random actions; the score of a diverged agent. NaN before
    `measure_task`."""
    obs_size: int
    """Numbers in a flattened observation."""
    n_actions: int
    """Discrete actions, 0 to `n_actions` - 1; numbers of an action where continuous."""
    native: str | None
    """Name in the native engine, None where it has no such task."""
    continuous: bool = False
    """Actions are vectors; agents give numbers in [-1, 1], which `make_env` scales."""
    discrete_obs: bool = False
    """Observations are numbers 0 to `obs_size` - 1, given as one-hot vectors."""
    info_keys: tuple[str, ...] = ()
    """Numbers in the info of a step that a reward network may look at, in order."""
    native_fields: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What the native task is told; builtin values."""
    scale: Bounds = ()
    """What becomes -1 and 1 in observations, number by number; none: not scaled."""


_CMC, _HC = "MountainCarContinuous-v0", "HalfCheetah-v5"
_HC_INFO = ("x_position", "x_velocity", "reward_forward", "reward_ctrl")
# random_return and worst_return: mean and lowest return of uniformly random actions,
# `measure_random_returns(make_env(spec), seed=0, episodes=N)`, Gymnasium 1.4, with
# N = 20,000 (CartPole and gridworlds), 2,000 (Acrobot), 500 (MountainCar, HalfCheetah
# with MuJoCo 3.17), 1,000 (MountainCarContinuous) and 5,000 (Pendulum).
_MEASURED: tuple[tuple[Any, ...], ...] = (
    # id, Gymnasium's, max_steps, solved, random, worst, obs_size, n_actions, native,
    # continuous, discrete_obs, info_keys; the CartPoles differ in limit and threshold.
    ("CartPole-v0", "CartPole-v1", 200, 195.0, 22.3, 8.0, 4, 2, "cartpole"),
    ("CartPole-v1", "CartPole-v1", 500, 475.0, 22.3, 8.0, 4, 2, "cartpole"),
    ("Acrobot-v1", "Acrobot-v1", 500, -100.0, -499.1, -500.0, 6, 3, "acrobot"),
    (*["MountainCar-v0"] * 2, 200, -110.0, -200.0, -200.0, 2, 3, "mountain_car"),
    (_CMC, _CMC, 999, 90.0, -33.2, -36.0, 2, 1, "mountain_car_continuous", True),
    # Gymnasium has no threshold for it: agents that swing up and balance from any
    # start return -150 on average, and one start below -400.
    (*["Pendulum-v1"] * 2, 200, -200.0, -1233.6, -1896.2, 3, 1, "pendulum", True),
    # Solved as the authors say; Gymnasium has 4,800.
    (_HC, _HC, 1000, 3000.0, -285.5, -545.8, 17, 6, None, True, False, _HC_INFO),
)
_TASKS: dict[str, TaskSpec] = {row[0]: TaskSpec(*row) for row in _MEASURED}
_TASKS |= {
    name: TaskSpec(
        *(name, name, world.max_steps, world.solved_return),
        *(world.random_return, world.worst_return, world.n_cells, len(MOVES)),
        native="gridworld",
        discrete_obs=True,
        native_fields=world.fields(),
    )
    for name, world in GRIDWORLDS.items()
}
_CHECKED_STEPS = 200
_found: dict[str, tuple[EnvSpec, TaskSpec]] = {}
"""What was made of Gymnasium's registry, which may change in a process."""
_returns: dict[str, dict[str, Any]] = {}
"""Random and worst return of the other tasks, and the bounds of those that are scaled,
as measured or told."""


def list_tasks() -> list[str]:
    """Ids of the measured tasks.

    >>> list_tasks()[:4]
    ['CartPole-v0', 'CartPole-v1', 'Acrobot-v1', 'MountainCar-v0']
    """
    return list(_TASKS)


def get_task(task_id: str) -> TaskSpec:
    """The spec of a measured task, or one made from Gymnasium's; imports nothing.

    Of an id `module:Env-v0` the module must have been imported; `se_hpo:` may stand
    before the id of a measured task. Random returns are there if the task is measured
    (`measure_task`) or was told them (`use_returns`). Of a scaled task without bounds
    random episodes are played, once per process.

    Raises:
        UserError: an unknown id, spaces that no agent here can handle, a Gymnasium
            spec without reward threshold or step limit, or MuJoCo is missing.
    """
    if spec := known_task(task_id):
        prepare_mujoco(task_id, spec.gymnasium_id)
        return spec
    theirs = _theirs(task_id)
    if task_id not in _found or _found[task_id][0] is not theirs:
        if task_id in _found:  # another environment now
            _returns.pop(task_id, None)
        _found[task_id] = theirs, _task_from_gymnasium(task_id, theirs)
    return replace(_found[task_id][1], **_returns.get(task_id, {}))


def import_task(task_id: str) -> TaskSpec:
    """As `get_task`, after an import of the module that the id names.

    Raises:
        UserError: as `get_task`, or there is no such module.
    """
    module = (unscaled(task_id) or task_id).rpartition(":")[0]
    try:
        if module:
            importlib.import_module(module)
    except (Exception, SystemExit) as error:
        what = error if isinstance(error, ImportError) else repr(error)
        raise UserError(
            f"task {task_id!r}: {what}; install the package or mend the name"
        ) from error
    return get_task(task_id)


def check_task(task_id: str) -> TaskSpec:
    """As `import_task`, after some steps that must be as Gymnasium's API asks.

    Raises:
        UserError: as `import_task`, or what the environment did and what is asked for.
    """
    spec = import_task(task_id)
    if known_task(task_id):
        return spec
    with make_theirs(task_id, _theirs(task_id)) as env:
        random_episodes(env, task_id, seed=0, steps=_CHECKED_STEPS)
    return spec


def measure_task(task_id: str) -> TaskSpec:
    """As `import_task`, with random returns: of 100 episodes, once per process.

    They differ by a little from one version of Gymnasium to the next: what several
    processes work on takes those of the first, see `returns_of` and `use_returns`.

    Raises:
        UserError: as `check_task`, or random actions solve the task.
    """
    spec = import_task(task_id)
    if not math.isnan(spec.random_return):
        return spec
    with make_theirs(task_id, _theirs(task_id)) as env:
        mean, worst = measure_random_returns(env, seed=0, episodes=100, task=task_id)
    if not spec.solved_return > mean:
        raise UserError(
            f"task {task_id!r}: random actions return {mean:g} on average, no less "
            f"than its reward_threshold {spec.solved_return:g}; register it with a "
            "higher one"
        )
    scale = {"scale": spec.scale} if spec.scale else {}
    _returns[task_id] = {"random_return": mean, "worst_return": worst, **scale}
    return get_task(task_id)


def returns_of(task_id: str) -> dict[str, Any] | None:
    """The measured returns of a task, to be stored; None of those in this module.

    Of a scaled task its bounds, too.
    """
    measure_task(task_id)
    return None if known_task(task_id) else all_returns()[task_id]


def all_returns() -> dict[str, dict[str, Any]]:
    """What `returns_of` has given or `use_returns` taken, by task."""
    return {task_id: dict(measured) for task_id, measured in _returns.items()}


def use_returns(task_id: str, stored: Any) -> None:
    """Take over what `returns_of` gave; what is not like it is left alone."""
    values = stored if isinstance(stored, Mapping) else {}
    match values.get("random_return"), values.get("worst_return"):
        case [float(mean), float(worst)] if math.isfinite(mean + worst):
            told = {"random_return": mean, "worst_return": worst}
            bounds = unscaled(task_id) and stored_bounds(values.get("scale"))
            _returns[task_id] = told | ({"scale": bounds} if bounds else {})


def known_task(task_id: object) -> TaskSpec | None:
    """The spec of a measured task, also where MuJoCo is missing; None for others."""
    own = task_id.removeprefix("se_hpo:") if isinstance(task_id, str) else ""
    spec = _TASKS.get(own.removeprefix(PREFIX))
    if spec is None or not own.startswith(PREFIX):
        return spec
    bounds = MEASURED.get(spec.gymnasium_id)
    return replace(spec, id=own, scale=bounds) if bounds else None


def known_solved_return(task_id: object) -> float | None:
    """The solved return of a measured task, or of one that a file read here told of."""
    spec = known_task(task_id)
    return spec.solved_return if spec else STORED_SOLVED.get(str(task_id))


def make_env(spec: TaskSpec) -> gymnasium.Env:
    """A new environment of the task, truncated at `max_steps`.

    Observations are flat float vectors, one-hot ones of a `Discrete` space; actions of
    a continuous task are in [-1, 1], observations of a scaled one about there.
    """
    env = gymnasium.make(
        spec.gymnasium_id,
        max_episode_steps=spec.max_steps,
        disable_env_checker=True,
    )
    env = with_flat_observations(env)
    env = ScaledObservations(env, spec.scale) if spec.scale else env
    return with_unit_actions(env) if spec.continuous else env


def _theirs(task_id: str) -> EnvSpec:
    return find_spec(task_id, unscaled(task_id), list_tasks())


def _task_from_gymnasium(task_id: str, theirs: EnvSpec) -> TaskSpec:
    with make_theirs(task_id, theirs) as env:
        sizes = check_spaces(task_id, env)
        limits = limits_of(task_id, theirs)
        scale = _measured_bounds(task_id, env) if unscaled(task_id) else ()
    return TaskSpec(
        id=task_id,
        random_return=math.nan,
        worst_return=math.nan,
        native=None,
        scale=scale,
        **limits,
        **sizes,
    )


def _measured_bounds(task_id: str, env: gymnasium.Env) -> Bounds:
    if isinstance(env.observation_space, Discrete):
        raise UserError(
            f"task {task_id!r}: its observations are numbers, which agents see as "
            f"one-hot vectors: nothing is to be scaled; write {unscaled(task_id)}"
        )
    seen = SeenObservations(with_flat_observations(env))
    if not bounded(seen.observation_space).all():
        random_episodes(seen, task_id, seed=0, episodes=EPISODES)
    return bounds_of(seen.observation_space, seen.low, seen.high)
