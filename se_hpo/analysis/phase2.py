"""What agents reached on the task, by what they were trained on."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from se_hpo.analysis import estimates, table_columns
from se_hpo.analysis.estimates import Bootstrap, Clusters, Estimate
from se_hpo.analysis.table_columns import KEYS, SE_KEYS
from se_hpo.analysis.trained_agents import (
    REAL,
    groups,
    is_true,
    of_keys,
    pairs,
    prepare,
    solved_return_of,
)
from se_hpo.results.columns import tidy


def train_env_table(
    evaluations: pd.DataFrame,
    *,
    solved_return: float | None = None,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per rule, agent and train_env: what docs/analysis.md explains.

    A value is the score of one agent (mean test return). Intervals are percentiles of
    the cluster bootstrap over SEs. What compares with `real` uses the agents that were
    trained on both, pair by pair.

    Of a frame of `se_hpo.load_evaluations`, one task; `solved_return` stands in for the
    task's own. Raises a `UserError` as `trained_agents.prepare` does.
    """
    prepared = prepare(evaluations)
    how = Bootstrap(seed, n_resamples, confidence)
    solved_at = solved_return_of(prepared, solved_return)
    both = pairs(prepared)
    rows = []
    for keys, agents in groups(prepared):
        alone, why_alone = _alone(agents, solved_at, how)
        against, why_against = _against_real(of_keys(both, keys), how)
        if keys["train_env"] == REAL:
            against, why_against = dict.fromkeys(against, math.nan), []
            against["n_pairs"] = against["n_pair_ses"] = 0
        notes = dict.fromkeys(note for note in why_alone + why_against if note)
        rows.append({**keys, **alone, **against, "note": "; ".join(notes)})
    return tidy(rows, table_columns.TRAIN_ENV_TABLE)


def _alone(
    agents: pd.DataFrame, solved_at: float | None, how: Bootstrap
) -> tuple[dict[str, Any], list[str]]:
    """What one train_env says without the others."""
    there = agents[agents["score"].notna()]
    scores = there["score"].to_numpy()
    clusters = Clusters(there["cluster"].to_numpy(str), how)
    statistics = {"mean": estimates.mean, "iqm": estimates.interquartile_mean}
    statistics["worst_decile"] = estimates.worst_decile
    found = {n: clusters.estimate(partial(f, scores)) for n, f in statistics.items()}
    found["share_solved"] = (
        Estimate(math.nan, note="solved return not known")
        if solved_at is None
        else clusters.estimate(partial(estimates.mean, scores >= solved_at))
    )
    row: dict[str, Any] = {"task": agents["task"].iloc[0], **_se_counts(agents)}
    row |= {"n_agents": len(there), "n_missing": len(agents) - len(there)}
    row |= {"std": there["score"].std(), "median": there["score"].median()}
    for name, estimate in found.items():
        row |= estimate.columns(name)
    for name in ("env_steps", "episodes"):
        row |= {f"{name}_{s}": there[name].agg(s) for s in ("mean", "std", "median")}
    for name in ("seconds", "test_env_steps"):
        row[f"{name}_mean"] = there[name].mean()
    notes = [estimate.note for estimate in found.values()]
    if len(there) < len(agents):
        notes.append(f"{len(agents) - len(there)} agents without a score left out")
    return row, notes


def _se_counts(agents: pd.DataFrame) -> dict[str, int]:
    if agents["train_env"].iloc[0] == REAL:
        return {"n_ses": 0, "n_ses_solved": 0}
    ses = agents.drop_duplicates(SE_KEYS)
    return {"n_ses": len(ses), "n_ses_solved": int(is_true(ses["se_solved"]).sum())}


def _against_real(
    matched: pd.DataFrame, how: Bootstrap
) -> tuple[dict[str, Any], list[str]]:
    """What the pairs say; NaN where there are none."""
    matched = matched.dropna(subset=["score_se", "score_real"])
    ours, real = (matched[f"score_{s}"].to_numpy() for s in ("se", "real"))
    steps, real_steps = (matched[f"env_steps_{s}"].to_numpy() for s in ("se", "real"))
    better = estimates.improvement(ours, real)
    clusters = Clusters(matched["cluster"].to_numpy(str), how)
    saved = clusters.estimate(lambda w: 1.0 - (w @ steps) / (w @ real_steps))
    found = {
        "env_steps_saved": saved,
        "difference": clusters.estimate(partial(estimates.mean, ours - real)),
        "improvement": clusters.estimate(partial(estimates.mean, better)),
    }
    row: dict[str, Any] = {"n_pairs": len(matched)}
    row["n_pair_ses"] = clusters.n_clusters
    for name, estimate in found.items():
        row |= estimate.columns(name)
    notes = [] if len(matched) else ["no agents on the task to compare with"]
    return row, notes or [estimate.note for estimate in found.values()]


def se_table(
    evaluations: pd.DataFrame, *, solved_return: float | None = None
) -> pd.DataFrame:
    """One row per rule, agent and SE: the scores of the agents trained on it."""
    prepared = prepare(evaluations)
    solved_at = solved_return_of(prepared, solved_return)
    rows = []
    on_se = prepared[prepared["train_env"] != REAL]
    for values, agents in on_se.groupby([*KEYS, *SE_KEYS], sort=False):
        scores = agents["score"].dropna()
        solved = math.nan if solved_at is None else (scores >= solved_at).mean()
        row = dict(zip([*KEYS, *SE_KEYS], values, strict=True))
        row |= {name: agents[name].iloc[0] for name in ("se_solved", "se_score")}
        row |= {"n_agents": len(scores), "share_solved": solved}
        row |= dict(scores.agg(["mean", "median"]))
        row |= {"minimum": scores.min(), "maximum": scores.max()}
        rows.append({**row, "env_steps_mean": agents["env_steps"].mean()})
    return tidy(rows, table_columns.SE_TABLE)
