"""Is an SE a proxy for tuning agents? Rank correlation of hyperparameters, SE and task.

The same hyperparameters were trained on SEs and on the task: if those that do well on
an SE also do well on the task, agents can be tuned on the SE.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import table_columns
from se_hpo.analysis.estimates import Bootstrap, Clusters, Estimate, mean
from se_hpo.analysis.ranks import MEASURES, MIN_PAIRS, rank_correlation
from se_hpo.analysis.table_columns import KEYS, SE_KEYS
from se_hpo.analysis.trained_agents import pairs, prepare
from se_hpo.errors import UserError, did_you_mean
from se_hpo.results.columns import tidy

VALUES = ("score", "env_steps")


def rank_agreement(
    evaluations: pd.DataFrame,
    *,
    value: str = "score",
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Rank correlation between agents on SEs and the same agents on the task.

    One row per rule, agent, SE train_env, level (see docs/analysis.md) and measure
    (`spearman`, `kendall`), of a frame of `se_hpo.load_evaluations`, one task; `value`
    is `score` (mean test return) or `env_steps` (training steps). Intervals: bootstrap
    over SEs, at the level `averaged` Fisher's. Raises a `UserError` for an unknown
    value, and as `trained_agents.prepare` does.
    """
    if value not in VALUES:
        raise UserError(f"unknown value {value!r}: {did_you_mean(value, VALUES)}")
    how = Bootstrap(seed, n_resamples, confidence)
    rows = []
    for keys, both in pairs(prepare(evaluations)).groupby(KEYS, sort=False):
        row = dict(zip(KEYS, keys, strict=True))
        both = both.rename(columns={f"{value}_se": "x", f"{value}_real": "y"})
        both = both.dropna(subset=["x", "y"])
        for level, estimator in _ESTIMATORS.items():
            for measure in MEASURES:
                estimate, counts = estimator(both, measure, how)
                found: dict[str, Any] = estimate.columns("correlation") | counts
                found |= {"level": level, "measure": measure, "note": estimate.note}
                rows.append({**row, **found})
    return tidy(rows, table_columns.RANK_AGREEMENT)


Found = tuple[Estimate, dict[str, int]]


def _pooled(both: pd.DataFrame, measure: str, how: Bootstrap) -> Found:
    x, y = (both[side].to_numpy() for side in ("x", "y"))
    clusters = both["cluster"].to_numpy(str)
    counts = {"n": len(both), "n_clusters": len(np.unique(clusters))}
    return rank_correlation(x, y, measure, how, clusters), counts


def _within_se(both: pd.DataFrame, measure: str, how: Bootstrap) -> Found:
    per_se, most = [], 0
    for _, agents in both.groupby(SE_KEYS, sort=False):
        most = max(most, len(agents))
        x, y = (agents[side].to_numpy() for side in ("x", "y"))
        per_se.append(rank_correlation(x, y, measure, how).value)
    known = np.array([r for r in per_se if math.isfinite(r)])
    counts = {"n": len(known), "n_clusters": len(known)}
    if not len(known):
        note = "no SE has agents that differ both on it and on the task"
        few = f"no SE has {MIN_PAIRS} agents"
        return Estimate(math.nan, note=few if most < MIN_PAIRS else note), counts
    found = Clusters(np.arange(len(known)), how).estimate(lambda w: mean(known, w))
    if left_out := len(per_se) - len(known):
        note = f"{left_out} of {len(per_se)} SEs left out: too few agents that differ"
        found = replace(found, note="; ".join(filter(None, (found.note, note))))
    return found, counts


def _averaged(both: pd.DataFrame, measure: str, how: Bootstrap) -> Found:
    hp = [name for name in both.columns if str(name).startswith("hp.")]
    counts = {"n": 0, "n_clusters": int(both["cluster"].nunique())}
    if not hp:
        return Estimate(math.nan, note="hyperparameters are not recorded"), counts
    configuration = both.groupby(hp, sort=False, dropna=False)
    means = {"x": ("x", "mean"), "y": ("y", "mean")}
    shared = configuration.agg(**means, n_ses=("cluster", "nunique"))
    shared = shared[shared["n_ses"] > 1]
    counts["n"] = len(shared)
    if shared.empty:
        note = "every configuration was trained on one SE only"
        return Estimate(math.nan, note=note), counts
    x, y = shared["x"].to_numpy(), shared["y"].to_numpy()
    return rank_correlation(x, y, measure, how), counts


_ESTIMATORS = {"pooled": _pooled, "within_se": _within_se, "averaged": _averaged}
