"""Table and figure of `bench_bohb.py`: regret against cost, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from bohb_problems import MAX_BUDGET, Problem
from rich.console import Console
from rich.table import Table
from search_trace import RULES, medians

MARKS = (20, 50, 60, 200)
"""Full runs at which regrets are told."""
_COLOURS = {
    "ours": "#d62728",
    "kde": "#ff9896",
    "original": "#8c564b",
    "hyperband": "#7f7f7f",
    "random": "#c7c7c7",
    "optuna": "#1f77b4",
    "smac": "#2ca02c",
    "dehb": "#9467bd",
    "neps": "#bcbd22",
}
_SHOWN = 0.99  # of what a run was to cost; the last evaluation may not fit


def regrets(
    lines: Sequence[dict[str, Any]], method: str, problem: str, mark: float, rule: str
) -> list[float]:
    """Of every run that is long enough, by seed."""
    column, spent = RULES.index(rule), mark * MAX_BUDGET
    found = []
    for line in sorted(lines, key=lambda line: line["seed"]):
        if (line["method"], line["problem"]) != (method, problem):
            continue
        if line["full_runs"] < _SHOWN * mark:
            continue
        reached = [p[2] for p in line["points"] if p[column] <= spent]
        found.append(reached[-1] if reached else math.inf)
    return found


def print_table(
    lines: Sequence[dict[str, Any]], problems: Sequence[Problem], width: int = 200
) -> None:
    """Median regret and its 95 % interval, for both rules, as Markdown."""
    console = Console(width=width)
    methods = [m for m in _COLOURS if any(line["method"] == m for line in lines)]
    for rule in RULES:
        table = Table("function", "full runs", *methods, title=f"paid {rule}")
        for problem in problems:
            for mark in MARKS:
                cells = [
                    _cell(regrets(lines, m, problem.name, mark, rule)) for m in methods
                ]
                if any(cells):
                    table.add_row(problem.name, str(mark), *cells)
        console.print(table)


def _cell(found: list[float]) -> str:
    if not found:
        return ""
    told: Any = medians(found)
    low, high = told["interval"]
    return f"{told['median']:.3f} ({low:.3f}-{high:.3f}; {len(found)})"


def draw(
    lines: Sequence[dict[str, Any]], problems: Sequence[Problem], path: Path
) -> None:
    """One panel per function: median regret and its interval against full runs.

    Of methods with three seeds at least; without any there is no figure.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    shown = [p for p in problems if any(x["problem"] == p.name for x in lines)]
    columns = 2 if len(shown) > 1 else 1
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(5.2 * columns, 3.4 * rows), squeeze=False
    )
    marks = np.geomspace(5, 200, 40)
    handles: dict[str, Any] = {}
    for axis, problem in zip(axes.flat, shown, strict=False):
        for method, colour in _COLOURS.items():
            told = [
                (mark, medians(found, draws=500))
                for mark in marks
                if len(found := regrets(lines, method, problem.name, mark, "again")) > 2
                and np.isfinite(found).all()
            ]
            if not told:
                continue
            x = [mark for mark, _ in told]
            bounds: Any = [t["interval"] for _, t in told]
            low, high = np.array(bounds).T
            wide = 2.2 if method == "ours" else 1.2
            (handles[method],) = axis.plot(
                x, [t["median"] for _, t in told], color=colour, lw=wide
            )
            axis.fill_between(x, low, high, color=colour, alpha=0.12, lw=0)
        axis.set(xscale="log", yscale="log", title=problem.name)
        axis.set_xticks(
            [5, 10, 20, 50, 100, 200], ["5", "10", "20", "50", "100", "200"]
        )
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    if not handles:  # no method has three seeds
        plt.close(figure)
        return
    for axis in axes[-1]:
        axis.set_xlabel("cost in full runs, promoted trials paid again")
    for axis in axes[:, 0]:
        axis.set_ylabel("median regret")
    for axis in axes.flat[len(shown) :]:
        axis.remove()
    figure.legend(
        handles.values(), handles, loc="lower center", ncol=len(handles), frameon=False
    )
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)
