"""What learning curves say: who learns in fewer steps, and what that has cost.

Ferreira et al. (2022), section 5. An arm is all agents of one algorithm with the same
`agent_values` and `variation`, trained on one kind of environment.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import estimates, table_columns
from se_hpo.analysis.estimates import Bootstrap, Clusters, Estimate
from se_hpo.analysis.table_columns import ARM
from se_hpo.analysis.trained_agents import REAL, numbers
from se_hpo.errors import UserError
from se_hpo.names import TRAIN_ENVS
from se_hpo.registries import AGENTS, LEARNED
from se_hpo.results.columns import tidy
from se_hpo.results.learning_curves import at_steps, grid

_AGENT = [*ARM, "se_set", "se", "pair"]
_WHERE = [name for name in ARM if name not in ("train_env", "kind")]


def curve_agents(evaluations: pd.DataFrame) -> pd.DataFrame:
    """The agents of `load_evaluations` that have a curve, in the order of tables.

    `steps_to_solve` is `solved_after`, or all training steps where that is missing;
    `kind` is empty for `real`; `cluster` is as in `trained_agents.prepare`.

    Raises:
        UserError: an agent is there twice.
    """
    rows = _plain(evaluations[evaluations["area"].notna()].copy())
    twice = rows.duplicated(_AGENT)
    if twice.any():
        row = rows[twice].iloc[0]
        what = f"pair {row['pair']} of {row['agent']} ({row['train_env']})"
        raise UserError(f"{what} is there twice: analyse one records file at a time")
    most = numbers(rows["max_env_steps"])
    rows["steps_to_solve"] = np.fmin(numbers(rows["solved_after"]), most)
    for name in ("score", "area"):
        rows[name] = numbers(rows[name])
    return rows.reset_index(drop=True)


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill keys, name clusters and sort."""
    for name in ("kind", "agent_values", "se_set"):
        rows[name] = rows[name].astype("object").fillna("")
    rows["se"] = rows["se"].astype("Int64").fillna(-1).astype(int)
    rows["cluster"] = rows["se_set"] + "/" + rows["se"].astype(str).str.zfill(3)
    learned = rows[rows["train_env"] != REAL]
    slot = dict(zip(learned["pair"], learned["se"], strict=True))
    real = rows["train_env"] == REAL
    slots = [f"slot {slot.get(pair, f'of {pair}')}" for pair in rows.loc[real, "pair"]]
    rows.loc[real, "cluster"] = slots
    known: dict[str, Iterable[str]] = {"agent": AGENTS, "train_env": TRAIN_ENVS}
    known |= {"kind": ["", *LEARNED], "variation": ("default", "varied")}
    order = [*ARM, "pair", "cluster"]
    return rows.sort_values(order, key=partial(_ranked, known))


def _ranked(known: dict[str, Iterable[str]], column: pd.Series) -> pd.Series:
    if column.name not in (*known, "agent_values", "task"):
        return column
    names = list(known.get(str(column.name), ()))
    names += sorted(set(column.astype(str)) - set(names))
    return column.astype(str).map({name: i for i, name in enumerate(names)})


def arms(rows: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Keys and rows of every arm."""
    for values, own in rows.groupby(ARM, sort=False):
        yield dict(zip(ARM, values, strict=True)), own


def curve_table(
    evaluations: pd.DataFrame,
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per arm: what docs/analysis.md explains.

    Intervals are of the cluster bootstrap over learned environments; what compares with
    the agent alone uses the same pairs. Raises a `UserError` as `curve_agents` does.
    """
    agents, how = curve_agents(evaluations), Bootstrap(seed, n_resamples, confidence)
    rows = []
    for keys, own in arms(agents):
        clusters = Clusters(own["cluster"].to_numpy(str), how)
        solved = numbers(own["solved_after"])
        found = {
            "steps_to_solve": (median, own["steps_to_solve"]),
            "share_solved": (estimates.mean, pd.Series(np.isfinite(solved))),
            "final": (estimates.mean, own["score"]),
            "area": (estimates.mean, own["area"]),
        }
        on_learned = keys["train_env"] != REAL
        row: dict[str, Any] = {**keys, "n_agents": len(own)}
        row["n_envs"] = own["cluster"].nunique() if on_learned else 0
        notes = []
        for name, (statistic, column) in found.items():
            estimate = clusters.estimate(partial(statistic, column.to_numpy(float)))
            row |= estimate.columns(name)
            notes.append(estimate.note)
        for name, estimate in _against_alone(agents, keys, own, how).items():
            row |= estimate.columns(name)
        rows.append({**row, "note": notes[0].replace("SE", "learned environment")})
    return tidy(rows, table_columns.CURVE_TABLE)


def _against_alone(
    agents: pd.DataFrame, keys: dict[str, Any], own: pd.DataFrame, how: Bootstrap
) -> dict[str, Estimate]:
    """What the same agents need less, and gain, against training on the task."""
    same = agents[_WHERE].eq(pd.Series(keys)[_WHERE]).all(axis=1)
    alone = agents[same & (agents["train_env"] == REAL)]
    if keys["train_env"] == REAL:
        alone = alone.iloc[:0]
    both = own.merge(alone, on="pair", suffixes=("", "_alone"))
    clusters = Clusters(both["cluster"].to_numpy(str), how)
    saved = (both["steps_to_solve_alone"] - both["steps_to_solve"]).to_numpy(float)
    gained = (both["area"] - both["area_alone"]).to_numpy(float)
    return {
        "steps_saved": clusters.estimate(partial(estimates.mean, saved)),
        "area_gain": clusters.estimate(partial(estimates.mean, gained)),
    }


def median(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted median per row of weights; the mean of the two in the middle."""
    total = weights.sum(axis=1)
    first, last = np.floor((total - 1) / 2), np.floor(total / 2) + 1
    return estimates.mean_of_ranks(values, weights, first, last)


def mean_curves(
    curves: pd.DataFrame,
    places: Sequence[int] | np.ndarray | None = None,
    *,
    seed: int = 0,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The mean test return of every arm by training steps, with its interval.

    Of `load_curves`, at the steps `places`; None for the places where curves are exact.
    """
    rows, how = _plain(curves.copy()), Bootstrap(seed, n_resamples, confidence)
    parts = []
    for keys, own in arms(rows):
        steps = grid(int(keys["max_env_steps"]))
        at = steps if places is None else np.asarray(places, np.int64)
        values, labels = _values(own, at)
        weights = Clusters(labels, how).weights
        low, high = _band(values, weights, len(set(labels)), how)
        part = {"step": at, "mean": values.mean(axis=0), "low": low, "high": high}
        own_keys = {**keys, "n_agents": len(values)}
        parts.append(pd.DataFrame(part).assign(**own_keys))
    found: Any = pd.concat(parts).to_dict("records") if parts else []
    return tidy(found, table_columns.MEAN_CURVES)


def _values(own: pd.DataFrame, at: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Agents x places, and the cluster of each agent."""
    values, labels = [], []
    for _, agent in own.groupby(["se_set", "se", "pair"], sort=False):
        agent = agent.sort_values("step")
        steps, returns = agent["step"].to_numpy(), agent["return"].to_numpy()
        values.append(at_steps(steps, returns, at))
        labels.append(str(agent["cluster"].iloc[0]))
    return np.array(values), labels


def _band(
    values: np.ndarray, weights: np.ndarray, n_clusters: int, how: Bootstrap
) -> tuple[np.ndarray, np.ndarray]:
    if not len(weights):
        none = np.full(values.shape[1], np.nan)
        return none, none
    means = weights @ values / weights.sum(axis=1, keepdims=True)
    ends = [how.quantiles(column, n_clusters) for column in means.T]
    return tuple(np.array(ends).T)


def curve_break_even(
    table: pd.DataFrame, evaluations: pd.DataFrame, outcomes: pd.DataFrame
) -> pd.DataFrame:
    """What a reward network cost, against what it saves per agent, in task steps.

    Its cost are all steps of the agents that were trained and tested for it: their
    dynamics are the task's. One row per arm on reward networks of `curve_table`, with
    its `evaluations`; `outcomes` of `load_ses`.
    """
    of_rewards = [n for n, kind in LEARNED.items() if kind.reward is not None]
    agents, rows = curve_agents(evaluations), []
    arms_there: Any = table[table["kind"].isin(of_rewards)].to_dict("records")
    for row in arms_there:
        same = agents[ARM].eq(pd.Series(row)[ARM]).all(axis=1)
        sets = outcomes[outcomes["se_set"].isin(set(agents.loc[same, "se_set"]))]
        there = int(sets["best_score"].notna().sum())
        total = sets[["env_steps_task", "env_steps_se"]].to_numpy(float).sum()
        cost = float(total) / there if there else math.nan
        rows.append({**row, "cost": cost, **_paid(cost, row)})
    return tidy(rows, table_columns.CURVE_BREAK_EVEN)


def _paid(cost: float, row: dict[Any, Any]) -> dict[str, Any]:
    saved: dict[str, float] = {e: row[f"steps_saved{e}"] for e in ("", "_low", "_high")}
    if not math.isfinite(cost + saved[""]):
        return {"verdict": "unknown", "agents": math.nan}
    if saved[""] <= 0:
        return {"verdict": "never", "agents": math.nan}
    agents = {end: _ratio(cost, saved[end]) for end in saved}
    return {
        "verdict": "pays off" if saved["_low"] > 0 else "perhaps",
        "agents": agents[""],
        "agents_low": agents["_high"],
        "agents_high": agents["_low"],
    }


def _ratio(cost: float, saved: float) -> float:
    if math.isnan(saved):
        return math.nan
    return math.ceil(cost / saved) if saved > 0 else math.inf
