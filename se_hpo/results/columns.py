"""Tidy frames: columns and dtypes, also without rows.

docs/results.md shows what they mean: what the records say of their fields, and
docs/tables.py of the other columns (`make docs-tables`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_origin, get_type_hints

import pandas as pd

from se_hpo.names import STOP_REASONS
from se_hpo.storage.json_records import fits

TIME = "datetime64[us, UTC]"


def numbers(*names: str) -> dict[str, str]:
    """Columns of float64."""
    return dict.fromkeys(names, "float64")


def counts(*names: str) -> dict[str, str]:
    """Columns of int64."""
    return dict.fromkeys(names, "int64")


def texts(*names: str) -> dict[str, str]:
    """Columns of strings."""
    return dict.fromkeys(names, "string")


_STEPS = counts("env_steps_se", "env_steps_task")
_SECONDS = numbers("wall_seconds", "cpu_seconds")

TRIAL_COLUMNS = {
    **texts("run", "trial"),
    **counts("bracket", "rung"),
    **numbers("budget"),
    **texts("status"),
    **numbers("loss"),
    **texts("reason"),
    "model_based": "boolean",
    **numbers("score_final", "score_best"),
    **counts("generations"),
    "generations_to_solve": "Int64",
    **(_STEPS | _SECONDS),
    "seed": "Int64",
    **texts("worker", "host"),
    **dict.fromkeys(("submitted", "started", "finished"), TIME),
    **texts("error"),
}
"""Columns of `load_trials`, before `config.*` and `info.*`."""

_GENERATION = {
    **counts("generation"),
    **numbers("center_score", "center_return", "center_std"),
    **numbers("member_score_mean", "member_score_max", "best_score"),
    "solved": "boolean",
    **numbers("step_norm"),
    "center_diverged": "Int64",
    **_STEPS,
    **counts(*(f"stop_reasons.{reason}" for reason in STOP_REASONS)),
    **_SECONDS,
}
GENERATION_COLUMNS = texts("run", "trial") | _GENERATION
"""Columns of `load_generations`."""

_SE = texts("run", "se_set") | counts("se")
SE_COLUMNS = {
    **_SE,
    **texts("train_env", "task"),
    "solved": "boolean",
    "solved_at": "Int64",
    **counts("generations"),
    **numbers("best_score", "final_score"),
    **texts("reason"),
    **counts("trainings"),
    **(_STEPS | _SECONDS),
    "seed": "Int64",
    **texts("engine", "host", "checkpoint"),
}
"""Columns of `load_ses`."""

SE_GENERATION_COLUMNS = _SE | _GENERATION
"""Columns of `load_se_generations`."""

ZOO_COLUMNS = {
    **texts("name", "task", "kind"),
    **counts("bytes"),
    **texts("recipe", "train_env"),
    "solved": "boolean",
    **counts("generations"),
    **numbers("best_score"),
    **counts("trainings"),
    **_STEPS,
    **numbers("cpu_seconds"),
}
"""Columns of `zoo.list`, before `mean.*`, `worst.*` and `se_steps.*`."""

_NUMBERS = {"int64": 0, "float64": float("nan")}
_DTYPES: dict[Any, str] = {
    **dict.fromkeys((str, str | None), "string"),
    **dict.fromkeys((float, float | None), "float64"),
    **{int: "int64", int | None: "Int64", bool | None: "boolean"},
    list[float]: "object",
}


def tidy(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """A frame with exactly these columns; a value missing from a row is missing there.

    Missing counts are 0. Times are Unix seconds in the rows; 0 is no time.
    """
    values = {name: [row.get(name) for row in rows] for name in columns}
    return pd.DataFrame({n: _column(values[n], dtype) for n, dtype in columns.items()})


def columns_of(record: type) -> dict[str, str]:
    """A column per field of a checked dataclass, as its annotation says."""
    hints = get_type_hints(record).items()
    return {n: "string" if get_origin(h) is Literal else _DTYPES[h] for n, h in hints}


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
        values = (parameter.get(key) for key in ("choices", "sequence", "value"))
        numeric = {"float": "float64", "int": "Int64"}
        dtype = numeric.get(parameter["type"].rpartition("_")[2])
        dtypes[parameter["name"]] = dtype or dtype_of(_flatten(values))
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
    if kinds == {int, float}:
        return "float64"
    names = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
    return names.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
