"""Table and figure of `bench_scheduler.py`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def rows(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, value, bar."""
    rate, last = found["evaluations_per_second"], list(found["proposal_ms"])[-1]
    yield "evaluations per second", f"{rate:.0f}", ">= 50"
    tenths = found["rate_of_each_tenth"]
    told = f"{statistics.median(tenths):.0f}, {min(tenths):.0f} to {max(tenths):.0f}"
    yield "in tenths of the run: median, range", told, ""
    yield "master, cores used meanwhile", f"{found['master_cpu_share']:.2f}", ""
    per = found["master_cpu_ms_per_evaluation"]
    yield "master, CPU per evaluation", f"{per:.1f} ms", ""
    per = found["worker_cpu_ms_per_evaluation"]
    yield "workers, CPU per evaluation", f"{per:.1f} ms", ""
    yield "master, CPU per heartbeat", f"{found['heartbeat_cpu_ms']:.2f} ms", ""
    for n in found["proposal_ms"]:
        for key, what in (
            ("", ""),
            ("_one_budget", ", one budget"),
            ("_in_run", ", in the run"),
        ):
            values = found[f"proposal_ms{key}"][n]
            if not values:
                continue
            told = f"{statistics.median(values):.1f} ms (most {max(values):.0f})"
            yield f"proposal at {int(n):,}{what}", told, "< 100 ms" if n == last else ""
    yield "master, memory at most", f"{found['peak_mb']:.0f} MB", "< 500 MB"
    yield "master, memory per worker", f"{found['mb_per_worker']:.2f} MB", ""
    yield "master, threads, open files", f"{found['threads']}, {found['files']}", ""
    resumed = found["resume"]
    told = (
        f"{resumed['imports'] + resumed['replay']:.1f} s ({resumed['cpu']:.1f} s CPU)"
    )
    yield f"resume of {resumed['finished']:,}", told, "< 20 s"
    loaded = found["load"]
    told = f"{loaded['imports'] + loaded['load']:.1f} s ({loaded['cpu']:.1f} s CPU)"
    yield f"load_trials of {loaded['rows']:,}", told, ""
    yield "journal, one append", f"{found['append_ms']:.1f} ms", ""
    sizes = found["journal_bytes"] / 1e6, found["status_bytes"] / 1e6
    yield "journal, status.json", f"{sizes[0]:.1f} MB, {sizes[1]:.2f} MB", ""


def draw(found: dict[str, Any], path: Path) -> None:
    """Proposal time over results; evaluations per second. Needs matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for key, label in (
        ("proposal_ms", "generator alone"),
        ("proposal_ms_one_budget", "all results on one budget"),
        ("proposal_ms_in_run", "in the busy master (wall)"),
    ):
        pairs = [(int(n), v) for n, v in found[key].items() if v]
        middle = [statistics.median(v) for _, v in pairs]
        left.plot([n for n, _ in pairs], middle, marker="o", label=label)
    left.axhline(100, color="0.6", linestyle=":")
    left.set(xscale="log", yscale="log", xlabel="finished evaluations", ylabel="ms")
    left.set_title("one proposal", fontsize="medium")
    left.legend(frameon=False, fontsize="small")
    bars = right.bar(range(1, 11), found["rate_of_each_tenth"])
    disturbed = found.get("disturbed_tenths", [])
    for tenth in disturbed:
        bars[tenth - 1].set(hatch="////", facecolor="white", edgecolor="0.6")
    if disturbed:
        words = "hatched: other work\ntook the cores"
        right.text(0.97, 0.93, words, ha="right", va="top", transform=right.transAxes)
    right.axhline(50, color="0.6", linestyle=":")
    right.set(xlabel=f"tenth of {found['evaluations']:,} evaluations")
    right.set_ylabel("evaluations per second of wall time")
    title = f"evaluations per second, {found['workers']} workers"
    right.set_title(title, fontsize="medium")
    figure.savefig(path, dpi=150)
    plt.close(figure)
