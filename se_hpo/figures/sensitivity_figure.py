"""How much agents depend on their hyperparameters, per train_env."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.agents.registry import agent_label
from se_hpo.figures import style
from se_hpo.figures.style import Picture
from se_hpo.names import train_env_label


def draw_sensitivity(table: pd.DataFrame, name: str, what: str) -> Picture | None:
    """Spread of the scores, and the share that hyperparameters explain.

    Of `analysis.sensitivity_table`, of one stopping rule, which is called `what`.
    """
    table = table.dropna(subset=["std"])
    if table.empty:
        return None
    arms = pd.MultiIndex.from_frame(table[["agent", "train_env"]])
    rows = table.set_index(arms).loc[style.arms_in(table)].reset_index(drop=True)
    places = row_places(rows["agent"])
    with style.drawing(height=0.27 * -places.min() + 1.0) as figure:
        left, right = figure.subplots(1, 2, sharey=True)
        _draw_spread(left, rows, places)
        _draw_explained(right, rows, places)
        label_rows(left, rows, places)
    return Picture(
        name,
        f"How sensitive are agents to their hyperparameters? ({what})",
        "Agents with random hyperparameters. Left: standard deviation of their scores, "
        "with 95 % interval; smaller means less sensitive. Right: share of the "
        "variance of the scores that the hyperparameters explain (adjusted R² of "
        "their main effects; below 0: no more than chance); the rest is chance and "
        "which SE it was.",
        figure,
        {"": rows},
    )


def row_places(agents: pd.Series) -> np.ndarray:
    """Heights of rows, from the top down, with room for a heading over each agent."""
    names = agents.to_numpy(str)
    is_new = np.append(True, names[1:] != names[:-1])
    places: np.ndarray = -(np.arange(len(agents)) + 1.1 * np.cumsum(is_new))
    return places


def label_rows(axes: Axes, rows: pd.DataFrame, places: np.ndarray) -> None:
    """Settings beside the rows, and each agent as a heading over its own."""
    axes.set_yticks(places, [train_env_label(s) for s in rows["train_env"]])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(places.min() - 0.6, 0.15)
    for agent in style.agents_in(rows["agent"]):
        top = places[(rows["agent"] == agent).to_numpy()].max()
        look: Any = {"fontsize": 9, "fontweight": "bold", "va": "center"}
        look["xycoords"] = ("axes fraction", "data")
        style.beside(axes, agent_label(agent), (0, top + 0.85), (4, 0), **look)


def _draw_spread(axes: Axes, rows: pd.DataFrame, places: np.ndarray) -> None:
    for place, row in zip(places, rows.to_dict("records"), strict=True):
        color = style.train_env_color(row["train_env"])
        if np.isfinite(row["std_low"]) and np.isfinite(row["std_high"]):
            axes.hlines(place, row["std_low"], row["std_high"], color=color, lw=2)
        axes.plot(row["std"], place, "o", color=color, markersize=6)
    axes.set_xlim(left=0)
    axes.set_xlabel("standard deviation of scores")


def _draw_explained(axes: Axes, rows: pd.DataFrame, places: np.ndarray) -> None:
    shares = rows["explained"].to_numpy(float)
    colors = [style.train_env_color(s) for s in rows["train_env"]]
    axes.barh(places, np.nan_to_num(shares), height=0.5, color=colors)
    for place, share in zip(places, shares, strict=True):
        text = f"{share:.0%}" if np.isfinite(share) else "unknown"
        end = max(0.0, np.nan_to_num(share))
        style.beside(axes, text, (end, place), (3, 0), va="center", fontsize=8.5)
    axes.axvline(0, color="#767676", linewidth=0.8)
    axes.set_xlim(min(0.0, float(np.nanmin([*shares, 0.0]))), 1)
    axes.set_xlabel("explained by hyperparameters")
