"""Where every evaluation stands: waiting, running, finished. No network, no threads.

An evaluation is given to one worker at a time, is finished once, and is never given up:
if its worker goes away, it waits again, first in line.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import hpbandster.core.dispatcher

from se_hpo.bohb.tokens import evaluation_token


class Job(hpbandster.core.dispatcher.Job):
    """hpbandster's job, with the name of its evaluation and who has it."""

    def __init__(self, id: tuple[int, int, int], **kwargs: Any) -> None:
        """Wait from now on; `kwargs` go to the worker's `compute`."""
        super().__init__(id, **kwargs)
        self.token = evaluation_token(id, kwargs["config"], kwargs["budget"])
        self.worker_name: str | None = None
        self.claimed = False
        """The worker has said that it starts."""
        self.assigned = 0.0
        """Monotonic seconds."""
        self.times_lost = 0
        self.time_it("submitted")


class JobTable:
    """All evaluations of one master; the caller holds a lock."""

    def __init__(self) -> None:
        """Start empty."""
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
            self.finished.add(job.token)
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
        job.claimed = True
        return True

    def adopt(self, token: str, worker: str) -> bool:
        """Leave an evaluation with the worker that says it is running it."""
        for job in self.waiting:
            if job.token == token:
                self.waiting.remove(job)
                self._give(job, worker, claimed=True)
                return True
        return False

    def take_back(self, token: str, worker: str) -> Job | None:
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
        self.finished.add(token)
        job.result = result
        job.time_it("finished")
        return job

    def _remove_waiting(self, token: str) -> Job | None:
        for job in self.waiting:
            if job.token == token:
                self.waiting.remove(job)
                job.time_it("started")
                return job
        return None

    def forget_worker(self, worker: str) -> None:
        """Drop what was only known from a worker that is gone."""
        self.orphans = {t: w for t, w in self.orphans.items() if w != worker}
