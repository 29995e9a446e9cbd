"""Where every evaluation stands: waiting, running, finished. No network, no threads.

An evaluation is given to one worker at a time and is finished once: if its worker goes
away, it waits again, first in line.
"""

from __future__ import annotations

import json
import time
import zlib
from collections import deque
from collections.abc import Mapping
from typing import Any

from se_hpo.storage.paths import ConfigId, trial_name


def evaluation_token(
    config_id: ConfigId, configuration: Mapping[str, Any], budget: float
) -> str:
    """The name of one evaluation: trial, budget and a digest of the configuration.

    The same in master and worker, and in a restarted master: a worker that comes back
    with a trial can say which, and another configuration's result is not taken for it.

    >>> evaluation_token((0, 0, 3), {"x": 1}, 9.0)
    '000-0-003@9#df78ddc4'
    """
    text = json.dumps(configuration, sort_keys=True)
    return f"{trial_name(config_id)}@{budget:g}#{zlib.crc32(text.encode()):08x}"


class Job:
    """One evaluation, with what hpbandster's iterations and generators read of it."""

    def __init__(self, id: ConfigId, **kwargs: Any) -> None:
        """Wait from now on; `kwargs` go to the worker's `compute`."""
        self.id = id
        self.kwargs = kwargs
        self.timestamps: dict[str, float] = {}
        self.result: dict[str, Any] = {}
        self.exception: str | None = None
        self.token = evaluation_token(id, kwargs["config"], kwargs["budget"])
        self.worker_name: str | None = None
        self.claimed = False
        """The worker has said that it starts."""
        self.assigned = 0.0
        """Monotonic seconds of the hand-out, then of the claim."""
        self.deaths = 0
        self._progress = 0
        self.time_it("submitted")

    def time_it(self, event: str) -> None:
        """Note that it was submitted, started or finished now."""
        self.timestamps[event] = time.time()

    @property
    def budget(self) -> float:
        """Generations or seeds."""
        return float(self.kwargs["budget"])

    @property
    def loss(self) -> float:
        """Of a finished evaluation, as the next."""
        return float(self.result["loss"])

    @property
    def info(self) -> dict[str, Any]:
        """What the worker returned; `status` is always there."""
        return dict(self.result["info"])

    def count_death(self, progress: int) -> int:
        """How many workers have died of it since it last got any further."""
        if not self.claimed:  # not begun
            return self.deaths
        self.deaths = 1 if progress > self._progress else self.deaths + 1
        self._progress = progress
        return self.deaths


class JobTable:
    """All evaluations of one master; the caller holds a lock."""

    def __init__(self) -> None:
        self.waiting: deque[Job] = deque()
        self.running: dict[str, Job] = {}
        self.finished: set[str] = set()
        self.orphans: dict[str, str] = {}
        """Token -> worker that came with an evaluation nobody has submitted yet."""
        self.early: dict[str, dict[str, Any]] = {}
        """Token -> result that came before its evaluation was submitted."""

    def submit(self, job: Job) -> bool:
        """Take an evaluation in; True if its result is here already."""
        if job.token in self.early:
            job.time_it("started")
            self._finish(job, self.early.pop(job.token))
            return True
        if (worker := self.orphans.pop(job.token, None)) is not None:
            self._give(job, worker, claimed=True)
        else:
            self.waiting.append(job)
        return False

    def next_job(self, worker: str) -> Job:
        """Give the first waiting evaluation to a worker, which has yet to claim it."""
        job = self.waiting.popleft()
        self._give(job, worker, claimed=False)
        return job

    def _give(self, job: Job, worker: str, claimed: bool) -> None:
        job.worker_name, job.claimed = worker, claimed
        job.assigned = time.monotonic()
        job.time_it("started")
        self.running[job.token] = job

    def claim(self, token: str, worker: str) -> bool:
        """May this worker start it? Asked once more just before it does."""
        job = self.running.get(token)
        if job is None or job.worker_name != worker:
            return False
        job.claimed, job.assigned = True, time.monotonic()
        return True

    def adopt(self, token: str, worker: str) -> bool:
        """Leave an evaluation with the worker that says it is running it."""
        job = self._remove_waiting(token)
        if job is not None:
            self._give(job, worker, claimed=True)
        return job is not None

    def requeue(self, token: str, worker: str) -> Job | None:
        """Queue an evaluation again, first in line, if that worker still has it."""
        job = self.running.get(token)
        if job is None or job.worker_name != worker:
            return None
        del self.running[token]
        job.worker_name, job.claimed = None, False
        self.waiting.appendleft(job)
        return job

    def finish(self, token: str, result: dict[str, Any]) -> Job | None:
        """The evaluation that a result belongs to; None if it has one, or is unknown.

        Who brings it does not matter: the same evaluation has the same result.
        """
        if token in self.finished:
            return None
        job = self.running.pop(token, None) or self._remove_waiting(token)
        if job is None:
            self.early[token] = result
            self.orphans.pop(token, None)
            return None
        job.timestamps.setdefault("started", time.time())
        self._finish(job, result)
        return job

    def _finish(self, job: Job, result: dict[str, Any]) -> None:
        self.finished.add(job.token)
        job.result = result
        job.time_it("finished")

    def _remove_waiting(self, token: str) -> Job | None:
        job = next((job for job in self.waiting if job.token == token), None)
        if job is not None:
            self.waiting.remove(job)
        return job

    def forget_worker(self, worker: str) -> None:
        """Drop what was only known from a worker that is gone."""
        self.orphans = {t: w for t, w in self.orphans.items() if w != worker}
