"""After how many agents an SE has paid for what it cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import StrMethodFormatter

from se_hpo.figures import style
from se_hpo.figures.sensitivity_figure import label_rows, row_places
from se_hpo.figures.style import Picture

_UNITS = {"env_steps_task": "in real env steps", "cpu_seconds": "in processor time"}


def draw_break_even(table: pd.DataFrame, name: str, what: str) -> Picture | None:
    """Agents until an SE has paid for itself: a panel per unit, a row per train_env.

    Of `analysis.break_even`, of one stopping rule, which is called `what`.
    """
    if table.empty:
        return None
    keys = style.arms_in(table)
    rows = pd.DataFrame(keys, columns=["agent", "train_env"])
    places = row_places(rows["agent"])
    drawn = table[table["unit"].isin(_UNITS)]
    values = drawn[["agents", "agents_low", "agents_high"]].to_numpy(float)
    most = float(values[np.isfinite(values)].max(initial=10.0)) * 3
    with style.drawing(height=0.27 * -places.min() + 1.0) as figure:
        panels = figure.subplots(1, len(_UNITS), sharey=True, sharex=True)
        for axes, (unit, title) in zip(panels, _UNITS.items(), strict=True):
            axes.set_xscale("log")
            axes.set_xlim(0.7, most)
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.set_title(title)
            for place, (agent, train_env) in zip(places, keys, strict=True):
                here = (drawn["agent"] == agent) & (drawn["train_env"] == train_env)
                own = drawn[here & (drawn["unit"] == unit)]
                _draw_row(axes, place, own, style.train_env_color(train_env), most)
        label_rows(panels[0], rows, places)
        figure.supxlabel("agents trained on one SE until it has paid", fontsize=10)
    return Picture(
        name,
        f"When has an SE paid for itself? ({what})",
        "How many agents must be trained on one SE, instead of on the task, until "
        "that has saved what the SE cost: its NES run alone (filled dot, with 95 % "
        "interval), or with its share of BOHB (ring). In words: those that never pay, "
        "that save but return less than the task, or of which too few were compared.",
        figure,
        {"": table.reset_index(drop=True)},
    )


def _draw_row(
    axes: Axes, place: float, rows: pd.DataFrame, color: str, most: float
) -> None:
    for row in rows.to_dict("records"):
        agents: Any = row["agents"]
        if not np.isfinite(agents):
            if not row["with_bohb"]:
                look: Any = {"color": style.GREY, "fontsize": 9, "va": "center"}
                axes.text(0.95, place, row["verdict"], **look)
        elif row["with_bohb"]:
            ring: Any = {"markersize": 6, "mfc": "white", "mec": color}
            axes.plot(agents, place, "o", zorder=3, **ring)
        else:
            low, high = row["agents_low"], row["agents_high"]
            if not np.isnan(low) and not np.isnan(high):
                axes.hlines(place, max(low, 0.8), min(high, most), color=color, lw=2)
            axes.plot(agents, place, "o", color=color, markersize=6, zorder=2)
