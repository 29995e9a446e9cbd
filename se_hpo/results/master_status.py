"""Evaluations under way, as the master says in `status.json`."""

from __future__ import annotations

import time
from typing import Any

from se_hpo.bohb.status import Running
from se_hpo.results.lines import (
    Evaluation,
    check_time,
    read_generations,
    read_json,
    warn_unreadable,
)
from se_hpo.storage.json_records import RecordError, checked
from se_hpo.storage.paths import RunPaths, TrialPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status

STATUS_MAX_AGE = 60.0
"""Seconds after which a `status.json` that nobody rewrote says nothing any more."""


def read_running(run: RunPaths, ended: list[Evaluation]) -> list[Evaluation]:
    """Evaluations under way, as the master last said, with what they have so far.

    Empty where `status.json` is older than `STATUS_MAX_AGE`.
    """
    try:
        age = time.time() - run.status.stat().st_mtime
    except FileNotFoundError:
        return []
    if age > STATUS_MAX_AGE:
        return []
    done = {(e.config_id, e.record.budget) for e in ended}
    running = []
    try:
        entries = read_json(run.status).get("running", [])
        for entry in checked(list[Running], entries, "running"):
            if (entry.config_id, entry.budget) not in done:
                running.append(_running(entry, run, ended))
    except RecordError as error:
        warn_unreadable(run.status, f"running trials not understood ({error})")
    return running


def _running(entry: Running, run: RunPaths, ended: list[Evaluation]) -> Evaluation:
    check_time("since", entry.since)
    config_id = entry.config_id
    mine = (e.record for e in ended if e.config_id == config_id)
    before = [record for record in mine if record.budget < entry.budget]
    record = EvaluationRecord(
        trial=trial_name(config_id),
        bracket=config_id[0],
        rung=config_id[1] + len(before),
        budget=entry.budget,
        status=Status.RUNNING,
        loss=float("nan"),
        reason="",
        worker=str(entry.pid),
        host=entry.host,
        started=entry.since,
        seed=before[-1].seed if before else 0,
        **_so_far(run.trial(config_id)),
    )
    return Evaluation(config_id, record)


def _so_far(files: TrialPaths) -> dict[str, Any]:
    """What the finished generations of a running trial add up to."""
    done = list(read_generations(files))
    if not done:
        return {}
    last = done[-1]
    return {
        **{"score_final": last.center_score, "score_best": last.best_score},
        "generations": len(done),
        "env_steps_se": sum(line.env_steps_se for line in done),
        "env_steps_task": sum(line.env_steps_task for line in done),
    }
