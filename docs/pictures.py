"""Pictures of the pages: `python docs/pictures.py` draws them from what is kept here.

With `--measure` the learning curves are measured anew first, by `MEASURE`; that takes
some minutes of two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

import se_hpo
from se_hpo.bohb.brackets import hyperband_brackets
from se_hpo.figures import style
from se_hpo.names import REAL
from se_hpo.storage.files import write_atomic

FOLDER = Path(__file__).parent / "pictures"
CURVES = FOLDER / "learning.csv"
BUDGETS = [3, 9, 27]  # of nes_cartpole
TRIALS = FOLDER.parents[1] / "experiments/results/nes_cartpole/trials.csv"
TASK, SOLVED = "CartPole-v1", 475
MEASURE = {
    "se_varied": ("--curve-steps", "1000"),
    REAL: ("--curve-steps", "50000"),
}
"""What agents are trained on -> how long."""
PLACES = {"se_varied": ((55, 330), "right"), REAL: ((56_000, 360), "left")}
"""Of the names of the curves."""
SE, AGENT, WORLD = style.TRAIN_ENV_COLORS["se_varied"], "#E69F00", "#4D4D4D"


def measure() -> None:
    """Train twenty agents on the zoo's SE and the same twenty on the task."""
    frames = []
    with tempfile.TemporaryDirectory() as folder:
        for train_env, steps in MEASURE.items():
            records = Path(folder, f"{train_env}.jsonl")
            words = f"--envs zoo:{TASK} --agents ddqn --num-agents 20 --curves".split()
            words += ["--train-envs", train_env, *steps, "--out", str(records)]
            command = [sys.executable, "-m", "se_hpo.evaluate", *words]
            subprocess.run(command, check=True)
            frames.append(se_hpo.load_curves(records))
    keep(pd.concat(frames))


def keep(curves: pd.DataFrame) -> None:
    """What the picture needs, as a file."""
    columns = ["train_env", "pair", "step", "return"]
    text = curves[columns].to_csv(index=False, lineterminator="\n")
    write_atomic(CURVES, text)


def learning() -> Figure:
    """Return on the task against training steps, a line per agent and their mean."""
    curves = pd.read_csv(CURVES)
    labels = {"se_varied": "trained on the SE", REAL: "trained on\nCartPole\nitself"}
    with style.drawing(height=2.9) as figure:
        axes = figure.subplots()
        for train_env, label in labels.items():
            mine = curves[curves["train_env"] == train_env]
            color = style.train_env_color(train_env)
            for _, curve in mine.groupby("pair"):
                at = {"color": color, "linewidth": 0.5, "alpha": 0.22}
                axes.step(curve["step"], curve["return"], where="pre", **at)
            x = np.geomspace(1, mine["step"].max(), 300)
            mean = np.mean([_held(c, x) for _, c in mine.groupby("pair")], axis=0)
            axes.plot(x, mean, color=color, linewidth=2.5)
            (x, y), side = PLACES[train_env]
            look = {"ha": side, "va": "center", "fontweight": "bold"}
            axes.text(x, y, label, color=color, **look)
        style.threshold(axes, SOLVED, f"solved: {SOLVED}")
        axes.set(xscale="log", xlim=(1, 400_000), ylim=(0, 510))
        axes.set_xticks(
            [1, 10, 100, 1000, 10_000], ["1", "10", "100", "1,000", "10,000"]
        )
        axes.set(xlabel="training steps", ylabel=f"return on {TASK}")
    return figure


def _held(curve: pd.DataFrame, x: np.ndarray) -> np.ndarray:
    """Returns at `x`: that of a test counts for the episode that came before it."""
    at = np.searchsorted(curve["step"], x)
    return curve["return"].to_numpy()[np.minimum(at, len(curve) - 1)]


def _canvas(figure: Figure, width: float, height: float) -> Axes:
    axes = figure.add_subplot()
    axes.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axes.set_axis_off()
    return axes


def _box(axes: Axes, at: tuple[float, float], text: str, color: str, w: float) -> None:
    x, y = at
    low = (x - w / 2, y - 0.35)
    look: Any = {"boxstyle": "round,pad=0.05", "facecolor": color, "edgecolor": "none"}
    axes.add_patch(FancyBboxPatch(low, w, 0.7, **look))
    axes.text(x, y, text, ha="center", va="center", color="white", fontsize=9)


def _arrow(axes: Axes, start: Any, end: Any, text: str = "", **more: Any) -> None:
    bend = more.pop("bend", 0)
    arrow = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.1}
    arrow |= {"connectionstyle": f"arc3,rad={bend}", "shrinkA": 2, "shrinkB": 2}
    axes.annotate("", end, start, arrowprops=arrow)
    middle = np.add(start, end) / 2 + more.pop("off", (0, 0.12))
    look = {"ha": "center", "va": "bottom", "fontsize": 8.5, **more}
    axes.text(*middle, text, **look)


def what_an_se_is() -> Figure:
    """Who trains whom: inner loop on the SE, test on the task, outer loop."""
    with style.drawing(height=2.1) as figure:
        axes = _canvas(figure, 10, 3.6)
        _box(axes, (1.4, 2.3), "SE\n(small networks)", SE, 2.4)
        _box(axes, (5.2, 2.3), "agent", AGENT, 1.4)
        _box(axes, (8.6, 2.3), "task\n(CartPole)", WORLD, 2.4)
        _arrow(axes, (4.4, 2.5), (2.7, 2.5), "action")
        far: Any = {"va": "top", "off": (0, -0.12)}
        _arrow(axes, (2.7, 2.1), (4.4, 2.1), "state, reward", **far)
        _arrow(axes, (6, 2.3), (7.3, 2.3), "tested")
        back: Any = {"va": "top", "off": (0, -1.05)}
        words = "NES moves the SE to where agents return more on the task"
        _arrow(axes, (8.6, 1.85), (1.4, 1.85), words, bend=-0.25, **back)
        axes.text(
            3.3, 3.2, "trains here, and only here", ha="center", fontweight="bold"
        )
        axes.text(8.6, 3.2, "return", ha="center", fontweight="bold")
    return figure


def one_step_or_many() -> Figure:
    """What an episode is on the two kinds of SEs."""
    with style.drawing(height=2.6) as figure:
        axes = _canvas(figure, 10, 4.4)
        axes.text(0, 4.1, "many steps (kind mdp): like the task", fontweight="bold")
        _box(axes, (1.3, 3.2), "state from\nthe task", WORLD, 1.9)
        for i in range(3):
            x = 4.0 + 2.4 * i
            _arrow(axes, (x - 1.7, 3.2), (x - 0.75, 3.2), "action", fontsize=8)
            _box(axes, (x, 3.2), ("state", "state", "done")[i], SE, 1.3)
            axes.text(x, 2.6, "reward", ha="center", va="top", fontsize=8, color=SE)
        axes.text(
            0, 1.55, "one step (kind one_step): the end at once", fontweight="bold"
        )
        _box(axes, (1.3, 0.7), "noise", style.GREY, 1.9)
        _arrow(axes, (2.3, 0.7), (3.3, 0.7))
        _box(axes, (4.0, 0.7), "state", SE, 1.3)
        _arrow(axes, (4.7, 0.7), (5.65, 0.7), "action", fontsize=8)
        _box(axes, (6.4, 0.7), "done", SE, 1.3)
        axes.text(6.4, 0.1, "reward", ha="center", va="top", fontsize=8, color=SE)
        axes.text(
            7.3, 0.7, "The reward must say\nwhat an action is worth.", va="center"
        )
    return figure


def what_bohb_does() -> Figure:
    """Brackets of a run of nes_cartpole, and what came of its first one."""
    with style.drawing(height=2.7) as figure:
        plan, real = figure.subplots(1, 2, width_ratios=(1, 1.15))
        _draw_brackets(plan)
        _draw_first_bracket(real)
    return figure


def _draw_brackets(axes: Axes) -> None:
    brackets = hyperband_brackets(*BUDGETS[::2], 3, 3)
    for row, bracket in enumerate(brackets):
        for budget, n in zip(bracket.budgets, bracket.num_configs, strict=True):
            x = BUDGETS.index(int(budget))
            axes.text(x, -row, n, ha="center", va="center", color="white", zorder=3)
            axes.scatter(x, -row, s=90 + 55 * n, color=SE, zorder=2)
        first = BUDGETS.index(int(bracket.budgets[0]))
        axes.plot([first, 2], [-row, -row], color=style.FAINT, zorder=1)
    axes.set(xlim=(-0.5, 2.5), ylim=(-len(brackets) + 0.4, 0.6))
    axes.set_xticks([0, 1, 2], [*map(str, BUDGETS)])
    axes.set_yticks([-i for i in range(len(brackets))], ["first", "second", "third"])
    axes.set(xlabel="budget: generations", ylabel="bracket", title="Trials, as planned")
    axes.tick_params(left=False)


def _draw_first_bracket(axes: Axes) -> None:
    trials = pd.read_csv(TRIALS).query("bracket == 0 and status == 'finished'")
    for _, trial in trials.groupby("trial"):
        ended = trial["budget"].max()
        color = SE if ended == trials["budget"].max() else style.GREY
        axes.plot(trial["budget"], trial["loss"], "o-", color=color, markersize=4)
    axes.set(xscale="log", xlabel="budget: generations", ylabel="loss")
    axes.set_xticks(BUDGETS, [*map(str, BUDGETS)])
    axes.minorticks_off()
    axes.set_title("The first bracket, as run")


PICTURES = (learning, what_an_se_is, one_step_or_many, what_bohb_does)


def main() -> None:
    """Measure if asked to, then draw."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--measure", action="store_true", help="train the agents anew")
    if flags.parse_args().measure:
        measure()
    for draw in PICTURES:
        write_atomic(FOLDER / f"{draw.__name__}.png", style.png_bytes(draw()))


if __name__ == "__main__":
    main()
