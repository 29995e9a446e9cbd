"""Test returns, env steps and episodes of phase 2 (paper, Fig. 3 and Fig. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from se_hpo.agents.registry import agent_label
from se_hpo.figures import style
from se_hpo.figures.style import Picture
from se_hpo.names import train_env_label

_COLUMNS = 3  # agents side by side, as in the paper
_GRID = 256
_LINE = 0.08  # height of a line of text in a panel of densities
_TALLEST = 3.0  # times the middle peak: a needle would make all else flat
_CUT = f" (peaks of more than {_TALLEST:g} times the middle one are cut off)"
_BARS = {"env_steps": "env steps", "episodes": "episodes"}


def draw_returns(evaluations: pd.DataFrame, name: str, what: str) -> Picture | None:
    """A column per agent: densities of test returns over bars of steps and episodes.

    Of `load_evaluations`, of one task and one stopping rule, which is called `what`.
    """
    returns = long_returns(evaluations)
    if returns.empty:
        return None
    agents = style.agents_in(evaluations["agent"])
    curves = pd.concat(densities(returns[returns["agent"] == a], a) for a in agents)
    means = summary(evaluations, returns)
    peaks = curves.groupby(["agent", "train_env"], sort=False)["density"].max()
    top = min(float(peaks.max()), _TALLEST * float(peaks.median()))
    starts = range(0, len(agents), _COLUMNS)
    blocks = [agents[i : i + _COLUMNS] for i in starts]
    with style.drawing(height=6.0 * len(blocks)) as figure:
        parts = figure.subfigures(len(blocks), 1, squeeze=False)[:, 0]
        for part, block in zip(parts, blocks, strict=True):
            _draw_block(part, block, curves, means, top)
    n = style.n_words(means["agents"])
    return Picture(
        name,
        f"What are the SEs worth to agents? ({what})",
        f"Agents with random hyperparameters (n = {n} per training environment and "
        "agent; the same ones in each), trained on SEs or on the real task, then "
        "tested on the real task. Above: density of all test returns (n = "
        f"{style.n_words(means['returns'])} episodes for each), with their means"
        f"{_CUT if top < peaks.max() else ''}. Below: "
        "what the training took; bars are means, ticks across them medians. "
        f"Stopping rule: {what}. Arranged as Fig. 3 of the paper.",
        figure,
        {"": means, "density": curves},
    )


def _draw_block(
    part: Any,
    agents: Sequence[str],
    curves: pd.DataFrame,
    means: pd.DataFrame,
    top: float,
) -> None:
    """Agents side by side; a last block of fewer keeps the width of a column."""
    heights: Any = {"sharey": "row", "height_ratios": [2.4, 1, 1]}
    n = min(_COLUMNS, means["agent"].nunique())
    grid = part.subplots(3, n, squeeze=False, **heights)
    for column, agent in zip(grid.T, agents, strict=False):
        mine = means[means["agent"] == agent]
        shown = curves[curves["agent"] == agent]
        shown = shown.assign(density=shown["density"].clip(upper=top))
        _draw_densities(column[0], shown, mine)
        column[0].set_title(agent_label(agent))
        for axes, quantity in zip(column[1:], _BARS, strict=True):
            _draw_bars(axes, mine, quantity)
    for axes in grid[:, len(agents) :].flat:
        axes.set_visible(False)
    room = 1 - _LINE * (means["train_env"].nunique() + 1.7)  # text above the curves
    grid[0, 0].set_ylim(0, top / room)
    grid[0, 0].set_yticks([])
    grid[0, 0].set_ylabel("density of\ntest episodes")
    for axes, label in zip(grid[1:, 0], _BARS.values(), strict=True):
        axes.set_ylabel(f"{label}\nin training")


def long_returns(evaluations: pd.DataFrame) -> pd.DataFrame:
    """One row per test episode: `agent`, `train_env`, `return`."""
    rows = evaluations[["agent", "train_env", "test_returns"]].explode("test_returns")
    rows = rows.rename(columns={"test_returns": "return"})
    rows["return"] = pd.to_numeric(rows["return"], errors="coerce")
    return rows.dropna(subset=["return"]).reset_index(drop=True)


def densities(returns: pd.DataFrame, agent: str) -> pd.DataFrame:
    """Density of test returns: `agent`, `train_env`, `return`, `density`.

    A Gaussian kernel estimate on the range of all returns, reflected at its ends, so
    that nothing lies where no return can be.
    """
    values = returns["return"].to_numpy(float)
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    grid = np.linspace(low, high, _GRID)
    parts = []
    for train_env in style.train_envs_in(returns["train_env"]):
        own = returns.loc[returns["train_env"] == train_env, "return"].to_numpy(float)
        density = _reflected_density(own, grid)
        part = {"agent": agent, "train_env": train_env, "return": grid}
        parts.append(pd.DataFrame({**part, "density": density}))
    return pd.concat(parts, ignore_index=True)


def _reflected_density(values: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Scott's bandwidth, but never under a sixtieth of the range.

    The values are binned on the grid first: thousands of returns cost no more than few.
    """
    low, high = grid[0], grid[-1]
    width = max(float(np.std(values)) * len(values) ** -0.2, (high - low) / 60)
    edges = np.concatenate([[low], (grid[1:] + grid[:-1]) / 2, [high]])
    weights = np.histogram(values, edges)[0] / len(values)
    mirrors = (grid, 2 * low - grid, 2 * high - grid)
    distances = ((grid[:, None] - mirror[None, :]) / width for mirror in mirrors)
    kernel = sum(np.exp(-0.5 * distance**2) for distance in distances)
    density: np.ndarray = kernel @ weights / (width * np.sqrt(2 * np.pi))
    return density


def summary(evaluations: pd.DataFrame, returns: pd.DataFrame) -> pd.DataFrame:
    """Per agent and train_env: counts, mean return, what steps and episodes took."""
    keys = ["agent", "train_env"]
    both = product(_BARS, ("mean", "std", "median"))
    took = {f"{quantity}_{of}": (quantity, of) for quantity, of in both}
    table = evaluations.groupby(keys).agg(agents=("env_steps", "size"), **took)
    table.insert(0, "mean_return", returns.groupby(keys)["return"].mean())
    table.insert(1, "returns", returns.groupby(keys).size())
    return table.loc[style.arms_in(evaluations)].reset_index()


def _draw_densities(axes: Axes, curves: pd.DataFrame, means: pd.DataFrame) -> None:
    for train_env, curve in curves.groupby("train_env", sort=False):
        color = style.train_env_color(str(train_env))
        x, y = curve["return"], curve["density"]
        axes.fill_between(x, y, color=color, alpha=0.12, linewidth=0)
        axes.plot(x, y, color=color, linewidth=1.6)
    rows = means.dropna(subset=["mean_return"])
    for place, row in enumerate(rows.to_dict("records")):
        text = f"{train_env_label(row['train_env'])}: {row['mean_return']:.1f}"
        look: Any = {"va": "top", "fontsize": 9, "fontweight": "bold"}
        look["color"] = _darker(style.train_env_color(row["train_env"]))
        height = 1 - _LINE * (place + 1.2)
        axes.text(0.03, height, text, transform=axes.transAxes, ha="left", **look)
    over: Any = {"transform": axes.transAxes, "va": "top", "fontsize": 8.5}
    axes.text(0.03, 1 - 0.3 * _LINE, "mean test return", color=style.GREY, **over)
    axes.set_xlabel("test return")


def _darker(color: str) -> tuple[float, ...]:
    """Text in a light colour would be hard to read on white."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    luminance = float(np.dot(channels, [0.2126, 0.7152, 0.0722]))
    factor = min(1.0, 0.42 / luminance) if luminance > 0 else 1.0
    return tuple(c * factor for c in channels)


def _draw_bars(axes: Axes, means: pd.DataFrame, quantity: str) -> None:
    train_envs = list(means["train_env"])
    values = means[f"{quantity}_mean"].to_numpy(float)
    medians = means[f"{quantity}_median"].to_numpy(float)
    colors = [style.train_env_color(s) for s in train_envs]
    places = np.arange(len(train_envs))
    axes.bar(places, values, width=0.72, color=colors)
    axes.hlines(medians, places - 0.36, places + 0.36, color=style.INK, linewidth=1.2)
    for place, value, median in zip(places, values, medians, strict=True):
        if np.isfinite(value):
            look: Any = {"ha": "center", "va": "bottom", "fontsize": 8.5}
            at = (place, max(value, median))
            style.beside(axes, _short(value), at, (0, 2), **look)
    axes.set_xticks([])
    axes.set_xlim(-0.6, len(train_envs) - 0.4)
    axes.margins(y=0.2)


def _short(value: float) -> str:
    """Two or three digits: 16,888 is 16.9k, and 36.2 is 36.

    >>> _short(16888), _short(6004), _short(36.2), _short(1234567), _short(4.25)
    ('16.9k', '6.0k', '36', '1.23M', '4.2')
    """
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e3:
        return f"{value / 1e3:.1f}k"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
