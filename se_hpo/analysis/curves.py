"""NES curves: the score of each run and of all runs together, by generation."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis.table_columns import NES_CURVES
from se_hpo.analysis.trained_agents import is_true, numbers
from se_hpo.errors import UserError

RUN_KEYS = (["run", "se_set", "se"], ["run", "trial"])
"""What names a run in `load_se_generations` and in `load_generations`."""


def run_curves(
    generations: pd.DataFrame,
    *,
    finished: Collection[tuple[Any, ...]] | None = None,
    until: int | None = None,
) -> pd.DataFrame:
    """The center score of each run by generation, ended runs carried forward.

    A run that has ended keeps its last score, the best so far included, to the last
    generation of all; a run under way stops where it is.

    Args:
        generations: frame of `load_se_generations` or `load_generations`.
        finished: what names the runs that have ended (`RUN_KEYS`). None: those whose
            last generation solved the task.
        until: last generation, from 1; None for the last of all runs.

    Returns:
        `RUN_KEYS`, `generation`, `center_score`, `best_score`, `solved` (now or
        before), `carried` (the run had ended before).

    Raises:
        UserError: the frame is neither of the two.
    """
    keys = _keys_of(generations)
    columns = [*keys, "generation", "center_score", "best_score", "solved", "carried"]
    if generations.empty:
        return pd.DataFrame(columns=columns)
    last = int(generations["generation"].max()) if until is None else until
    parts = []
    for name, rows in generations.groupby(keys, sort=False, dropna=False):
        run = _run(rows, keys, last)
        solved = is_true(rows.sort_values("generation")["solved"]).iloc[-1]
        ended = bool(solved) if finished is None else name in finished
        parts.append(_carried(run, last) if ended else run)
    return pd.concat(parts, ignore_index=True)[columns]


def _keys_of(generations: pd.DataFrame) -> list[str]:
    for keys in RUN_KEYS:
        if {*keys, "generation", "center_score", "solved"} <= set(generations.columns):
            return keys
    frames = "se_hpo.load_generations or se_hpo.load_se_generations"
    raise UserError(f"no NES generations: pass the frame of {frames}")


def _run(rows: pd.DataFrame, keys: list[str], last: int) -> pd.DataFrame:
    rows = rows[rows["generation"] <= last].sort_values("generation")
    center = numbers(rows["center_score"])
    best = numbers(rows["best_score"]) if "best_score" in rows else center
    solved = is_true(rows["solved"]).to_numpy(bool)
    frame = rows[[*keys, "generation"]].assign(center_score=center, best_score=best)
    return frame.assign(solved=np.logical_or.accumulate(solved), carried=False)


def _carried(run: pd.DataFrame, last: int) -> pd.DataFrame:
    if run.empty or run["generation"].iloc[-1] >= last:
        return run
    missing = range(int(run["generation"].iloc[-1]) + 1, last + 1)
    tail = pd.concat([run.tail(1)] * len(missing), ignore_index=True)
    tail = tail.assign(generation=list(missing), carried=True)
    return pd.concat([run, tail], ignore_index=True)


def nes_curves(
    generations: pd.DataFrame,
    *,
    by: str | None = None,
    finished: Collection[tuple[Any, ...]] | None = None,
    until: int | None = None,
) -> pd.DataFrame:
    """Mean, median and spread of the center score over runs, by generation.

    Of what `run_curves` takes, one curve per value of the column `by` (`se_set`, say).
    `n_known` runs have a score at the generation, carried forward or not; `mean`,
    `median`, `std` (divisor n - 1), `q25`, `q75` are of these. `share_solved`: now or
    before, of all `n_runs`; a run under way counts as not solved yet, so that the share
    never falls.
    """
    parts = [("", generations)] if by is None else generations.groupby(by, sort=False)
    columns = list(NES_CURVES) if by is None else [by, *NES_CURVES]
    curves = []
    for name, rows in parts:
        runs = run_curves(rows, finished=finished, until=until)
        averaged = _averaged(runs, _keys_of(generations))
        curves.append(averaged if by is None else averaged.assign(**{by: name}))
    none = pd.DataFrame(columns=columns)
    return pd.concat(curves, ignore_index=True)[columns] if curves else none


def _averaged(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    if runs.empty:
        return pd.DataFrame(columns=list(NES_CURVES))
    scores = runs.groupby("generation")["center_score"]
    curve = scores.agg(n_known="count", mean="mean", median="median", std="std")
    curve["q25"], curve["q75"] = scores.quantile(0.25), scores.quantile(0.75)
    curve["n_runs"] = len(runs[keys].drop_duplicates())
    first = runs[runs["solved"].astype(bool)].groupby(keys, dropna=False)["generation"]
    solved_by = np.sort(first.min().to_numpy(int))
    n_solved = np.searchsorted(solved_by, curve.index, side="right")
    curve["share_solved"] = n_solved / curve["n_runs"]
    return curve.reset_index()[list(NES_CURVES)]
