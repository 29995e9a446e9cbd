"""Disturb a run 50 times at random moments; nothing may be lost, doubled or changed.

    python experiments/chaos.py             # one run with 1 worker, one with 3
    python experiments/chaos.py --smoke     # a few events, under half a minute

Real commands, real NES trials of the space `smoke`. Master and workers are killed,
terminated and frozen (kill -9, SIGTERM, SIGSTOP) and started again. The run goes on
until all brackets are done. Then each planned evaluation must be there once, ten
trials evaluated undisturbed must give the same bytes, and the run of one worker must
equal one that nobody disturbed. Exit code 1 if not. Writes OUT.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from chaos_events import DisturbedRun, disturbances, optimize
from chaos_verdict import check, differences, evaluate_again
from machine import machine
from rich.console import Console
from rich.table import Table

from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths

OUT = Path(__file__).parent / "results" / "chaos.json"
LONGEST_SLEEP = 8.0
"""Seconds; calls between master and worker give up after 5."""
LIMIT = 300.0
"""Seconds without a sign of life after which the experiment gives up."""
console = Console(highlight=False)


def disturbed(folder: Path, args: argparse.Namespace, workers: int) -> dict[str, Any]:
    """One run with all its events, and what became of it."""
    began, load = time.monotonic(), machine()["load_average"]
    events = []
    with DisturbedRun(folder, workers, n_brackets=args.brackets) as run:
        for event in disturbances(run, args.events, args.seed, args.sleep, LIMIT):
            events.append(event)
            console.print(
                f"{event['event']:3d} {event['at_seconds']:6.1f} s  {event['what']:15s}"
                f" {event['results_so_far']:4d} results, running {event['running']}"
            )
        run.wait(lambda: False, 4 * LIMIT)
        starts, n_brackets, paths = run.starts, run.n_brackets, run.paths
    log = folder.with_suffix(".log").read_text()
    found = {
        "workers": workers,
        "seconds": round(time.monotonic() - began, 1),
        "load_average_before": load,
        "kinds": dict(sorted(Counter(event["what"] for event in events).items())),
        "starts": {"master": starts, "workers_joined": log.count(" joined")},
        "queued_again": log.count("queued again"),
        **check(paths),
        "evaluated_again": evaluate_again(paths, args.again, args.seed),
    }
    if workers == 1:
        found["differs_from_undisturbed"] = undisturbed(folder, n_brackets)
    return {**found, "passed": passed(found), "events": events}


def undisturbed(folder: Path, n_brackets: int) -> list[str]:
    """The same run with nobody disturbing it: where the two differ."""
    other = folder.with_name(f"{folder.name}-undisturbed")
    code = optimize(other, n_brackets, "--n-workers", 1).wait()
    if code:
        raise SystemExit(f"the undisturbed run ended with code {code}")
    return differences(RunPaths(folder), RunPaths(other))


def passed(found: dict[str, Any]) -> bool:
    """Whether nothing is lost, doubled or changed."""
    complete = found["brackets_complete"] == found["brackets"]
    wrong = ("lost", "duplicated", "not_finished", "trials_with_gaps")
    clean = not any(found[key] for key in wrong)
    same = not found["evaluated_again"]["differ"]
    return complete and clean and same and not found.get("differs_from_undisturbed", [])


def show(runs: list[dict[str, Any]]) -> None:
    """The verdicts, one column for each run."""
    table = Table("", *(f"{run['workers']} worker(s)" for run in runs), title="Chaos")
    for key in runs[0]:
        if key not in ("events", "workers"):
            table.add_row(key, *(_short(run.get(key, "")) for run in runs))
    console.print(table)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{k}: {v}" for k, v in value.items())
    return str(value)


def main() -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--smoke", action="store_true", help="a few events only")
    parser.add_argument("--events", type=int, help="in each run (default 50)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--folder", type=Path, help="keep the runs here")
    args = parser.parse_args()
    args.events = args.events or (4 if args.smoke else 50)
    args.brackets = 3 if args.smoke else 30
    args.sleep = 1.0 if args.smoke else LONGEST_SLEEP
    args.again = 3 if args.smoke else 10
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = args.folder or Path(temporary)
        runs = [
            disturbed(folder / f"run-{workers}", args, workers)
            for workers in args.workers
        ]
    show(runs)
    all_passed = all(run["passed"] for run in runs)
    found = {"seed": args.seed, "passed": all_passed, "machine": machine()}
    write_json(args.out, {**found, "runs": runs})
    console.print(f"{'passed' if all_passed else 'FAILED'}: see {args.out}")
    return 0 if all_passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
