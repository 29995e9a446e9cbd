"""The frame of `load_evaluations`, checked and with the columns that analysis adds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from se_hpo.analysis.table_columns import KEYS, SE_KEYS
from se_hpo.envs.tasks import known_solved_return
from se_hpo.errors import UserError, did_you_mean
from se_hpo.names import REAL, TRAIN_ENVS
from se_hpo.registries import AGENTS

_REQUIRED = ("train_env", "task", "se_set", "se", "agent", "pair", "rule", "score")
_NUMBERS = ("score", "env_steps", "episodes", "seconds", "test_env_steps", "se_score")


def prepare(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Check a frame of evaluations and make its columns plain.

    Numbers become float64 (missing: NaN; columns not there: NaN), `rule` becomes
    `paper` or `fixed_steps <N>`, and `cluster` names the SE an agent was trained on. An
    agent trained on the task belongs to the SE slot of its pair, so that the same slots
    are drawn for every train_env; without any SE it is its own cluster.

    Raises:
        UserError: columns are missing, tasks are mixed, a train_env is unknown, or an
            agent is there twice.
    """
    _check(evaluations)
    frame = evaluations.reset_index(drop=True).copy()
    for name in _NUMBERS:
        frame[name] = numbers(frame[name]) if name in frame else np.nan
    frame["pair"] = numbers(frame["pair"]).astype(int)
    for name in ("se_solved", "agent_seed", "agent_base"):
        if name not in frame:
            frame[name] = pd.NA
    frame["rule"] = _rules(frame)
    _check_once(frame)
    frame["cluster"] = _clusters(frame)
    order = pd.DataFrame({key: _ranked(frame[key], key) for key in KEYS})
    order["pair"], order["cluster"] = frame["pair"], frame["cluster"]
    order = order.sort_values(list(order.columns))
    return frame.loc[order.index].reset_index(drop=True)


def numbers(column: pd.Series) -> np.ndarray:
    """A column as float64, with NaN for what is missing or not finite."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def is_true(column: pd.Series) -> pd.Series:
    """A column of yes and no, with no for what is missing."""
    return column.astype("boolean").fillna(False)


def groups(prepared: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """Keys and rows of each (rule, agent, train_env), in the order of tables."""
    for values, rows in prepared.groupby(KEYS, sort=False):
        yield dict(zip(KEYS, map(str, values), strict=True)), rows


def of_keys(rows: pd.DataFrame, keys: dict[str, str]) -> pd.DataFrame:
    """The rows of one (rule, agent, train_env)."""
    return rows[(rows[KEYS] == pd.Series(keys)).all(axis=1)]


def hyperparameters(rows: pd.DataFrame) -> list[str]:
    """Columns `hp.*` that take more than one value among `rows`."""
    names = [name for name in rows.columns if str(name).startswith("hp.")]
    return [name for name in names if rows[name].nunique(dropna=False) > 1]


def solved_only(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Without the agents of SEs whose NES run did not solve the task."""
    _check(evaluations)
    if "se_solved" not in evaluations:
        raise UserError("evaluations have no column 'se_solved': load them anew")
    keep = (evaluations["train_env"] == REAL) | is_true(evaluations["se_solved"])
    return evaluations[keep.to_numpy(bool)]


def paired(evaluations: pd.DataFrame) -> pd.DataFrame:
    """Agents trained on an SE beside the same agents trained on the task.

    One row per agent on an SE whose pair is there for the task too: its keys, then
    `score`, `env_steps`, `seconds`, each with `_se` and `_real`, `hp.*`, `cluster`.
    """
    return pairs(prepare(evaluations))


def pairs(prepared: pd.DataFrame) -> pd.DataFrame:
    """`paired` for a frame that is prepared."""
    match, values = ["rule", "agent", "pair"], ["score", "env_steps", "seconds"]
    hp = [name for name in prepared.columns if str(name).startswith("hp.")]
    same = ["agent_seed", "agent_base", *hp]
    real = prepared.loc[prepared["train_env"] == REAL, [*match, *values, *same]]
    columns = [*KEYS, *SE_KEYS, "pair", "cluster", *values, *same]
    ses = prepared.loc[prepared["train_env"] != REAL, columns]
    both = ses.merge(real, on=match, suffixes=("_se", "_real"))
    _check_same(both, same)
    sides = [f"{value}_{side}" for value in values for side in ("se", "real")]
    both = both.rename(columns={f"{name}_se": name for name in hp})
    return both[[*KEYS, *SE_KEYS, "pair", *sides, *hp, "cluster"]]


def solved_return_of(prepared: pd.DataFrame, given: float | None) -> float | None:
    """`given`, or that of the task where it is one of the measured tasks."""
    if given is not None or prepared.empty:
        return given
    return known_solved_return(prepared["task"].iloc[0])


def _check(evaluations: pd.DataFrame) -> None:
    missing = [name for name in _REQUIRED if name not in evaluations]
    if missing:
        mend = "pass the frame of se_hpo.load_evaluations"
        raise UserError(f"evaluations have no column {missing[0]!r}: {mend}")
    tasks = sorted(map(str, evaluations["task"].dropna().unique()))
    if len(tasks) > 1:
        names = ", ".join(tasks)
        raise UserError(
            f"evaluations of several tasks ({names}): analyse one at a time"
        )
    for train_env in evaluations["train_env"].dropna().unique():
        if train_env not in TRAIN_ENVS:
            hint = did_you_mean(str(train_env), TRAIN_ENVS)
            raise UserError(f"unknown train_env {train_env!r} in evaluations: {hint}")


def _check_once(frame: pd.DataFrame) -> None:
    twice = frame.duplicated([*KEYS, *SE_KEYS, "pair"])
    if twice.any():
        row = frame[twice].iloc[0]
        whose = f"{row['agent']} ({row['train_env']}, {row['rule']})"
        what = f"pair {row['pair']} of {whose} is there twice"
        raise UserError(f"{what}: analyse one records file at a time")


def _check_same(both: pd.DataFrame, names: Iterable[str]) -> None:
    """The agents of a pair are the same agent, as far as their records say."""
    for name in names:
        se, real = both[f"{name}_se"], both[f"{name}_real"]
        differ = is_true((se != real) & se.notna() & real.notna())
        if differ.any():
            row = both[differ.to_numpy(bool)].iloc[0]
            raise UserError(
                f"pair {row['pair']} of {row['agent']} is not the same agent in "
                f"{row['train_env']} and on the task ({name} differs): analyse one "
                "evaluation at a time"
            )


def _rules(frame: pd.DataFrame) -> pd.Series:
    """`fixed_steps` with its number of steps, all else as it is."""
    rules = frame["rule"].astype(str)
    fixed = rules == "fixed_steps"
    if fixed.any() and "max_env_steps" in frame:
        steps = pd.to_numeric(frame.loc[fixed, "max_env_steps"]).astype(int)
        rules[fixed] = "fixed_steps " + steps.astype(str)
    return rules


def _clusters(frame: pd.DataFrame) -> pd.Series:
    on_se = frame["train_env"] != REAL
    se = frame.loc[on_se]
    slots = se["se"].astype(str).str.zfill(3)  # as files are named; sorted by number
    match = ["rule", "agent", "pair"]  # what an SE's pairs are is each evaluation's own
    of_se = se[match].itertuples(index=False, name=None)
    slot_of = dict(zip(of_se, slots, strict=True))
    keys = frame[match].itertuples(index=False, name=None)
    named = [slot_of.get(key, f"of pair {key[-1]:06d}") for key in keys]
    labels = pd.Series([f"slot {name}" for name in named], frame.index)
    labels[on_se] = se["se_set"].astype(str) + "/" + slots
    return labels.astype(str)


def _ranked(column: pd.Series, key: str) -> pd.Series:
    """Place of each value in the order of tables: known names first."""
    known = {"agent": list(AGENTS), "train_env": list(TRAIN_ENVS), "rule": ["paper"]}
    names = known[key] + sorted(set(map(str, column)) - set(known[key]))
    return column.astype(str).map({name: place for place, name in enumerate(names)})
