"""Which hyperparameters mattered, and all trials in parallel coordinates."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize

from se_hpo.figures import style
from se_hpo.figures.loss_axis import loss_axis
from se_hpo.figures.search import words_of_evaluations
from se_hpo.figures.spots import Mark
from se_hpo.figures.style import Picture

_MOST_BARS = 12
_MOST_AXES = 7
_LINE = 11
"""Letters that fit between two of them."""


def draw_importance(
    importance: pd.DataFrame, note: str, unit_of_budget: str = "units"
) -> Picture | None:
    """Bars of hyperparameter importance, the most important on top.

    Columns `hyperparameter`, `importance`, and `budget`, `n_trials`, `share` (what the
    numbers are shares of), the same in all rows; the analysis' `note` is added to the
    caption.
    """
    if importance.empty:
        return None
    top = importance.sort_values("importance", ascending=False, kind="stable")
    top = top.head(_MOST_BARS).iloc[::-1]
    budget, n = importance["budget"].iloc[0], importance["n_trials"].iloc[0]
    where = f"budget {budget:g} {unit_of_budget}, n = {n} trials"
    with style.drawing(height=0.28 * len(top) + 1.1) as figure:
        axes = figure.subplots()
        shares = top["importance"]
        axes.barh(top["hyperparameter"], shares, color=style.GREY, height=0.6)
        for place, value in enumerate(shares):
            text = f"{value:.2f}"
            style.beside(axes, text, (value, place), (3, 0), va="center", fontsize=9)
        axes.set_xlim(left=0)
        axes.margins(x=0.1)
        axes.set_xlabel(importance["share"].iloc[0])
        axes.set_title(where)
    is_cut = len(importance) > _MOST_BARS
    few = f" The {_MOST_BARS} largest of {len(importance)}." * is_cut
    return Picture(
        "hyperparameter_importance",
        "Which hyperparameters decide?",
        f"Importance for the loss at {where}.{few} With few "
        "trials these are hints, not findings." + (f" ({note})" if note else ""),
        figure,
        {"": importance},
    )


def draw_parallel(
    trials: pd.DataFrame,
    importance: pd.DataFrame,
    configspace: Mapping[str, Any],
    unit_of_budget: str = "units",
) -> Picture | None:
    """A line per trial through its hyperparameters to its loss.

    Of `load_trials`. Importance decides which hyperparameters are shown (empty: the
    first ones), the search space in ConfigSpace's JSON their scales and ranges.
    """
    done = trials[(trials["status"] == "finished") & trials["loss"].notna()]
    if done.empty:
        return None
    done = done.sort_values("budget", kind="stable")
    done = done.drop_duplicates("trial", keep="last")
    names = _shown(done, importance)
    if not names:
        return None
    space = {str(p.get("name")): p for p in configspace.get("hyperparameters", [])}
    scales = [_Scale(done[f"config.{name}"], space.get(name, {})) for name in names]
    goodness, largest = loss_axis(done["loss"]).unit(done["loss"]), done["budget"].max()
    places = np.column_stack([s.places for s in scales] + [goodness])
    with style.drawing(height=4.6) as figure:
        axes = figure.subplots()
        _draw_lines(axes, places, done)
        _draw_colors(axes, f"rank of the loss at budget {largest:g} {unit_of_budget}")
        for column, scale in enumerate(scales):
            _draw_axis(axes, column, scale.ticks)
        _draw_axis(axes, len(names), _loss_ticks(done["loss"], goodness))
        broken = (name.replace(".", ".\n", 1) for name in names)
        axes.set_xticks(range(len(names) + 1), [*broken, "loss"])
        axes.tick_params(axis="x", length=0, labelsize=8.5, labelrotation=30)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
            label.set_rotation_mode("anchor")
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_xlim(-0.3, len(names) + 0.25)
        axes.set_ylim(-0.03, 1.06)
    columns = ["trial", "budget", "loss", *(f"config.{n}" for n in names)]
    said = words_of_evaluations(done, unit_of_budget)
    lines = zip(places, done["trial"], said, strict=True)
    marks = [Mark(axes, range(len(y)), y, name, words) for y, name, words in lines]
    return Picture(
        "parallel_coordinates",
        "Where the good configurations lie",
        f"A line per trial (n = {len(done)}), at its largest budget. In colour: the "
        f"{(done['budget'] == largest).sum()} trials that reached budget {largest:g} "
        f"{unit_of_budget}, bright and thick for a low loss; "
        "grey: those that were stopped before. The loss axis has its best at the top. "
        f"Shown are {len(names)} hyperparameters, "
        + (
            f"the most important first ({importance['share'].iloc[0]})."
            if len(importance)
            else "the first of the space: too few trials to say which are important."
        ),
        figure,
        {"": done[columns].reset_index(drop=True)},
        marks,
    )


def _loss_ticks(losses: pd.Series, places: pd.Series) -> list[tuple[float, str]]:
    """The best, the worst, and one near the middle of the axis."""
    found = places.to_numpy(float)
    middle = int(np.abs(found - 0.5).argmin())
    rows = dict.fromkeys([int(found.argmax()), int(found.argmin())])
    if abs(found[middle] - 0.5) < 0.35:
        rows[middle] = None
    return [(float(found[row]), f"{losses.iloc[row]:.3g}") for row in rows]


def _draw_colors(axes: Axes, label: str) -> None:
    """What the colours of the lines say."""
    palette = matplotlib.colormaps[style.SEQUENTIAL]
    shades = ListedColormap(palette(np.linspace(0, 0.85, 64)))
    figure: Any = axes.get_figure()
    look: Any = {"location": "top", "aspect": 60, "shrink": 0.6, "pad": 0.02}
    bar = figure.colorbar(ScalarMappable(Normalize(0, 1), shades), ax=axes, **look)
    bar.set_ticks([0, 1], labels=["worst", "best"])
    bar.set_label(label, fontsize=9)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8.5)


def _shown(done: pd.DataFrame, importance: pd.DataFrame) -> list[str]:
    """Names of hyperparameters that vary, the most important first."""
    searched = [c for c in map(str, done.columns) if c.startswith("config.")]
    varied = [c for c in searched if done[c].dropna().astype(str).nunique() > 1]
    varied = [column.removeprefix("config.") for column in varied]
    if len(importance):
        order = importance.sort_values("importance", ascending=False, kind="stable")
        first = [n for n in order["hyperparameter"] if n in varied]
        varied = first + [n for n in varied if n not in first]
    return varied[:_MOST_AXES]


def _folded(name: str) -> str:
    """In lines that end before the next axis.

    >>> _folded("all_better_sum").splitlines(), _folded("tanh")
    (['all_better_', 'sum'], 'tanh')
    """
    lines = [""]
    for word in re.split(r"(?<=_)", name):
        if lines[-1] and len(lines[-1] + word) > _LINE:
            lines.append("")
        lines[-1] += word
    return "\n".join(lines)


class _Scale:
    """Values of one hyperparameter as places from 0 to 1, with ticks."""

    def __init__(self, values: pd.Series, parameter: Mapping[str, Any]) -> None:
        kind = values.dtype
        if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
            self._number(values.astype(float), parameter)
        else:
            self._category(values, parameter)

    def _number(self, values: pd.Series, parameter: Mapping[str, Any]) -> None:
        low = float(min(values.min(), parameter.get("lower", np.inf)))
        high = float(max(values.max(), parameter.get("upper", -np.inf)))
        is_log = bool(parameter.get("log")) and low > 0
        ends = np.log([low, high]) if is_log else np.array([low, high])
        moved = np.log(values) if is_log else values
        self.places = ((moved - ends[0]) / (ends[1] - ends[0])).to_numpy(float)
        middle = np.exp(ends.mean()) if is_log else ends.mean()
        marked = {0.0: low, 0.5: middle, 1.0: high}
        self.ticks = [(place, f"{value:.3g}") for place, value in marked.items()]

    def _category(self, values: pd.Series, parameter: Mapping[str, Any]) -> None:
        declared = parameter.get("choices") or parameter.get("sequence") or []
        found = [str(v) for v in values.dropna().unique()]
        names = list(dict.fromkeys([*map(str, declared), *sorted(found)]))
        spots = {n: i / max(1, len(names) - 1) for i, n in enumerate(names)}
        found_at = [np.nan if pd.isna(v) else spots[str(v)] for v in values]
        self.places = np.array(found_at, float)
        self.ticks = [(spot, _folded(name)) for name, spot in spots.items()]


def _draw_lines(axes: Axes, places: np.ndarray, done: pd.DataFrame) -> None:
    """Best last, so that they lie on top; a missing value breaks its line."""
    order = np.lexsort((-done["loss"].to_numpy(), done["budget"].to_numpy()))
    top = (done["budget"] == done["budget"].max()).to_numpy()
    palette = matplotlib.colormaps[style.SEQUENTIAL]
    ranks = done["loss"].where(top).rank(pct=True, method="min").to_numpy()
    lines, colors, widths = [], [], []
    for row in order:
        lines.append(np.column_stack([np.arange(places.shape[1]), places[row]]))
        good = 1 - ranks[row] if top[row] else 0.0
        colors.append(palette(0.85 * good) if top[row] else style.FAINT)
        widths.append(0.9 + 1.6 * good)
    axes.add_collection(LineCollection(lines, colors=colors, linewidths=widths))


def _draw_axis(axes: Axes, x: float, ticks: Sequence[tuple[float, str]]) -> None:
    axes.vlines(x, 0, 1, color=style.INK, linewidth=0.8)
    for place, text in ticks:
        box = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.5}
        look = {"fontsize": 8, "va": "bottom", "zorder": 5, "bbox": box}
        style.beside(axes, text, (x, place), (3, 1), **look)
