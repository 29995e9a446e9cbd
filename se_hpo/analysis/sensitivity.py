"""How much an agent's return depends on its hyperparameters, per train_env."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import effects, estimates, table_columns
from se_hpo.analysis.effects import epsilon_squared, levels
from se_hpo.analysis.estimates import Bootstrap, Clusters
from se_hpo.analysis.forest import forest_r2
from se_hpo.analysis.ranks import rank_correlation
from se_hpo.analysis.trained_agents import (
    REAL,
    groups,
    hyperparameters,
    numbers,
    prepare,
)
from se_hpo.results.columns import tidy


def sensitivity_table(
    evaluations: pd.DataFrame,
    *,
    n_permutations: int = 999,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per rule, agent and train_env: spread of the return, what explains it.

    docs/analysis.md explains the columns. Raises a `UserError` as
    `trained_agents.prepare` does.
    """
    how = Bootstrap(seed, n_resamples, confidence)
    rows = []
    for keys, agents in groups(prepare(evaluations)):
        agents = agents[agents["score"].notna()]
        scores = agents["score"].to_numpy()
        clusters = Clusters(agents["cluster"].to_numpy(str), how)
        spread = clusters.estimate(partial(estimates.std, scores))
        explained, note = _explained(agents, n_permutations, how)
        row: dict[str, Any] = {**keys, "n_agents": len(agents), **spread.columns("std")}
        row |= {"variance": spread.value**2, **explained}
        row["explained_variance"] = row["explained"] * row["variance"]
        between = epsilon_squared(scores, agents["cluster"].to_numpy(str))
        row["between_se"] = math.nan if keys["train_env"] == REAL else between
        notes = dict.fromkeys(n for n in (spread.note, note) if n)
        rows.append({**row, "note": "; ".join(notes)})
    return tidy(rows, table_columns.SENSITIVITY)


def _explained(
    agents: pd.DataFrame, n_permutations: int, how: Bootstrap
) -> tuple[dict[str, float], str]:
    nothing = dict.fromkeys(("explained", "p_value", "explained_forest"), math.nan)
    names = hyperparameters(agents)
    scores = agents["score"].to_numpy()
    if not names:
        return nothing, "hyperparameters are not recorded, or do not vary"
    if np.all(scores == scores[0]):
        return nothing, "all agents have the same score"
    basis = effects.additive_basis([levels(agents[name]) for name in names])
    n, p = basis.shape
    if n < 2 * (p + 1):
        return nothing, f"{n} agents: too few for the effects of {p} groups"
    explained = float(effects.adjusted_r2(scores, basis))
    rng = how.generator("permutations")
    shuffled = rng.permuted(np.tile(scores, (n_permutations, 1)), axis=1)
    # Shuffled scores that tie with the real ones must not lose to rounding.
    as_good = effects.adjusted_r2(shuffled, basis) >= explained - 1e-12
    forest, note = forest_r2(agents, names, how)
    return {
        "explained": explained,
        "p_value": (1.0 + as_good.sum()) / (1.0 + n_permutations),
        "explained_forest": forest,
    }, note


def main_effects(evaluations: pd.DataFrame) -> pd.DataFrame:
    """One row per rule, agent, train_env and hyperparameter that varies.

    `share` of the variance of the score, by this one alone (`epsilon_squared` over
    `n_levels` groups); `spearman`: direction of a numeric one. Raises a `UserError` as
    `trained_agents.prepare` does.
    """
    rows = []
    for keys, agents in groups(prepare(evaluations)):
        agents = agents[agents["score"].notna()]
        scores = agents["score"].to_numpy()
        for name in hyperparameters(agents):
            group = levels(agents[name])
            share = epsilon_squared(scores, group)
            note = "" if math.isfinite(share) else "scores or groups do not differ"
            row = {"hyperparameter": name.removeprefix("hp."), "share": share}
            row |= {"n_levels": len(np.unique(group)), "note": note}
            with_score = (numbers(agents[name]), scores, "spearman", Bootstrap())
            row["spearman"] = rank_correlation(*with_score).value
            rows.append({**keys, **row})
    return tidy(rows, table_columns.MAIN_EFFECTS)
