"""What reward networks give where: their output over the states of a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.gridworld import GRIDWORLDS
from se_hpo.envs.learned import kind_of
from se_hpo.envs.learned.reward_network import RewardNetworkConfig
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.errors import UserError
from se_hpo.report.run_data import RunData
from se_hpo.results.se_sets import SESet

_POINTS = 61


@dataclass(frozen=True)
class _Plane:
    """Two numbers of an observation, the others 0: which, from where to where."""

    names: tuple[str, str]
    places: tuple[int, int]
    ends: tuple[tuple[float, float], tuple[float, float]]
    size: int


_CARTPOLE = _Plane(
    ("pole angle (rad)", "angular velocity (rad/s)"),
    (2, 3),
    ((-0.2095, 0.2095), (-2.0, 2.0)),
    4,
)
_CAR = _Plane(("position", "velocity"), (0, 1), ((-1.2, 0.6), (-0.07, 0.07)), 2)
_PLANES = {
    **dict.fromkeys(("CartPole-v0", "CartPole-v1"), _CARTPOLE),
    **dict.fromkeys(("MountainCar-v0", "MountainCarContinuous-v0"), _CAR),
}

_Columns = dict[str, Any]


def learned_maps(data: RunData) -> pd.DataFrame:
    """The network's output of every set of reward networks, over cells or a plane.

    `task`, `se_set`, `train_env`, `kind`, `potential` (else it is a reward), `what`
    (`best`, by score, or `mean` over the set), `n`, `x`, `y` with their names `x_name`,
    `y_name`, `cell` of a map, `value` (less its mean of a potential, whose level means
    nothing). Empty where there are none, or none whose states can be drawn.
    """
    parts = [part for se_set in data.sets for part in _of_set(se_set, data)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _of_set(se_set: SESet, data: RunData) -> Iterator[pd.DataFrame]:
    config = se_set.config.se
    if not isinstance(config, RewardNetworkConfig) or config.reads_info:
        return
    found = _states(se_set.task)
    there = [o for o in se_set.outcomes if o.best_score is not None]
    if found is None or not there:
        return
    states, columns = found
    try:
        values = [_output(se_set, o.index, states) for o in there]
    except UserError as error:
        data.unreadable.append(str(error))
        return
    if config.potential:
        values = [value - value.mean() for value in values]
    best = int(np.argmax([float(o.best_score or 0) for o in there]))
    own: _Columns = {
        "task": se_set.task,
        "se_set": se_set.name,
        "train_env": se_set.train_env,
    }
    own |= {"kind": kind_of(config).name, "potential": config.potential}
    shown = {"best": (1, values[best]), "mean": (len(there), np.mean(values, axis=0))}
    for what, (n, value) in shown.items():
        more = {"what": what, "n": n, "value": value}
        yield pd.DataFrame(columns).assign(**own, **more)


def _output(se_set: SESet, index: int, states: np.ndarray) -> np.ndarray:
    checkpoint = load_se(se_set.paths.checkpoint(index), se_set.task)
    return RewardFunction(checkpoint, discount=1.0).outputs(states)


def _states(task: str) -> tuple[np.ndarray, _Columns] | None:
    """Observations, and where each is drawn."""
    task_id = task.rpartition(":")[2]
    if task_id in GRIDWORLDS:
        return _cells(GRIDWORLDS[task_id].map)
    return _plane(_PLANES[task_id]) if task_id in _PLANES else None


def _cells(text: str) -> tuple[np.ndarray, _Columns]:
    rows = text.split("\n")
    y, x = np.divmod(np.arange(len(rows) * len(rows[0])), len(rows[0]))
    names = {"x_name": "column", "y_name": "row", "cell": list("".join(rows))}
    return np.eye(len(x), dtype=np.float32), {"x": x, "y": y, **names}


def _plane(plane: _Plane) -> tuple[np.ndarray, _Columns]:
    axes = [np.linspace(*ends, _POINTS) for ends in plane.ends]
    x, y = (grid.ravel() for grid in np.meshgrid(*axes))
    states = np.zeros((len(x), plane.size), np.float32)
    states[:, plane.places[0]], states[:, plane.places[1]] = x, y
    x_name, y_name = plane.names
    return states, {"x": x, "y": y, "x_name": x_name, "y_name": y_name, "cell": ""}
