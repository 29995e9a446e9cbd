"""What a master is doing now: for the console, for `status.json`, for the log."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.dispatcher import Dispatcher
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.paths import trial_name


def running_trials(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    """Evaluations that a worker has: trial, budget, worker, host, since (Unix s)."""
    with dispatcher.runner_cond:
        jobs = list(dispatcher.table.running.values())
        hosts = {w.name: (w.host, w.pid) for w in dispatcher.worker_pool.values()}
    return [_running(job, hosts) for job in jobs]


def _running(job: Job, hosts: dict[str, tuple[str, int]]) -> dict[str, Any]:
    host, pid = hosts.get(job.worker_name or "", ("", 0))
    return {
        "trial": trial_name(job.id),
        "config_id": list(job.id),
        "budget": float(job.kwargs["budget"]),
        "worker": job.worker_name,
        "host": host,
        "pid": pid,
        "since": job.timestamps.get("started", 0.0),
    }


def workers_alive(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    """Workers in the pool: name, host, pid, trial (None when idle)."""
    with dispatcher.runner_cond:
        return [
            {
                "worker": w.name,
                "host": w.host,
                "pid": w.pid,
                "trial": trial_name(w.runs_job.id) if w.runs_job else None,
            }
            for w in dispatcher.worker_pool.values()
        ]


def bracket_counts(
    brackets: Sequence[Bracket], begun: Sequence[SuccessiveHalving]
) -> list[dict[str, Any]]:
    """Per bracket and rung: budget, evaluations done and planned."""
    rows = []
    for bracket in brackets:
        state = begun[bracket.index] if bracket.index < len(begun) else None
        done = state.done if state is not None else [0] * len(bracket.budgets)
        rungs = [
            {"budget": b, "done": d, "planned": n}
            for b, d, n in zip(bracket.budgets, done, bracket.num_configs, strict=True)
        ]
        finished = state is not None and state.is_finished
        rows.append({"bracket": bracket.index, "finished": finished, "rungs": rungs})
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
