"""How much work one BOHB master can hand out: evaluations that take no time.

    python experiments/bench_scheduler.py           # a few minutes, 64 workers
    python experiments/bench_scheduler.py --smoke   # seconds; the numbers mean nothing

A real master process with its journal, nameserver and dispatcher, and 64 real worker
processes on this machine, the shipped space `nes_cartpole`. Workers wait idle first, so
that the price of heartbeats is seen alone; then 10,000 evaluations run; then the run is
resumed and loaded by new processes, and the generator alone is timed with n results, as
they came and, the worst case, all on one budget. Writes OUT.json and OUT.png.

Wall times are those of a machine that may do other things too; "others" is how many
cores those took meanwhile. CPU seconds do not mind.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scheduler_processes import MAX_BUDGET, make_generator, make_space
from scheduler_report import draw, rows

from se_hpo.bohb.journal import Journal
from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.paths import RunPaths

OUT = Path(__file__).parent / "results" / "bench_scheduler"
PROCESSES = Path(__file__).with_name("scheduler_processes.py")


@dataclass(frozen=True)
class Size:
    """What is measured."""

    workers: int = 64
    marks: tuple[int, ...] = (100, 1_000, 10_000)
    """Finished evaluations at which a proposal is timed."""
    idle_seconds: float = 20.0
    repeats: int = 15
    """Proposals timed at each mark."""
    limit_seconds: float = 1200.0


SMOKE = Size(3, (5, 10, 40), idle_seconds=0.5, repeats=2, limit_seconds=120)


def start(role: str, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a process of `scheduler_processes`; it writes FOLDER/../ROLE.json."""
    command = [sys.executable, str(PROCESSES), role, str(folder)]
    command += ["--out", str(folder.parent / f"{role}.json")]
    for name, value in options.items():
        values = value if isinstance(value, tuple) else (value,)
        command += [f"--{name.replace('_', '-')}", *(str(v) for v in values)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen(command, start_new_session=True, env=environment)


@contextlib.contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave nothing running, children included."""
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()


def answer(
    process: subprocess.Popen[bytes], folder: Path, role: str, limit: float
) -> Any:
    """What a process wrote when it ended."""
    if process.wait(limit):
        raise SystemExit(f"the {role} process ended with code {process.returncode}")
    return json.loads((folder.parent / f"{role}.json").read_text())


def busy_seconds() -> float:
    """CPU seconds that all processes of this machine have taken."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    ticks = [int(field) for field in fields]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def search(folder: Path, size: Size) -> dict[str, Any]:
    """Master and workers until the last bracket is done."""
    busy, began = busy_seconds(), time.time()
    options = {"workers": size.workers, "evaluations": size.marks[-1]}
    chief = start(
        "master",
        folder,
        marks=size.marks,
        idle_seconds=size.idle_seconds,
        **options,
    )
    crew = start("workers", folder, workers=size.workers)
    with ended(chief, crew):
        seen = answer(chief, folder, "master", size.limit_seconds)
        spent = answer(crew, folder, "workers", 60)
    seen["workers"] = spent
    ours = seen["end"]["cpu"] + spent["cpu"]
    others = (busy_seconds() - busy - ours) / (time.time() - began)
    seen["others"] = round(others, 2)
    return dict(seen)


def rates(journal: Journal) -> list[float]:
    """Evaluations per second in each tenth of the run: a disturbed one shows."""
    ends = sorted(entry.timestamps["finished"] for entry in journal.results.values())
    parts = [ends[i * len(ends) // 10 : (i + 1) * len(ends) // 10] for i in range(10)]
    return [(len(part) - 1) / (part[-1] - part[0]) for part in parts]


def one_process(role: str, folder: Path, size: Size) -> Any:
    """Resume or load a finished run in a new process."""
    process = start(role, folder, evaluations=size.marks[-1])
    with ended(process):
        return answer(process, folder, role, 120)


# -- the generator alone ------------------------------------------------------------


def proposal_ms(
    journal: Journal, n: int, repeats: int, one_budget: bool
) -> list[float]:
    """CPU milliseconds of proposals after n results, one of them new to each."""
    generator = make_generator()
    entries = list(journal.results.values())
    jobs = [
        types.SimpleNamespace(
            id=entry.id,
            kwargs={
                "config": journal.configs[entry.id][0],
                "budget": float(MAX_BUDGET) if one_budget else entry.kwargs["budget"],
            },
            result=entry.result,
            exception=None,
        )
        for entry in entries
    ]
    first = max(0, min(n, len(jobs)) - repeats)
    for job in jobs[:first]:
        generator.new_result(job)
    generator.random_fraction = 0.0  # random picks cost next to nothing
    found = []
    for job in jobs[first : first + repeats]:
        generator.new_result(job)
        started = time.thread_time()
        generator.get_config(float(MAX_BUDGET))
        found.append(1e3 * (time.thread_time() - started))
    return found


def append_ms(folder: Path) -> float:
    """Milliseconds of an append to the journal, on disk when it returns."""
    path = folder.parent / "append.jsonl"
    line = {"config": dict(make_space().get_default_configuration())}
    started = time.perf_counter()
    for _ in range(30):
        append_json_line(path, json.loads(json.dumps(line, default=str)))
    return 1e3 * (time.perf_counter() - started) / 30


# -- what it means --------------------------------------------------------------------


def summary(folder: Path, size: Size) -> dict[str, Any]:
    """Run everything; the numbers of the table, in builtin types."""
    seen = search(folder, size)
    idle, marks, end = seen["idle"], seen["marks"], seen["end"]
    wall = end["time"] - idle["last"]["time"]
    cpu = end["cpu"] - idle["last"]["cpu"]
    waited = idle["last"]["time"] - idle["first"]["time"]
    run = RunPaths(folder)
    journal = Journal(run.configs, run.results)
    return {
        "machine": {
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "others": seen["others"],
        },
        "workers": size.workers,
        "evaluations": seen["evaluations"],
        "evaluations_per_second": seen["evaluations"] / wall,
        "rate_of_each_tenth": rates(journal),
        "master_cpu_share": cpu / wall,
        "master_cpu_ms_per_evaluation": 1e3 * cpu / seen["evaluations"],
        "worker_cpu_ms_per_evaluation": 1e3
        * seen["workers"]["cpu"]
        / seen["evaluations"],
        "heartbeat_cpu_ms": 1e3
        * (idle["last"]["cpu"] - idle["first"]["cpu"])
        / (waited * size.workers),
        "mb_per_worker": (idle["first"]["mb"] - idle["alone"]["mb"]) / size.workers,
        "threads": max(idle["last"]["threads"], end["threads"]),
        "files": idle["last"]["files"],
        "peak_mb": end["peak_mb"],
        "mb_at": {n: round(mark["mb"], 1) for n, mark in marks.items()},
        "seconds_at": {
            n: mark["time"] - idle["last"]["time"] for n, mark in marks.items()
        },
        "proposal_ms_in_run": in_run(seen["proposals"], size.marks),
        "proposal_ms": {
            str(n): proposal_ms(journal, n, size.repeats, False) for n in size.marks
        },
        "proposal_ms_one_budget": {
            str(n): proposal_ms(journal, n, size.repeats, True) for n in size.marks
        },
        "append_ms": append_ms(folder),
        "status_bytes": seen["status_bytes"],
        "journal_bytes": seen["journal_bytes"],
        "resume": one_process("resume", folder, size),
        "load": one_process("load", folder, size),
    }


def in_run(
    proposals: list[list[float]], marks: tuple[int, ...]
) -> dict[str, list[float]]:
    """Wall milliseconds of the last proposals before each mark, in the busy master."""
    return {
        str(n): [1e3 * wall for known, wall, _ in proposals if 0.8 * n <= known <= n][
            -50:
        ]
        for n in marks
    }


def main() -> None:
    """Run, print the table, write JSON and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--smoke", action="store_true", help="3 workers, 40 evaluations"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="names without suffix")
    parser.add_argument("--folder", type=Path, help="where the run is written")
    args = parser.parse_args()
    size = SMOKE if args.smoke else Size()
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        found = summary(Path(place) / "run", size)
    if not args.smoke or args.out != OUT:
        write_json(args.out.with_suffix(".json"), found)
        draw(found, args.out.with_suffix(".png"))
    table = Table("", "measured", "bar")
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)
    print(f"others took {found['machine']['others']} of {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
