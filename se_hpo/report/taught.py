"""What one-step SEs teach: where episodes start, and which action they reward there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.controllers import own_name
from se_hpo.envs.learned import kind_of
from se_hpo.envs.learned_start import LearnedStartNets
from se_hpo.errors import UserError
from se_hpo.report.controlled_tasks import Controlled, controlled, controller_of
from se_hpo.report.run_data import RunData
from se_hpo.results.se_sets import SESet

_POINTS, _STARTS = 41, 400
_PLANES = {
    **dict.fromkeys(
        ("CartPole-v0", "CartPole-v1"), (2, 3, "pole angle", "angular velocity")
    ),
    **dict.fromkeys(
        ("MountainCar-v0", "MountainCarContinuous-v0"), (0, 1, "position", "velocity")
    ),
    "Acrobot-v1": (4, 5, "upper joint's velocity", "lower joint's velocity"),
    "Pendulum-v1": (1, 2, "sine of the angle", "angular velocity"),
}
"""Places in the observation and their names, of tasks that have a controller."""


@dataclass(frozen=True)
class Taught:
    """Frames of one-step SEs; without rows where there are none."""

    agreement: pd.DataFrame
    """Per SE: `task`, `se_set`, `train_env`, `se`, `score`; `agreement`, the share of
    the task's states in which the action that it rewards most is the controller's (of
    continuous ones within .5); `correlation` of its rewards with the worths of the
    controller's actions, both less their means in each state."""
    points: pd.DataFrame
    """Of the best SE of each set: `what` (`initial` of the SE, `visited` on the task),
    `x`, `y`; of visited states the actions `taught` and `controller`."""
    maps: pd.DataFrame
    """Of the same: `action` (`0`), `x`, `y`, `value`, the reward less its mean over
    actions; what is not `x` or `y` is as in the mean state."""


def what_is_taught(data: RunData) -> Taught:
    """What the one-step SEs of a run's sets teach, on tasks with a controller."""
    parts = [part for se_set in data.sets for part in _of_set(se_set, data)]
    frames = [pd.concat(frame, ignore_index=True) for frame in zip(*parts, strict=True)]
    return Taught(*frames) if frames else Taught(*(pd.DataFrame() for _ in range(3)))


def _of_set(
    se_set: SESet, data: RunData
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]:
    there = [o for o in se_set.outcomes if o.best_score is not None]
    one_step = kind_of(se_set.config.se).name == "one_step"
    if not (there and one_step and controller_of(se_set.task)):
        return
    own = {
        "task": se_set.task,
        "se_set": se_set.name,
        "train_env": se_set.train_env,
    }
    try:
        task = controlled(se_set.task)
        assert task is not None
        nets = [_nets(se_set, o.index) for o in there]
    except UserError as error:
        data.unreadable.append(str(error))
        return
    rows = [
        {**own, "se": o.index, "score": o.best_score, **_agreement(net, task)}
        for o, net in zip(there, nets, strict=True)
    ]
    best = nets[int(np.argmax([float(o.best_score or 0) for o in there]))]
    drawn = _points(best, task, se_set.task), _maps(best, task, se_set.task)
    yield pd.DataFrame(rows), drawn[0].assign(**own), drawn[1].assign(**own)


def _nets(se_set: SESet, index: int) -> LearnedStartNets:
    checkpoint = load_se(se_set.paths.checkpoint(index), se_set.task)
    return LearnedStartNets(se_set.task, checkpoint)


def rewards(net: LearnedStartNets, task: Controlled, states: np.ndarray) -> np.ndarray:
    """The reward of each choice in each state, `states x choices`."""
    columns = []
    for choice in task.choices:
        actions = np.broadcast_to(choice, (len(states), len(choice)))
        columns.append(net.step(actions, states)[1])
    return np.stack(columns, axis=1).astype(np.float64)


def _taught(net: LearnedStartNets, task: Controlled, states: np.ndarray) -> np.ndarray:
    """The action that is rewarded most in each state: its number, or its value."""
    best = rewards(net, task, states).argmax(axis=1)
    return task.choices[best, 0] if net.task.continuous else best


def _agreement(net: LearnedStartNets, task: Controlled) -> dict[str, float]:
    taught = _taught(net, task, task.observations)
    agrees = np.abs(taught - task.actions) <= 0.5
    given = _centred(rewards(net, task, task.observations[: len(task.worth)]))
    with np.errstate(invalid="ignore", divide="ignore"):  # rewards that are all alike
        correlation = np.corrcoef(given.ravel(), _centred(task.worth).ravel())[0, 1]
    return {"agreement": float(agrees.mean()), "correlation": float(correlation)}


def _centred(values: np.ndarray) -> np.ndarray:
    return values - values.mean(axis=1, keepdims=True)


def _plane(task_id: str) -> tuple[int, int, str, str]:
    return _PLANES[own_name(task_id)]


def _points(net: LearnedStartNets, task: Controlled, task_id: str) -> pd.DataFrame:
    i, j, x_name, y_name = _plane(task_id)
    shape = (_STARTS, net.task.obs_size)
    starts = net.start(np.random.default_rng(0).standard_normal(shape, np.float32))
    visited = task.observations
    seen = pd.DataFrame({"what": "visited", "x": visited[:, i], "y": visited[:, j]})
    seen["taught"], seen["controller"] = _taught(net, task, visited), task.actions
    frames = [
        pd.DataFrame({"what": "initial", "x": starts[:, i], "y": starts[:, j]}),
        seen,
    ]
    return pd.concat(frames, ignore_index=True).assign(x_name=x_name, y_name=y_name)


def _maps(net: LearnedStartNets, task: Controlled, task_id: str) -> pd.DataFrame:
    i, j, x_name, y_name = _plane(task_id)
    visited = task.observations
    low, high = visited.min(axis=0), visited.max(axis=0)
    axes = [np.linspace(low[k], high[k], _POINTS) for k in (i, j)]
    x, y = (grid.ravel() for grid in np.meshgrid(*axes))
    states = np.tile(visited.mean(axis=0), (len(x), 1))
    states[:, i], states[:, j] = x, y
    values = _centred(rewards(net, task, states.astype(np.float32)))
    frames = [
        pd.DataFrame({"action": name, "x": x, "y": y, "value": value})
        for name, value in zip(_names(net, task), values.T, strict=True)
    ]
    return pd.concat(frames, ignore_index=True).assign(x_name=x_name, y_name=y_name)


def _names(net: LearnedStartNets, task: Controlled) -> list[str]:
    if net.task.continuous:
        return [f"{value:g}" for value in task.choices[:, 0]]
    return [str(k) for k in range(len(task.choices))]
