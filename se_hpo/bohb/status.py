"""What a master is doing now: for the console, for `status.json`, for the log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.wire.worker_handle import WorkerHandle
from se_hpo.storage.paths import trial_name


def running_trials(
    jobs: Iterable[Job], workers: Mapping[str, WorkerHandle]
) -> list[dict[str, Any]]:
    """Evaluations that a worker has: trial, budget, worker, host, since (Unix s)."""
    return [_running(job, workers.get(job.worker_name or "")) for job in jobs]


def _running(job: Job, worker: WorkerHandle | None) -> dict[str, Any]:
    return {
        "trial": trial_name(job.id),
        "config_id": list(job.id),
        "budget": float(job.kwargs["budget"]),
        "worker": job.worker_name,
        "host": worker.host if worker else "",
        "pid": worker.pid if worker else 0,
        "since": job.timestamps.get("started", 0.0),
    }


def workers_alive(workers: Iterable[WorkerHandle]) -> list[dict[str, Any]]:
    """Workers there are: name, host, pid, trial (None when idle)."""
    return [
        {
            "worker": worker.name,
            "host": worker.host,
            "pid": worker.pid,
            "trial": trial_name(worker.job.id) if worker.job else None,
        }
        for worker in workers
    ]


def bracket_counts(
    brackets: Iterable[Bracket], done: Sequence[Sequence[int]], finished: Sequence[bool]
) -> list[dict[str, Any]]:
    """Per bracket and rung: budget, evaluations done and planned.

    Args:
        brackets: all that are planned.
        done: evaluations on each rung, of the brackets begun.
        finished: which of these are at their end.
    """
    rows = []
    for index, bracket in enumerate(brackets):
        begun = index < len(done)
        counts = done[index] if begun else [0] * len(bracket.budgets)
        rungs = [
            {"budget": b, "done": d, "planned": n}
            for b, d, n in zip(
                bracket.budgets, counts, bracket.num_configs, strict=True
            )
        ]
        rows.append(
            {
                "bracket": bracket.index,
                "finished": begun and finished[index],
                "rungs": rungs,
            }
        )
    return rows


def describe_running(running: Iterable[dict[str, Any]], waiting: int) -> str:
    """One line that says which trials run where and for how long."""
    now = time.time()
    parts = [
        f"{r['trial']} (budget {r['budget']:g}) on {r['host']} pid {r['pid']} "
        f"for {now - r['since']:.0f} s"
        for r in running
    ]
    return ("; ".join(parts) or "nothing is running") + f"; {waiting} waiting"
