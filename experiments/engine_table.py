"""The table and the picture of `bench_engine.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

ALL_CORES = "native, all cores"


def show(console: Console, data: dict[str, Any]) -> None:
    """Print the one table."""
    info = data["machine"]
    table = Table(
        title=f"{info['processor']}, {info['cores']} cores, {info['isa']}, "
        f"peak {data['peak_gflops']:.0f} GFLOP/s per core"
    )
    names = "workload;steps/s;bar*;torch;x torch;cores/1;GFLOP/s;update us;% peak"
    for name in names.split(";"):
        table.add_column(name, justify="left" if name == "workload" else "right")
    for row in data["workloads"]:
        rates = row["env_steps_per_second"]
        table.add_row(
            row["workload"],
            f"{rates['native']:,}",
            f"{row['bar']:,}" if row["bar"] else "",
            f"{rates['torch']:,}" if row["times_torch"] else "",
            f"{row['times_torch']:.1f}" if row["times_torch"] else "",
            f"{row['all_cores_over_one']:.2f}",
            f"{row['gflops']:.1f}",
            f"{row['update_us']:.1f}",
            f"{100 * row['update_share_of_peak']:.0f}",
        )
    for task, rates in data["real_steps"].items():
        greedy = f"greedy test, return {rates['greedy_test_return']:.0f}"
        for name, what in (("task_alone", "alone"), ("greedy_test", greedy)):
            label = f"{task}, {what}"
            table.add_row(label, f"{rates[name]:,.0f}", f"{rates['bar']:,}")
    memory = data["generation_peak_mb"]
    table.add_row("NES generation, peak MB", f"{memory:.0f}", "500")
    table.caption = "* per core, for a processor with AVX-512"
    console.print(table)


def draw(path: Path, data: dict[str, Any]) -> None:
    """Env steps per second of both engines, as points: the axis is logarithmic."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = data["workloads"]
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    for i, name in enumerate(("torch", "native", ALL_CORES)):
        rates = [row["env_steps_per_second"].get(name, np.nan) for row in rows]
        places = np.arange(len(rows)) + 0.22 * (i - 1)
        color = axes.plot(rates, places, "o", label=name)[0].get_color()
        for rate, place in zip(rates, places, strict=True):
            known = np.isfinite(rate)
            words = f" {rate:,.0f}" if known else f"{name}: not measured"
            look = {"va": "center", "fontsize": 8, "color": color}
            axes.annotate(
                words,
                (rate, place) if known else (0.02, place),
                xytext=(4, 0),
                textcoords="offset points",
                xycoords="data" if known else ("axes fraction", "data"),
                **look,
            )
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlim=(300, 2e5))
    axes.set_xlabel("env steps per second, one update each (log scale)")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=150)
    plt.close(figure)
