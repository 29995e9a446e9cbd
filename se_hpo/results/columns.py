"""Tidy frames: columns and dtypes of everything that `se_hpo.results.trials` returns.

What a column means is said above it or, without a comment there, by the record that it
comes from; docs/results.md shows both (`make docs-tables`). A column is there with its
dtype whether the frame has rows or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from se_hpo.names import STOP_REASONS
from se_hpo.storage.json_records import fits

TIME = "datetime64[us, UTC]"

TRIAL_COLUMNS: dict[str, str] = {
    # Name of the run's folder.
    "run": "string",
    "trial": "string",
    "bracket": "int64",
    "rung": "int64",
    "budget": "float64",
    # `finished`; `failed`: it raised; `running`.
    "status": "string",
    "loss": "float64",
    "reason": "string",
    # The configuration was picked by BOHB's model, not at random.
    "model_based": "boolean",
    "score_final": "float64",
    "score_best": "float64",
    "generations": "int64",
    "generations_to_solve": "Int64",
    "env_steps_se": "int64",
    "env_steps_task": "int64",
    "wall_seconds": "float64",
    "cpu_seconds": "float64",
    "seed": "Int64",
    "worker": "string",
    "host": "string",
    # Queued by the master.
    "submitted": TIME,
    # Begun by the worker.
    "started": TIME,
    # Ended; missing while it runs.
    "finished": TIME,
    "error": "string",
}
"""Columns of `load_trials`, before `config.*` and `info.*`."""

GENERATION_COLUMNS: dict[str, str] = {
    # Name of the run's folder.
    "run": "string",
    # Name of the trial.
    "trial": "string",
    "generation": "int64",
    "center_score": "float64",
    # Their sample standard deviation; NaN for a single agent.
    "center_std": "float64",
    # Mean score over the perturbed SEs, both signs.
    "member_score_mean": "float64",
    # Best score of a perturbed SE.
    "member_score_max": "float64",
    "best_score": "float64",
    # The center score reached the task's solved return; missing for tasks outside the
    # package's list.
    "solved": "boolean",
    "step_norm": "float64",
    "center_diverged": "Int64",
    "env_steps_se": "int64",
    "env_steps_task": "int64",
    **{f"stop_reasons.{reason}": "int64" for reason in STOP_REASONS},
    "wall_seconds": "float64",
    "cpu_seconds": "float64",
}
"""Columns of `load_generations`."""

SE_COLUMNS: dict[str, str] = {
    # Name of the run's folder; missing for a set elsewhere.
    "run": "string",
    # Name of the set's folder.
    "se_set": "string",
    # Number of the SE in its set, from 0.
    "se": "int64",
    "train_env": "string",
    "task": "string",
    "solved": "boolean",
    "solved_at": "Int64",
    "generations": "int64",
    "best_score": "float64",
    "final_score": "float64",
    "reason": "string",
    "trainings": "int64",
    "env_steps_se": "int64",
    "env_steps_task": "int64",
    "wall_seconds": "float64",
    "cpu_seconds": "float64",
    "seed": "Int64",
    "engine": "string",
    "host": "string",
    # File of the SE; missing where the run raised.
    "checkpoint": "string",
}
"""Columns of `load_ses`."""

SE_GENERATION_COLUMNS: dict[str, str] = {
    "run": "string",
    "se_set": "string",
    "se": "int64",
    **{k: v for k, v in GENERATION_COLUMNS.items() if k not in ("run", "trial")},
}
"""Columns of `load_se_generations`."""

_NUMBERS = {"int64": 0, "float64": float("nan")}


def tidy(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame with exactly these columns; a value missing from a row is missing there.

    Missing counts are 0. Times are Unix seconds in the rows; 0 is no time.
    """
    return pd.DataFrame(
        {
            name: _column([row.get(name) for row in rows], dtype)
            for name, dtype in columns.items()
        }
    )


def _column(values: list[Any], dtype: str) -> pd.Series:
    if dtype == TIME:
        micros = [None if not v else round(v * 1e6) for v in values]
        times = pd.Series(micros, dtype="Int64").astype("datetime64[us]")
        return times.dt.tz_localize("UTC")
    if dtype in _NUMBERS:
        values = [_NUMBERS[dtype] if v is None else v for v in values]
    return pd.Series(values, dtype=dtype)


def hyperparameter_dtypes(parameters: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Dtype of each hyperparameter, as ConfigSpace's JSON describes them.

    >>> hyperparameter_dtypes([
    ...     {"name": "a", "type": "uniform_int", "lower": 1, "upper": 2},
    ...     {"name": "b", "type": "categorical", "choices": ["x", "y"]}])
    {'a': 'Int64', 'b': 'string'}
    """
    dtypes = {}
    for parameter in parameters:
        kind = parameter["type"]
        if kind.endswith("_float"):
            dtype = "float64"
        elif kind.endswith("_int"):
            dtype = "Int64"
        else:
            keys = ("choices", "sequence", "value")
            dtype = dtype_of(_flatten(parameter.get(key) for key in keys))
        dtypes[parameter["name"]] = dtype
    return dtypes


def dtypes_of(
    rows: Sequence[Mapping[str, Any]], prefix: str, declared: Mapping[str, str]
) -> dict[str, str]:
    """Dtypes of the columns that start with `prefix`, the declared ones first.

    A declared dtype that cannot hold a value found in the rows gives way.
    """
    values: dict[str, list[Any]] = {name: [] for name in declared}
    for row in rows:
        for name, value in row.items():
            if name.startswith(prefix):
                values.setdefault(name, []).append(value)
    found = {name: dtype_of(column) for name, column in values.items()}
    for name, dtype in declared.items():
        empty = all(value is None for value in values[name])
        if empty or (found[name], dtype) == ("Int64", "float64"):
            found[name] = dtype
    return found


def _flatten(values: Iterable[Any]) -> list[Any]:
    lists = (v if isinstance(v, list) else [v] for v in values)
    return [v for v in itertools.chain.from_iterable(lists) if v is not None]


def dtype_of(values: Iterable[Any]) -> str:
    """The nullable dtype that holds builtin values without changing them.

    >>> dtype_of([1, 2]), dtype_of([1, 2.5]), dtype_of(["a", 1]), dtype_of([True])
    ('Int64', 'float64', 'object', 'boolean')
    """
    known = [v for v in values if v is not None]
    kinds = {type(v) for v in known}
    if int in kinds and any(type(v) is int and not fits(v) for v in known):
        return "object"
    names: list[tuple[set[type], str]] = [
        ({bool}, "boolean"),
        ({int}, "Int64"),
        ({int, float}, "float64"),
        ({str}, "string"),
    ]
    found = (name for allowed, name in names if kinds and kinds <= allowed)
    return next(found, "object")
