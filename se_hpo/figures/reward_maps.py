"""What reward networks have learned: their output over cells of a map, or a plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from se_hpo.figures import style
from se_hpo.figures.style import Picture

_WHAT = {"best": "the best", "mean": "mean of {n}"}
_DARK = 0.65  # of the scale: signs are white from there on
_SIGN = {"S": "S", "G": "G", "O": "x", "#": "#"}


def draw_reward_maps(maps: pd.DataFrame) -> Picture | None:
    """A row per set of reward networks: the best of it, and the mean over all.

    Of `report.learned_maps`, of one task.
    """
    if maps.empty:
        return None
    sets = list(dict.fromkeys(maps["se_set"]))
    on_cells = bool(maps["cell"].ne("").any())
    height = 1.35 if on_cells else 2.2
    with style.drawing(height=height * len(sets) + 0.5) as figure:
        grid = figure.subplots(len(sets), len(_WHAT), squeeze=False, sharex=True)
        for row, name in zip(grid, sets, strict=True):
            for axes, what in zip(row, _WHAT, strict=True):
                own = maps[(maps["se_set"] == name) & (maps["what"] == what)]
                image = _draw_map(axes, own, what)
                bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=12)
                bar.ax.tick_params(labelsize=8)
        for axes in grid[-1]:
            axes.set_xlabel(maps["x_name"].iloc[0], fontsize=9)
        for axes in grid[:, 0]:
            axes.set_ylabel(maps["y_name"].iloc[0], fontsize=9)
    of = "entering each cell" if on_cells else "states; other observations are 0"
    return Picture(
        "reward_maps",
        "What have the reward networks learned?",
        f"Output of reward networks of {maps['task'].iloc[0]}, for {of}: the reward "
        "that it gives, or its potential less the mean (a potential rewards a step by "
        "how much it rises). Left the best network of a set, right the mean of all."
        + " S start, G goal, x a fall."
        * on_cells,
        figure,
        {"": maps},
    )


def _draw_map(axes: Axes, own: pd.DataFrame, what: str) -> Any:
    table = own.pivot(index="y", columns="x", values="value")
    x, y = table.columns.to_numpy(float), table.index.to_numpy(float)
    value = table.to_numpy(float)
    middle = float(value.mean())
    most = float(np.abs(value - middle).max()) or 1.0
    bounds: Any = {"vmin": middle - most, "vmax": middle + most, "cmap": "PuOr_r"}
    bounds["shading"] = "nearest"
    image = axes.pcolormesh(x, y, value, rasterized=True, **bounds)
    first = own.iloc[0]
    title = first["kind"].replace("_", " ")
    title += ", random" * str(first["train_env"]).endswith("_random")
    axes.set_title(f"{title}\n{_WHAT[what].format(n=first['n'])}", fontsize=8.5)
    axes.tick_params(labelsize=8)
    if (own["cell"] != "").any():
        axes.invert_yaxis()
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        for row in own.to_dict("records"):
            look: Any = {"ha": "center", "va": "center", "fontsize": 7}
            dark = abs(row["value"] - middle) > _DARK * most
            look["color"] = "white" if dark else style.INK
            axes.text(row["x"], row["y"], _SIGN.get(str(row["cell"]), ""), **look)
    return image
