"""What one-step SEs teach: initial states, rewards of actions, preferred actions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.figures import style
from se_hpo.figures.style import Picture

_MOST_MAPS = 3
_TITLE: Any = {"fontsize": 7.5, "fontweight": "normal"}
_DOTS: Any = {"s": 5, "linewidths": 0, "rasterized": True}


def draw_taught(
    agreement: pd.DataFrame, points: pd.DataFrame, maps: pd.DataFrame
) -> Picture | None:
    """A row per set: its best SE. Frames of `report.taught`, of one task."""
    if agreement.empty:
        return None
    sets = list(dict.fromkeys(agreement["se_set"]))
    actions = _shown(list(dict.fromkeys(maps["action"])))
    with style.drawing(height=2.0 * len(sets) + 0.6) as figure:
        grid = figure.subplots(len(sets), len(actions) + 3, squeeze=False)
        for row, name in zip(grid, sets, strict=True):
            own = (f[f["se_set"] == name] for f in (points, maps, agreement))
            _draw_row(row, actions, *own)
        for axes in grid.flat:
            axes.tick_params(labelsize=6)
            axes.locator_params(nbins=3)
        figure.supxlabel(points["x_name"].iloc[0], fontsize=7)
        for axes, name in zip(grid[:, 0], sets, strict=True):
            axes.set_ylabel(f"{name}\n{points['y_name'].iloc[0]}", fontsize=7)
    frames = {"": agreement, "points": points, "maps": maps}
    said = _caption(agreement)
    return Picture("taught", "What do the SEs teach?", said, figure, frames)


def _shown(actions: list[str]) -> list[str]:
    """At most three: of more the ends and the middle."""
    if len(actions) <= _MOST_MAPS:
        return actions
    return [actions[0], actions[len(actions) // 2], actions[-1]]


def _draw_row(
    row: np.ndarray,
    actions: list[str],
    points: pd.DataFrame,
    maps: pd.DataFrame,
    agreement: pd.DataFrame,
) -> None:
    visited = points[points["what"] == "visited"]
    starts = points[points["what"] == "initial"]
    row[0].scatter(visited["x"], visited["y"], color=style.FAINT, **_DOTS)
    row[0].scatter(starts["x"], starts["y"], color=style.HIGHLIGHT, **_DOTS)
    row[0].set_title("starts", **_TITLE)
    most = float(maps["value"].abs().max()) or 1.0
    for axes, action in zip(row[1:], actions, strict=False):
        _draw_map(axes, maps[maps["action"] == action], most)
        axes.set_title(f"action {action}", **_TITLE)
    for k, axes in enumerate(row[1:]):
        axes.set_xlim(visited["x"].min(), visited["x"].max())
        axes.set_ylim(visited["y"].min(), visited["y"].max())
        axes.tick_params(labelleft=k == 0)
    share = agreement["agreement"].mean()
    ends = {"vmin": visited["controller"].min(), "vmax": visited["controller"].max()}
    for axes, what in zip(row[-2:], ("taught", "controller"), strict=True):
        look: Any = {**_DOTS, "c": visited[what], "cmap": "coolwarm", **ends}
        axes.scatter(visited["x"], visited["y"], **look)
        axes.set_title(what + f" ({share:.0%})" * (what == "taught"), **_TITLE)


def _draw_map(axes: Axes, own: pd.DataFrame, most: float) -> None:
    table = own.pivot(index="y", columns="x", values="value")
    x, y = table.columns.to_numpy(float), table.index.to_numpy(float)
    bounds: Any = {"vmin": -most, "vmax": most, "cmap": "PuOr_r", "shading": "nearest"}
    axes.pcolormesh(x, y, table.to_numpy(float), rasterized=True, **bounds)


def _caption(agreement: pd.DataFrame) -> str:
    means = agreement.groupby("se_set", sort=False)[["agreement", "correlation"]].mean()
    said = "; ".join(
        f"{name}: {row['agreement']:.0%} and {row['correlation']:.2f}"
        for name, row in means.iterrows()
    )
    return (
        f"One-step SEs of {agreement['task'].iloc[0]}, the best of each set. Starts: "
        "initial states that the SE gives, over states that the task's hand-written "
        "controller visits when half of its actions are random (grey). Action: the "
        "reward of an action less the mean over actions, orange for more. Last two: "
        "the action that the SE rewards most in these states, and the controller's, "
        "from the lowest (blue) to the highest (red). How often they are equal, and "
        "how the rewards correlate with what the actions are worth when the controller "
        f"goes on, means over all SEs of a set: {said}."
    )
