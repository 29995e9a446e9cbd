"""What BOHB did: losses over time with the incumbent, and losses over budgets."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.figures import style
from se_hpo.figures.loss_axis import loss_axis
from se_hpo.figures.spots import Mark
from se_hpo.figures.style import Picture
from se_hpo.results.ranking import incumbents
from se_hpo.text import short_number

_RIM: Any = {"edgecolors": "white", "linewidths": 0.5}
_UNITS = (
    (3 * 86400.0, 86400.0, "days"),
    (2 * 3600.0, 3600.0, "hours"),
    (180.0, 60.0, "minutes"),
)


def draw_losses_over_time(
    trials: pd.DataFrame, unit_of_budget: str = "units"
) -> Picture | None:
    """Loss of every finished evaluation of `load_trials` over time, the incumbent's."""
    frame = losses_over_time(trials)
    if frame.empty:
        return None
    scale = loss_axis(frame["loss"])
    y, best = scale.drawn(frame["loss"]), scale.drawn(frame["incumbent_loss"])
    divisor, unit = _time_unit(float(frame["elapsed_seconds"].max()))
    line: Any = {"color": style.HIGHLIGHT, "linewidth": 1.6}
    with style.drawing(height=3.3) as figure:
        axes = figure.subplots()
        x = frame["elapsed_seconds"] / divisor
        axes.step(x, best, where="post", **line)
        for budget, color in budget_colors(frame["budget"]).items():
            for picked, marker in ((False, "o"), (True, "D")):
                some = (frame["budget"] == budget) & (frame["model_based"] == picked)
                look: Any = {"marker": marker, "color": color, "zorder": 3, **_RIM}
                axes.scatter(x[some], y[some], s=26, **look)
            axes.scatter([], [], s=26, color=color, label=f"budget {budget:g}")
        axes.scatter([], [], s=26, marker="D", color="white", edgecolors=style.INK)
        axes.plot([], [], label="incumbent", **line)
        if frame["model_based"].any():
            label = "picked by the model"
            axes.scatter([], [], s=22, marker="D", color=style.INK, label=label)
        scale.set_up(axes)
        axes.set_xlabel(f"time since the run began ({unit})")
        room = {"columnspacing": 1.0, "handletextpad": 0.3}
        figure.legend(loc="outside upper left", ncols=5, **room)
    return Picture(
        "bohb_over_time",
        "What the search found, and when",
        f"Each point is a finished evaluation (n = {len(frame)}): its loss, at the "
        f"time it finished; colours are budgets, in {unit_of_budget}. Diamonds were "
        "proposed by BOHB's model, circles at random. The line is the incumbent: the "
        "lowest loss at the largest budget so far, so it may rise when a larger "
        "budget is first reached. Pauses of the run count as time.",
        figure,
        {"": frame},
        _marks(axes, frame.assign(x=x, y=y), trials, unit_of_budget),
    )


def losses_over_time(trials: pd.DataFrame) -> pd.DataFrame:
    """Finished evaluations in order, each with the incumbent's loss after it."""
    done = trials[(trials["status"] == "finished") & trials["loss"].notna()]
    done = done.sort_values("finished", kind="stable")
    start = trials["started"].min()
    best = incumbents(done)[["incumbent_budget", "incumbent_loss"]]
    frame = done[["trial", "budget", "loss"]].assign(
        model_based=done["model_based"].fillna(False).astype(bool),
        elapsed_seconds=(done["finished"] - start).dt.total_seconds(),
    )
    return pd.concat([frame, best], axis=1).reset_index(drop=True)


def _time_unit(seconds: float) -> tuple[float, str]:
    for least, divisor, name in _UNITS:
        if seconds >= least:
            return divisor, name
    return 1.0, "seconds"


def budget_colors(budgets: pd.Series) -> dict[float, str]:
    """A colour per budget, dark for low and bright for high."""
    values = sorted(budgets.unique())
    palette = matplotlib.colormaps[style.SEQUENTIAL]
    shades = palette(np.linspace(0.1, 0.8, len(values)))
    return dict(zip(values, map(matplotlib.colors.to_hex, shades), strict=True))


def _marks(
    axes: Axes, frame: pd.DataFrame, trials: pd.DataFrame, unit_of_budget: str
) -> list[Mark]:
    """A point per evaluation, with loss, budget and configuration."""
    values = trials.drop_duplicates("trial").set_index("trial").filter(like="config.")
    said = words_of_evaluations(frame.join(values, on="trial"), unit_of_budget)
    rows = zip(frame["x"], frame["y"], frame["trial"], said, strict=True)
    return [Mark(axes, [x], [y], trial, words) for x, y, trial, words in rows]


def words_of_evaluations(frame: pd.DataFrame, unit_of_budget: str) -> list[str]:
    """Trial, loss, budget and configuration of each row, in lines."""
    columns = zip(frame["trial"], frame["loss"], frame["budget"], strict=True)
    heads = [
        f"{trial}: loss {loss:.4g} at {budget:g} {unit_of_budget}"
        for trial, loss, budget in columns
    ]
    pairs = zip(heads, words_of_configurations(frame), strict=True)
    return [f"{head}\n{words}" for head, words in pairs]


def words_of_configurations(frame: pd.DataFrame) -> list[str]:
    """The columns `config.*` of each row, a line for each that is there."""
    names = [name for name in map(str, frame) if name.startswith("config.")]
    rows: Any = frame[names].to_dict("records")
    return [
        "\n".join(
            f"{name.removeprefix('config.')} {short_number(value)}"
            for name, value in row.items()
            if not pd.isna(value)
        )
        for row in rows
    ]


def draw_losses_over_budgets(
    trials: pd.DataFrame, unit_of_budget: str = "units"
) -> Picture | None:
    """Loss at each budget, with lines that follow a trial from budget to budget."""
    done = trials[(trials["status"] == "finished") & trials["loss"].notna()]
    if done.empty:
        return None
    budgets = sorted(done["budget"].unique())
    frame = done[["trial", "bracket", "budget", "loss"]].copy()
    frame["x"] = frame["budget"].map(budgets.index) + _spread(frame)
    colors, scale = budget_colors(frame["budget"]), loss_axis(frame["loss"])
    frame["y"] = scale.drawn(frame["loss"])
    with style.drawing(height=3.3) as figure:
        axes = figure.subplots()
        for _, trial in frame.sort_values("budget").groupby("trial"):
            x, y = trial["x"], trial["y"]
            axes.plot(x, y, color=style.FAINT, linewidth=0.9, zorder=1)
        for budget in budgets:
            at = frame[frame["budget"] == budget]
            color = colors[budget]
            axes.scatter(at["x"], at["y"], s=24, color=color, zorder=2, **_RIM)
            median, place = float(at["y"].median()), budgets.index(budget)
            axes.hlines(median, place - 0.3, place + 0.3, color=style.INK, lw=1.4)
        sizes = frame.groupby("budget").size()
        labels = [f"{budget:g}\n(n = {sizes[budget]})" for budget in budgets]
        axes.set_xticks(range(len(budgets)), labels)
        axes.set_xlim(-0.5, len(budgets) - 0.5)
        scale.set_up(axes)
        axes.set_xlabel(f"budget ({unit_of_budget})")
    return Picture(
        "bohb_over_budgets",
        "Do low budgets foretell high ones?",
        f"Each point is a finished evaluation (n = {len(frame)}) at its budget in "
        f"{unit_of_budget}. A line follows a trial that was "
        "promoted: lines that cross mean that the order at the lower budget did not "
        "hold. Black bars are medians; only the best trials of a bracket go on to the "
        "next budget, so medians of different budgets are of different trials.",
        figure,
        {"": frame.drop(columns=["x", "y"]).reset_index(drop=True)},
        _marks(axes, frame, trials, unit_of_budget),
    )


def _spread(frame: pd.DataFrame) -> pd.Series:
    """Points of one budget side by side, in the order of their trials."""
    place = frame.groupby("budget")["trial"].rank(method="first") - 0.5
    size = frame.groupby("budget")["trial"].transform("size")
    return (place / size - 0.5) * 0.5
