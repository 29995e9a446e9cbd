"""Learning curves on reward networks, on SEs and on the task (paper, Fig. 5).

Difference to the paper's figure: bands are intervals over learned environments, and
steps have a square-root scale, as most is learned early.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from se_hpo.agents.registry import agent_label
from se_hpo.figures import style
from se_hpo.figures.style import Picture
from se_hpo.names import REAL, train_env_label

_KEYS = ["task", "agent_values", "max_env_steps"]
_KINDS = ("exclusive_potential", "additive_potential", "exclusive", "additive")
_COLORS = dict(zip(_KINDS, ("#0072B2", "#E69F00", "#009E73", "#CC79A7"), strict=True))
_DASHES: Any = ("-", (0, (4, 1.5)), (0, (6, 1.5, 1, 1.5)))
_VARIATIONS = {"default": "default HPs", "varied": "varied HPs"}
_TICKS = (0, 0.02, 0.1, 0.3, 0.6, 1)


def draw_learning_curves(
    means: pd.DataFrame, solved: dict[str, float | None], name: str = "learning_curves"
) -> Picture | None:
    """Of `analysis.mean_curves`: a column per task and values, a row per agent.

    `solved` has the solved return of each task, as far as it is known.
    """
    if means.empty:
        return None
    groups: Any = means.groupby(_KEYS, sort=False)
    columns: list[Any] = [(keys, panels(rows)) for keys, rows in groups]
    n_rows = max(len(found) for _, found in columns)
    with style.drawing(height=2.2 * n_rows + 0.9) as figure:
        figure.set_figwidth(max(style.WIDTH, 2.9 * len(columns)))
        size: Any = {"sharex": "col", "sharey": "col", "squeeze": False}
        grid = figure.subplots(n_rows, len(columns), **size)
        names: dict[str, Line2D] = {}
        for column, (keys, found) in zip(grid.T, columns, strict=True):
            for axes, (title, rows) in zip(column, found, strict=False):
                names |= _draw_panel(axes, rows)
                axes.set_title(f"{title}", fontsize=9)
                if (at := solved.get(keys[0])) is not None:
                    style.threshold(axes, at, f"solved: {at:g}")
            _scale(column, keys, means, solved.get(keys[0]))
            for empty in column[len(found) :]:
                empty.remove()
            column[len(found) - 1].set_xlabel("training steps", fontsize=9)
            column[len(found) - 1].tick_params(labelbottom=True)
        figure.supylabel("test return on the task", fontsize=10)
        look: Any = {"loc": "outside lower center", "fontsize": 8.5}
        look["ncols"] = min(4, 1 + len(columns))
        figure.legend(names.values(), names.keys(), **look)
    agents = style.n_words(means["n_agents"])
    return Picture(
        name,
        "How fast do agents learn?",
        "Mean return of a greedy test on the task after each training episode "
        f"(n = {agents} agents per curve), by training steps, on a square-root scale; "
        "bands are 95 % intervals over learned environments. The same agents were "
        "trained on each, with default or varied hyperparameters (HPs); dashed in "
        "grey: with a bonus, on the task. Arranged as Fig. 5 of the paper.",
        figure,
        {"": means},
    )


def panels(means: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Titles and curves of the panels of a column, agents one after the other.

    An agent that is trained on the task alone is shown beside those that it is a
    variant of, by its name (`ddqn_icm`), or if there is none beside all.
    """
    learned = means.loc[means["train_env"] != REAL, "agent"]
    agents = style.agents_in(learned if len(learned) else means["agent"])
    found = []
    for agent in agents:
        for variation in _VARIATIONS:
            beside = {agent, *_baselines(set(means["agent"]), agents, agent)}
            mine = means["agent"].isin(beside) & (means["variation"] == variation)
            if (means.loc[mine, "agent"] == agent).any():
                title = f"{agent_label(agent)}, {_VARIATIONS[variation]}"
                found.append((title, means[mine].assign(of=agent)))
    return found


def _baselines(all_agents: set[str], agents: list[str], agent: str) -> Iterator[str]:
    for name in all_agents - set(agents):
        of = [other for other in agents if name.startswith(other)]
        if agent == max(of, key=len, default=agent):
            yield name


def _draw_panel(axes: Axes, rows: pd.DataFrame) -> dict[str, Line2D]:
    names = {}
    searched = ~(rows["train_env"].eq(REAL) | rows["train_env"].str.endswith("_random"))
    both = rows.loc[searched, ["kind", "train_env"]].drop_duplicates()
    several = bool(both.duplicated("kind").any())
    baselines: list[str] = []
    arms: Any = rows.groupby(["agent", "kind", "train_env"], sort=False)
    for (agent, kind, train_env), curve in arms:
        own = agent == curve["of"].iloc[0]
        if not own:
            baselines.append(agent)
        look = _look(kind, train_env, own, len(baselines), several)
        label = _label(agent, kind, train_env, curve["of"].iloc[0], several)
        x = curve["step"].to_numpy(float)
        (names[label],) = axes.plot(x, curve["mean"], **look)
        if curve["low"].notna().any() and not train_env.endswith("_random"):
            band: Any = {"color": look["color"], "alpha": 0.13, "linewidth": 0}
            axes.fill_between(x, curve["low"], curve["high"], **band)
    return names


def _look(
    kind: str, train_env: str, own: bool, baseline: int, several: bool
) -> dict[str, Any]:
    if train_env == REAL:
        dashes = _DASHES[0] if own else _DASHES[1 + (baseline - 1) % 2]
        color = style.train_env_color(REAL) if own else style.GREY
        return {"color": color, "linestyle": dashes, "linewidth": 1.8, "zorder": 3}
    color = _COLORS.get(kind.removesuffix("_info"), "#56B4E9")
    if kind == "mdp":
        color = style.train_env_color(train_env)
    dashes = _DASHES[kind.endswith("_info") + (several and "fixed" in train_env)]
    if train_env.endswith("_random"):
        return {"color": color, "linestyle": (0, (1, 1.2)), "linewidth": 1.4}
    return {"color": color, "linestyle": dashes, "linewidth": 1.8}


def _label(agent: str, kind: str, train_env: str, of: str, several: bool) -> str:
    if train_env == REAL:
        more = agent.removeprefix(of).lstrip("_+").replace("icm", "ICM")
        other = f"with {more}" if agent.startswith(of) else agent_label(agent)
        return "the agent alone" if agent == of else other
    if kind == "mdp" or not kind:
        return train_env_label(train_env)
    which = train_env.rpartition("_")[2]
    shown = which == "random" or several
    return kind.replace("_", " ") + (f", {which}" if shown else "")


def _scale(
    column: np.ndarray, keys: tuple[Any, ...], means: pd.DataFrame, solved: float | None
) -> None:
    task, values, steps = keys
    several = means["agent_values"].nunique() > 1
    head = f"{task}\n{values}" if several else str(task)
    column[0].set_title(f"{head}\n{column[0].get_title(loc='left')}", fontsize=9)
    column[0].set_xscale("function", functions=(_root, np.square))
    column[0].set_xlim(0, steps)
    ticks = [share * steps for share in _TICKS]
    column[0].set_xticks(ticks, [_thousands(tick) for tick in ticks])
    mine = means[_KEYS].eq(pd.Series(keys, _KEYS)).all(axis=1)
    own = means[mine]
    low, high = float(own["mean"].min()), float(own["mean"].max())
    if solved is not None:
        low, high = min(low, solved), max(high, solved)
    room = 0.07 * (high - low or 1)
    column[0].set_ylim(low - room, high + room)


def _root(x: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(x, 0))


def _thousands(steps: float) -> str:
    """Steps at a tick.

    >>> _thousands(100), _thousands(15000)
    ('100', '15k')
    """
    return f"{steps:g}" if steps < 1000 else f"{steps / 1000:g}k"
