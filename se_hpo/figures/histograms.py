"""Histograms of next states and rewards, SE against task (paper, Fig. 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.figures.style import HIGHLIGHT, TRAIN_ENV_COLORS, Picture, drawing

KIND_COLORS = {
    "se_training": TRAIN_ENV_COLORS["se_varied"],
    "task_test": TRAIN_ENV_COLORS["real"],
    "se_response": HIGHLIGHT,
}
_KIND_LABELS = {
    "se_training": "SE, in training",
    "task_test": "task, in tests",
    "se_response": "SE's answer to the\ntests' states and actions",
}
_CARTPOLE = ("cart position", "cart velocity", "pole angle", "pole velocity")
_STATE_NAMES = {
    "CartPole-v0": _CARTPOLE,
    "CartPole-v1": _CARTPOLE,
    "Acrobot-v1": (
        *("cos of angle 1", "sin of angle 1", "cos of angle 2", "sin of angle 2"),
        *("velocity 1", "velocity 2"),
    ),
    "MountainCar-v0": ("position", "velocity"),
    "MountainCarContinuous-v0": ("position", "velocity"),
    "Pendulum-v1": ("cos of angle", "sin of angle", "velocity"),
}
_COLUMNS = 3


def draw_histograms(counts: pd.DataFrame, task: str, source: str) -> Picture | None:
    """A panel per dimension of the next state, and one for the reward; log counts.

    Of `transitions.transition_counts`; the task's id names the dimensions, `source`
    says which SE it is.
    """
    if counts.empty:
        return None
    quantities = list(dict.fromkeys(counts["quantity"]))
    cells = len(quantities) + 1  # the last one holds the legend
    rows = -(-cells // _COLUMNS)
    with drawing(height=1.9 * rows + 0.2) as figure:
        grid = list(figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).flat)
        for axes, quantity in zip(grid, quantities, strict=False):
            _draw_quantity(axes, counts[counts["quantity"] == quantity])
            axes.set_title(_name(quantity, task))
        for axes in grid[len(quantities) :]:
            axes.set_axis_off()
        _draw_legend(grid[len(quantities)], counts)
        figure.supylabel("transitions (log scale)", fontsize=10)
    agents, steps = (int(counts[c].iloc[0]) for c in ("agents", "max_env_steps"))
    return Picture(
        "transitions",
        "How does an SE differ from the task?",
        f"{agents} DDQN agents were trained on one SE ({source}), for at most "
        f"{steps:,} env steps, and tested on the task. Histograms of next state (by "
        "dimension) and reward: as the SE gave them in training, as the task gave them "
        "in the tests, and as the SE answers to the very states and actions of those "
        "tests. The outermost bins also hold all that lies beyond (0.1 % on each side "
        "of all values). Arranged as Fig. 4 of the paper.",
        figure,
        {"": counts},
    )


def _name(quantity: str, task: str) -> str:
    names = {f"state {i}": n for i, n in enumerate(_STATE_NAMES.get(task, ()))}
    return names.get(quantity, quantity)


def _draw_quantity(axes: Axes, counts: pd.DataFrame) -> None:
    for kind, color in KIND_COLORS.items():
        mine = counts[counts["kind"] == kind]
        if mine.empty or not mine["count"].any():
            continue
        edges = np.append(mine["left"], mine["right"].iloc[-1])
        heights = mine["count"].to_numpy(float)
        area: Any = {"baseline": 0.5, "fill": True, "alpha": 0.18, "zorder": 1}
        axes.stairs(heights, edges, color=color, **area)
        axes.stairs(np.maximum(heights, 0.5), edges, color=color, linewidth=1.1)
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.locator_params(axis="x", nbins=4)


def _draw_legend(axes: Axes, counts: pd.DataFrame) -> None:
    """The kinds in words, in their colours, with their numbers of transitions."""
    sizes = counts.groupby("kind")["n"].first()
    height = 0.95
    for kind, color in KIND_COLORS.items():
        label = f"{_KIND_LABELS[kind]}\n(n = {int(sizes.get(kind, 0)):,})"
        look: Any = {"va": "top", "fontsize": 9, "fontweight": "bold", "color": color}
        axes.text(0.0, height, label, transform=axes.transAxes, **look)
        height -= 0.13 * (label.count("\n") + 1.4)
