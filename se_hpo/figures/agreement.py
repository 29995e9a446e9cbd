"""Do hyperparameters that are good on an SE do well on the task? A scatter of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.figures import style
from se_hpo.figures.style import Picture
from se_hpo.names import train_env_label


def draw_agreement(
    pairs: pd.DataFrame, agreement: pd.DataFrame, name: str, what: str
) -> Picture | None:
    """A panel per train_env (rows) and agent (columns), a point per pair.

    Of `analysis.paired` and `analysis.rank_agreement`, of one stopping rule, which is
    called `what`.
    """
    pairs = pairs.dropna(subset=["score_se", "score_real"])
    if pairs.empty:
        return None
    agents, train_envs = (
        style.agents_in(pairs["agent"]),
        style.train_envs_in(pairs["train_env"]),
    )
    scores = pairs[["score_se", "score_real"]].to_numpy()
    ends = [scores.min(), scores.max()]
    shared: Any = {"sharex": True, "sharey": True, "squeeze": False}
    with style.drawing(height=1.85 * len(train_envs) + 0.7) as figure:
        grid = figure.subplots(len(train_envs), len(agents), **shared)
        for row, train_env in zip(grid, train_envs, strict=True):
            for axes, agent in zip(row, agents, strict=True):
                some = (pairs["agent"] == agent) & (pairs["train_env"] == train_env)
                x, y = pairs.loc[some, "score_real"], pairs.loc[some, "score_se"]
                color = style.train_env_color(train_env)
                axes.plot(ends, ends, color=style.FAINT, linewidth=1, zorder=0)
                axes.scatter(x, y, s=9, alpha=0.5, color=color, linewidths=0)
                title = _correlation(agreement, agent, train_env) if some.any() else ""
                if train_env == train_envs[0]:
                    axes.set_title(agent_label(agent), pad=17)
                place = {"transform": axes.transAxes, "va": "bottom"}
                axes.text(0, 1.02, title, fontsize=9, **place)
            row[0].set_ylabel(train_env_label(train_env))
        figure.supxlabel("score, trained on the task", fontsize=10)
        figure.supylabel("score, trained on an SE", fontsize=10)
    n = style.n_words(pairs.groupby(["agent", "train_env"]).size())
    columns = ["agent", "train_env", "se_set", "se", "pair", "score_real", "score_se"]
    return Picture(
        name,
        f"Is the SE a proxy for tuning agents? ({what})",
        "Each point is a pair of agents with the same hyperparameters and seed "
        f"(n = {n} pairs per panel), one trained on the task, one on an SE; both are "
        "tested on the task. rho is "
        "Spearman's rank correlation over the pairs with its 95 % interval: 1 would "
        "mean that the SE ranks hyperparameters as the task does, 0 that it says "
        "nothing. On the diagonal both did equally well.",
        figure,
        {"": pairs.filter(columns).reset_index(drop=True)},
    )


def _correlation(agreement: pd.DataFrame, agent: str, train_env: str) -> str:
    if agreement.empty:
        return ""
    wanted = [agent, train_env, "pooled", "spearman"]
    keys = agreement[["agent", "train_env", "level", "measure"]]
    rows = agreement[(keys == wanted).all(axis=1)]
    if rows.empty or not np.isfinite(rows["correlation"].iloc[0]):
        return "rho unknown"
    row = rows.iloc[0]
    text = f"rho {row['correlation']:.2f}"
    if np.isfinite(row["correlation_low"]):
        text += f" [{row['correlation_low']:.2f}, {row['correlation_high']:.2f}]"
    return text
