"""What a score costs: all evaluations of a search, and those worth their cost."""

from __future__ import annotations

from typing import Any

import pandas as pd

from se_hpo.figures import style
from se_hpo.figures.search import budget_colors
from se_hpo.figures.style import Picture

_LOG_FROM = 10.0
"""Costs that differ by more than this factor are shown on a log scale."""


def draw_pareto(front: pd.DataFrame) -> Picture | None:
    """Final score against steps on the task, of `analysis.pareto_front`."""
    if front.empty:
        return None
    best = front[front["on_front"]].drop_duplicates(["env_steps_task", "score_final"])
    x, y = "env_steps_task", "score_final"
    rim: Any = {"edgecolors": "white", "linewidths": 0.5}
    with style.drawing(height=3.2) as figure:
        axes = figure.subplots()
        axes.step(best[x], best[y], where="post", color=style.INK, lw=1.2, zorder=1)
        for budget, color in budget_colors(front["budget"]).items():
            at = front[front["budget"] == budget]
            label = f"budget {budget:g}"
            axes.scatter(at[x], at[y], s=26, color=color, label=label, zorder=2, **rim)
        axes.scatter(
            best[x], best[y], s=90, facecolors="none", edgecolors=style.INK, zorder=3
        )
        lowest = float(front[x].min())
        if lowest > 0 and front[x].max() > _LOG_FROM * lowest:
            axes.set_xscale("log")
        axes.set_xlabel("steps on the task, of the whole trial so far")
        axes.set_ylabel("final score")
        figure.legend(loc="outside upper left", ncols=4)
    return Picture(
        "pareto_front",
        "What does a score cost?",
        "Each point is an evaluation: the steps on the task that its trial has spent, "
        "and the last mean score it reached. Circled, and joined by the line, are "
        "those that no other beats in both "
        f"(n = {len(front)} evaluations, {len(best)} circled).",
        figure,
        {"": front},
    )
