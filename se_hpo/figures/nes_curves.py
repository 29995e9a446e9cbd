"""NES curves: center score over generations (paper, Fig. 2), and those of BOHB trials.

Differences to the paper's figure: the mean is drawn without a band, and a run that
has ended counts with its last score from then on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from se_hpo.figures import style
from se_hpo.figures.spots import Mark
from se_hpo.figures.style import Picture
from se_hpo.names import train_env_label

_COLUMNS = 2
_CURVE = ["se_set", "se", "generation", "center_score", "best_score", "solved"]


def draw_nes_curves(
    curves: pd.DataFrame,
    means: pd.DataFrame,
    train_envs: dict[str, str],
    solved_return: float | None,
) -> Picture | None:
    """One panel per set of SEs: a thin line per NES run, a thick one for their mean.

    Curves of `load_se_generations`, means of `analysis.nes_curves` by `se_set`, and
    the train_env of each set.
    """
    curves = curves.dropna(subset=["center_score"])
    if curves.empty:
        return None
    sets = [
        name
        for train_env in style.train_envs_in(train_envs.values())
        for name in train_envs
        if train_envs[name] == train_env and (curves["se_set"] == name).any()
    ]
    if not sets:
        return None
    rows = -(-len(sets) // _COLUMNS)
    marks: list[Mark] = []
    with style.drawing(height=2.9 * rows + 0.2) as figure:
        panels = style.panel_grid(figure, len(sets), _COLUMNS)
        solved_return = solved_return if _returns(curves) else None
        for axes, name in zip(panels, sets, strict=True):
            own, mean = curves[curves["se_set"] == name], means[means["se_set"] == name]
            marks += _draw_set(axes, own, mean, train_envs[name])
            label = train_env_label(train_envs[name])
            if [train_envs[other] for other in sets].count(train_envs[name]) > 1:
                label = f"{label}: {name}"
            axes.set_title(f"{label}  (n = {own['se'].nunique()} NES runs)")
            _mark(axes, solved_return)
        figure.supxlabel("generation", fontsize=10)
        figure.supylabel(_what(curves), fontsize=10)
    return Picture(
        "nes_curves",
        f"Can {_learned(train_envs[name] for name in sets)} be learned?",
        f"Each thin line is one NES run: the {_what(curves)} of the agents "
        "trained on its unperturbed center, generation by generation. The thick line "
        "is the mean over the runs; a run that has ended counts with its last score. "
        "A dot marks where a run stands or ended. Dashed, of returns: from where the "
        "task counts as solved. Arranged as Fig. 2 of the paper.",
        figure,
        {"": curves.filter(_CURVE).reset_index(drop=True), "mean": means},
        marks,
    )


def _returns(curves: pd.DataFrame) -> bool:
    """Whether all scores are returns on the task."""
    returns = curves.get("center_return", curves["center_score"])
    same = np.isclose(returns.astype(float), curves["center_score"].astype(float))
    return bool((returns.isna() | same).all())  # means are rounded here and there


def _learned(train_envs: Iterable[str]) -> str:
    rewards = {name.startswith("rn_") for name in train_envs}
    if rewards == {True}:
        return "reward networks"
    return "synthetic environments" + " and reward networks" * (True in rewards)


def _what(curves: pd.DataFrame) -> str:
    return "mean return on the task" if _returns(curves) else "mean score (nes.fitness)"


def _mark(axes: Axes, solved_return: float | None) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if solved_return is not None:
        style.threshold(axes, solved_return, f"solved: {solved_return:g}")


def _draw_set(
    axes: Axes, curves: pd.DataFrame, mean: pd.DataFrame, train_env: str
) -> list[Mark]:
    color, marks = style.train_env_color(train_env), []
    for se, run in curves.groupby("se"):
        run = run.sort_values("generation")
        x, y = run["generation"].to_numpy(), run["center_score"].to_numpy()
        axes.plot(x, y, color=color, linewidth=0.7, alpha=0.45)
        axes.plot(x[-1:], y[-1:], "o", color=color, markersize=2.5, alpha=0.7)
        name = f"{run['se_set'].iloc[0]}/{se:03d}"
        marks.append(Mark(axes, x, y, name, f"{name}\n{_course(run)}"))
    axes.plot(mean["generation"], mean["mean"], color=color, linewidth=2.6)
    return marks


def _course(run: pd.DataFrame) -> str:
    """Of one NES run, in generations from 1: best, last, and where it solved."""
    best = run.iloc[int(run["center_score"].to_numpy(float).argmax())]
    last = run.iloc[-1]
    lines = [
        f"best {best['center_score']:.4g} in generation {best['generation']}",
        f"last {last['center_score']:.4g} in generation {last['generation']}",
    ]
    known = run["solved"] if "solved" in run else pd.Series(False, run.index)
    solved = run[known.astype("boolean").fillna(False).to_numpy(bool)]
    if len(solved):
        lines.append(f"solved first in generation {solved['generation'].iloc[0]}")
    return "\n".join(lines)


def draw_trial_curves(
    generations: pd.DataFrame,
    best_trial: str | None,
    solved_return: float | None,
    configurations: Mapping[str, str] | None = None,
) -> Picture | None:
    """The NES runs of BOHB's trials; `best_trial` in colour.

    Configurations, in words, are shown where one points at a trial.
    """
    marks, what = [], configurations or {}
    curves = generations.dropna(subset=["center_score"])
    if curves.empty:
        return None
    with style.drawing(height=3.2) as figure:
        axes = figure.subplots()
        for name, run in curves.sort_values("generation").groupby("trial"):
            is_best = name == best_trial
            color = style.HIGHLIGHT if is_best else style.FAINT
            x, y = run["generation"].to_numpy(), run["center_score"].to_numpy()
            axes.plot(x, y, color=color, lw=2.4 if is_best else 0.9, zorder=2 + is_best)
            axes.plot(x[-1:], y[-1:], "o", color=color if is_best else style.GREY, ms=3)
            words = f"{name}\n{_course(run)}\n{what.get(str(name), '')}".rstrip()
            marks.append(Mark(axes, x, y, str(name), words))
            if is_best:
                axes.set_title(f"best trial {name}", color=style.HIGHLIGHT)
        _mark(axes, solved_return if _returns(curves) else None)
        axes.set_xlabel(f"generation  (n = {curves['trial'].nunique()} trials)")
        axes.set_ylabel(_what(curves))
    columns = ["trial", "generation", "center_score", "best_score", "solved"]
    return Picture(
        "trial_curves",
        "The NES runs of the search",
        f"One line per trial of BOHB, each another configuration: the {_what(curves)} "
        "of the agents trained on its unperturbed center. Lines end where the "
        "budget of the trial ended (dot). In colour: the trial that is best now.",
        figure,
        {"": curves.filter(columns).reset_index(drop=True)},
        marks,
    )
