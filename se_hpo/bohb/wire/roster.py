"""The workers of a master, how it calls them, and what each of them has."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import Pyro4.errors

from se_hpo.bohb.job_table import Job, JobTable
from se_hpo.bohb.wire import pyro

log = logging.getLogger(__name__)

SETTLE_SECONDS = 2.0
"""A worker that does nothing so long after a hand-out or claim did not get it: before
that, the heartbeat that says so may be older than the claim."""


@dataclass(eq=False)
class WorkerHandle:
    """A worker that has announced itself."""

    name: str
    """Its name in the nameserver."""
    uri: str
    """Where it listens."""
    key: str = field(repr=False)
    """HMAC key of the run."""
    host: str
    """Name of its machine."""
    pid: int
    every: float
    """Seconds between its heartbeats."""
    job: Job | None = None
    """What it was given."""
    connection: Any = None
    """Pyro's connection that its heartbeats come through."""
    hung_up: bool = False
    """That connection broke: most likely the process is dead."""
    probing: bool = False
    seen: float = field(default_factory=time.monotonic)

    def heard(self, connection: Any) -> None:
        """Note a sign of life."""
        self.seen, self.connection, self.hung_up = time.monotonic(), connection, False

    def silent_for(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self.seen

    def is_overdue(self) -> bool:
        """Two heartbeats have not come, or the connection broke."""
        return self.hung_up or self.silent_for() > 2.5 * self.every + 1.0

    def start(self, job: Job, timeout: float) -> bool:
        """Hand an evaluation over; False if the worker will not take it now.

        Raises:
            PyroError: it does not answer.
        """
        with pyro.keyed_proxy(self.uri, self.key, timeout) as proxy:
            return bool(proxy.start_computation(job.id, job.token, job.kwargs))

    def shutdown(self) -> None:
        """Tell it to end, if it can hear that."""
        with (
            contextlib.suppress(pyro.PyroError),
            pyro.keyed_proxy(self.uri, self.key, 1.0) as proxy,
        ):
            proxy.shutdown()

    def is_alive(self) -> bool | None:
        """True: it answers. False: nobody is there. None: silence, cannot be told."""
        try:
            with pyro.keyed_proxy(self.uri, self.key, 2.0) as proxy:
                proxy.is_busy()
        except Pyro4.errors.TimeoutError:
            return None
        except pyro.CommunicationError as error:
            cause = error.__cause__
            if cause is None or isinstance(cause, ConnectionError):
                return False  # refused or hung up: the port is closed
            return None  # timed out, no route
        except pyro.PyroError:
            return False  # somebody else answers there now
        return True


class Roster:
    """Who is there, who is idle, and who has which evaluation; waits for no network."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        """Held for every look and change; notified when more can be handed out."""
        self.workers: dict[str, WorkerHandle] = {}
        self.idle: dict[str, None] = {}  # first in, first out
        self.table = JobTable()
        self.lost = 0
        """How often an evaluation was taken from a worker that had gone."""

    def everybody(self) -> list[WorkerHandle]:
        """The workers there are."""
        with self.lock:
            return list(self.workers.values())

    def add(self, worker: WorkerHandle) -> bool:
        """Take a worker in; False if it is known."""
        with self.lock:
            return self.workers.setdefault(worker.name, worker) is worker

    def remove(self, worker: WorkerHandle) -> Job | None:
        """A worker is gone: forget it; what it had is for the caller to requeue."""
        with self.lock:
            if self.workers.pop(worker.name, None) is None:
                return None
            self.idle.pop(worker.name, None)
            self.table.forget_worker(worker.name)
            self.lost += worker.job is not None
            return worker.job

    def set_idle(self, worker: WorkerHandle) -> None:
        """It can be given something."""
        with self.lock:
            self.idle.setdefault(worker.name)
            self.lock.notify_all()

    def requeue(self, worker: WorkerHandle) -> None:
        """Queue again what it has, if anything."""
        with self.lock:
            job, worker.job = worker.job, None
            if job is not None and self.table.requeue(job.token, worker.name):
                self.lock.notify_all()

    def next_pair(
        self, ending: threading.Event, seconds: float
    ) -> tuple[Job, WorkerHandle] | None:
        """Wait for an evaluation and an idle worker, first come, first served.

        None once `ending` is set; looks for that every so many seconds.
        """
        with self.lock:
            while not ending.is_set():
                if self._may_hand_out():
                    worker = self.workers[next(iter(self.idle))]
                    del self.idle[worker.name]
                    worker.job = self.table.next_job(worker.name)
                    return worker.job, worker
                self.lock.wait(seconds)
        return None

    def _may_hand_out(self) -> bool:
        for name in list(self.idle):
            worker = self.workers.get(name)
            if worker is None or worker.is_overdue():
                del self.idle[name]  # its next heartbeat brings it back
        return bool(self.table.waiting and self.idle)

    def agree(self, worker: WorkerHandle, token: str | None) -> str:
        """Make our picture of a worker and its own, `token`, the same."""
        job = worker.job
        if token is None:
            if job is not None:
                if time.monotonic() - job.assigned < SETTLE_SECONDS:
                    return "ok"  # on its way
                self.requeue(worker)
            self.set_idle(worker)
            return "ok"
        if job is not None and job.token == token:
            return "ok"
        if token in self.table.finished or token in self.table.running:
            return "abandon"
        if self.table.adopt(token, worker.name):
            self.requeue(worker)
            worker.job = self.table.running[token]
            log.info("worker %s is back with %s", worker.name, token)
        elif job is None:
            self.table.orphans[token] = worker.name
        self.idle.pop(worker.name, None)
        return "ok"

    def submit(self, job: Job) -> bool:
        """Queue it, or leave it with the worker that came with it; see `JobTable`."""
        with self.lock:
            here = self.table.submit(job)
            owner = self.workers.get(job.worker_name or "")
            if owner is not None:
                owner.job = job
            self.lock.notify_all()
            return here

    def finish(self, token: str, result: dict[str, Any], name: str) -> Job | None:
        """Take a result from a worker; None if nobody waits for it."""
        with self.lock:
            job = self.table.finish(token, result)
            worker = self.workers.get(name)
            if job is not None:
                owner = self.workers.get(job.worker_name or "")
                if owner is not None and owner.job is job:
                    owner.job = None
                job.worker_name = name
            if worker is not None and worker.job is None:
                self.set_idle(worker)
            return job
