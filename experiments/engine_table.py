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
    """Bars of env steps per second, both engines."""
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
        axes.barh(np.arange(len(rows)) + 0.27 * (i - 1), rates, 0.25, label=name)
    axes.set_yticks(range(len(rows)), [row["workload"] for row in rows])
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="env steps per second, one update each")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
