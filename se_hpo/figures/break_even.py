"""After how many agents an SE has paid for what it cost in real steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.figures.style import (
    Picture,
    agent_label,
    agents_in,
    house_style,
    new_figure,
    setting_color,
    setting_label,
    settings_in,
)


def draw_break_even(table: pd.DataFrame, name: str, what: str) -> Picture | None:
    """Real env steps saved, over the number of agents, against what the SE cost.

    Args:
        table: from `analysis.break_even`, of one stopping rule.
        name: stem of the figure's files.
        what: the stopping rule in words.
    """
    if table.empty:
        return None
    table = table[(table["unit"] == "env_steps_task") & (table["cost_per_se"] > 0)]
    drawn = table[table["saved_per_agent"] > 0]
    if drawn.empty:
        return None
    agents, settings = agents_in(drawn["agent"]), settings_in(drawn["setting"])
    most = float(np.nanmax(drawn["cost_per_se"] / drawn["saved_per_agent"])) * 5
    x = np.geomspace(1, max(most, 10), 64)
    with house_style():
        figure = new_figure(height=3.0)
        grid = figure.subplots(1, len(agents), sharex=True, sharey=True, squeeze=False)
        for axes, agent in zip(grid[0], agents, strict=True):
            axes.set_title(agent_label(agent))
            for place, setting in enumerate(settings):
                some = (drawn["agent"] == agent) & (drawn["setting"] == setting)
                _draw_setting(axes, x, drawn[some], setting, place)
            axes.set_xscale("log")
            axes.set_yscale("log")
        figure.supxlabel("agents trained on one SE", fontsize=10)
        grid[0, 0].set_ylabel("real env steps")
    return Picture(
        name,
        f"When has an SE paid for itself? ({what})",
        "Rising line: real env steps saved by training so many agents on one SE "
        "instead of on the task (band: 95 % interval). Level lines: the real env "
        "steps that one SE cost, its NES run alone (solid) and with its share of "
        "BOHB (dashed). Where they cross, the SE has paid for itself; settings that "
        "save nothing are not drawn. Both axes are logarithmic. It says nothing of "
        "the returns: see the table.",
        figure,
        {"": table.reset_index(drop=True)},
    )


def _draw_setting(
    axes: Axes, x: np.ndarray, rows: pd.DataFrame, setting: str, place: int
) -> None:
    color = setting_color(setting)
    for row in rows.to_dict("records"):
        with_bohb = bool(row["with_bohb"])
        style = "--" if with_bohb else "-"
        axes.axhline(row["cost_per_se"], color=color, linestyle=style, linewidth=1.2)
        if with_bohb:
            continue
        axes.plot(x, x * row["saved_per_agent"], color=color, linewidth=2.2)
        low, high = row["saved_per_agent_low"], row["saved_per_agent_high"]
        if np.isfinite(low) and np.isfinite(high):
            axes.fill_between(
                x, x * max(low, 1e-9), x * high, color=color, alpha=0.15, linewidth=0
            )
        axes.text(
            0.97,
            0.04 + 0.09 * place,
            setting_label(setting),
            transform=axes.transAxes,
            ha="right",
            fontsize=9,
            fontweight="bold",
            color=color,
        )
