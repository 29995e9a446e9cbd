"""hpbandster's dispatcher, made to lose nothing.

Workers announce themselves, send heartbeats and are handed evaluations; they ask once
more before they start one (`claim`), so an evaluation that was taken away while its
worker was frozen is never run twice. Whatever a vanished worker had is queued again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import hpbandster.core.dispatcher
import Pyro4

from se_hpo.bohb import pyro
from se_hpo.bohb.handout import Handout
from se_hpo.bohb.job_table import Job, JobTable
from se_hpo.bohb.pool import PoolWorker
from se_hpo.bohb.watch import Watch
from se_hpo.paths import parse_json

log = logging.getLogger(__name__)

UNCLAIMED_SECONDS = 2.0
"""An idle worker that has not claimed by then did not get it."""


class Dispatcher(hpbandster.core.dispatcher.Dispatcher):
    """Keeps workers busy with what the master submits."""

    def __init__(
        self,
        new_result_callback: Callable[[Job], None],
        *,
        run_id: str,
        key: str,
        host: str,
        nameserver: str,
        nameserver_port: int,
        ping_interval: float = 1.0,
        patience: float = 30.0,
        queue_callback: Callable[[int], None] | None = None,
        on_error: Callable[[BaseException], None],
        check_folder: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `run` opens the port.

        Args:
            new_result_callback: gets every finished job once, in any thread.
            run_id: the run's id.
            key: HMAC key of the run.
            host: address to bind to and to publish.
            nameserver: its host.
            nameserver_port: its port.
            ping_interval: seconds between looks at the workers.
            patience: seconds of silence after which a frozen worker's evaluation is
                given to another; dead ones are noticed at once.
            queue_callback: gets the number of workers whenever it changes.
            on_error: gets an error that ended one of the dispatcher's threads.
            check_folder: raises an `OSError` if the run's folder cannot be written to.
        """
        super().__init__(
            new_result_callback,
            run_id=run_id,
            nameserver=nameserver,
            nameserver_port=nameserver_port,
            host=host,
            logger=log,
            queue_callback=queue_callback,
        )
        self.key = key
        self.ping_interval = ping_interval
        self.patience = patience
        self.on_error = on_error
        self.check_folder = check_folder
        self.table = JobTable()
        self.lost = 0
        self.worker_pool: dict[str, PoolWorker] = {}
        self.idle_workers: dict[str, None] = {}  # first in, first out
        self.ending = threading.Event()
        self.workers_end = True
        """Whether workers end with us, or wait for the next master."""
        self.watch = Watch(self)
        self.pyro_daemon: pyro.KeyedDaemon | None = None

    # -- life -----------------------------------------------------------------

    def run(self) -> None:
        """Open the port, register, and start the threads (all daemons)."""
        self.pyro_daemon = pyro.KeyedDaemon(self.key, self.host)
        self.pyro_daemon.on_disconnect = self.watch.hung_up
        self.uri = str(self.pyro_daemon.register(self, self.pyro_id))
        self.watch.publish()
        self.pyro_daemon.serve_in_thread("dispatcher")
        for target in (self.discover_workers, self.job_runner):
            threading.Thread(
                target=self._guarded, args=(target,), name=target.__name__, daemon=True
            ).start()

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - raised again by the master
            self.on_error(error)

    def shutdown(self, shutdown_workers: bool = False, seconds: float = 2.0) -> None:
        """Tell workers to end, wait for them a moment, and close the port."""
        self.workers_end = shutdown_workers
        self.ending.set()
        self.watch.look_now()
        with self.runner_cond:
            self.runner_cond.notify_all()
            workers = list(self.worker_pool.values())
        if shutdown_workers:
            for worker in workers:
                threading.Thread(
                    target=_tell_to_end, args=(worker,), daemon=True
                ).start()
            deadline = time.monotonic() + seconds
            while self.number_of_workers() and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.pyro_daemon is not None:
            self.pyro_daemon.stop()

    # -- what workers call ----------------------------------------------------

    @Pyro4.expose
    def announce(
        self,
        name: str,
        uri: str,
        host: str,
        pid: int,
        token: str | None,
        every: float = 1.0,
    ) -> str:
        """A worker joins, or is back.

        Args:
            name: its name in the nameserver.
            uri: where it listens.
            host: name of its machine.
            pid: its process.
            token: what it is evaluating.
            every: seconds between its heartbeats.
        """
        with self.runner_cond:
            known = name in self.worker_pool
            if not known:
                worker = PoolWorker(name, uri, self.key, host, pid, every)
                self.worker_pool[name] = worker
        if not known:
            log.info("worker %s on %s joined", pid, host)
            self._pool_changed()
        return self.heartbeat(name, token)

    @Pyro4.expose
    def heartbeat(self, name: str, token: str | None) -> str:
        """A sign of life: `ok`, `end`, `unknown` (announce first), or `abandon`."""
        with self.runner_cond:
            worker = self.worker_pool.get(name)
            if worker is None:
                return "unknown"
            worker.heard(Pyro4.current_context.client)
            if self.ending.is_set():
                return "end" if self.workers_end else "ok"
            return self._agree(worker, token)

    def _agree(self, worker: PoolWorker, token: str | None) -> str:
        """Make our picture of a worker and its own the same."""
        job = worker.runs_job
        if token is None:
            if job is not None:
                age = time.monotonic() - job.assigned
                if not job.claimed and age < UNCLAIMED_SECONDS:
                    return "ok"  # on its way
                self.take_back(worker)
            self.set_idle(worker)
            return "ok"
        if job is not None and job.token == token:
            return "ok"
        running = self.table.running.get(token)
        if token in self.table.finished or running is not None:
            return "abandon"
        if self.table.adopt(token, worker.name):
            self.take_back(worker)
            worker.runs_job = self.table.running[token]
            log.info("worker %s is back with %s", worker.name, token)
        elif job is None:
            self.table.orphans[token] = worker.name
        self.idle_workers.pop(worker.name, None)
        return "ok"

    @Pyro4.expose
    def claim(self, name: str, token: str) -> bool:
        """May the worker start this evaluation?"""
        with self.runner_cond:
            return not self.ending.is_set() and self.table.claim(token, name)

    @Pyro4.expose
    def register_result(
        self, id: Any = None, result: str = "", token: str = "", name: str = ""
    ) -> bool:
        """A worker delivers a result as JSON; a second one is dropped."""
        value = parse_json(result)
        if self.ending.is_set() and not self.workers_end:
            raise pyro.PyroError("the master is ending: keep it for the next one")
        with self.runner_cond:
            job = self.table.finish(token, value)
            worker = self.worker_pool.get(name)
            if job is not None:
                self._release(job)
                job.worker_name = name
            if worker is not None and (
                worker.runs_job is None or worker.runs_job is job
            ):
                worker.runs_job = None
                self.set_idle(worker)
        if job is None:
            log.info("result of %s from %s: not waited for", token, name)
        else:
            self.new_result_callback(job)
        return True

    @Pyro4.expose
    def leave(self, name: str, reason: str, failed: bool = False) -> None:
        """A worker says goodbye; what it had is queued again at once.

        Args:
            name: its name in the nameserver.
            reason: one line.
            failed: it could not write its files, say. If we cannot either, nobody can.
        """
        self.drop(name, reason, expected=not failed)
        if failed:
            try:
                self.check_folder()
            except OSError as error:
                self.on_error(error)

    # -- what the master calls ------------------------------------------------

    def submit_job(self, id: tuple[int, int, int], **kwargs: Any) -> None:
        """Queue an evaluation; its result comes through the callback."""
        job = Job(id, **kwargs)
        with self.runner_cond:
            here = self.table.submit(job)
            owner = self.worker_pool.get(job.worker_name or "")
            if here:
                job.result = self.table.early.pop(job.token)
                job.time_it("finished")
            elif owner is not None:
                owner.runs_job = job
            elif job.worker_name is not None:
                self.table.take_back(job.token, job.worker_name)
            self.runner_cond.notify_all()
        if here:
            self.new_result_callback(job)

    def job_runner(self) -> None:
        """Thread: give waiting evaluations to idle workers; hpbandster's name."""
        Handout(self).run()

    def set_idle(self, worker: PoolWorker) -> None:
        """It can be given something; the caller holds the lock."""
        self.idle_workers.setdefault(worker.name)
        self.runner_cond.notify_all()

    def take_back(self, worker: PoolWorker) -> Job | None:
        """Queue again what it has, if anything; the caller holds the lock."""
        job, worker.runs_job = worker.runs_job, None
        if job is None or self.table.take_back(job.token, worker.name) is None:
            return None
        self.runner_cond.notify_all()
        return job

    def _release(self, job: Job) -> None:
        """Nobody has this finished job any more."""
        owner = self.worker_pool.get(job.worker_name or "")
        if owner is not None and owner.runs_job is job:
            owner.runs_job = None

    # -- who is there ---------------------------------------------------------

    @Pyro4.expose
    def trigger_discover_worker(self) -> None:
        """Look at the workers now."""
        self.watch.look_now()

    def discover_workers(self) -> None:
        """Thread: find out who is gone; hpbandster's name for it."""
        self.watch.run()

    def drop(self, name: str, reason: str, expected: bool = False) -> None:
        """A worker is gone: forget it and queue again what it had."""
        with self.runner_cond:
            worker = self.worker_pool.pop(name, None)
            if worker is None:
                return
            self.idle_workers.pop(name, None)
            self.table.forget_worker(name)
            job = self.take_back(worker)
            if job is not None:
                job.times_lost += 1
                self.lost += 1
        level = logging.INFO if expected else logging.WARNING
        log.log(level, "worker %s on %s left: %s", worker.pid, worker.host, reason)
        if job is not None and not self.ending.is_set():
            log.log(level, "%s is queued again", job.token)
        self._pool_changed()

    def _pool_changed(self) -> None:
        if self.queue_callback is not None:
            self.queue_callback(len(self.worker_pool))


def _tell_to_end(worker: PoolWorker) -> None:
    try:
        worker.shutdown()
    except pyro.PyroError:
        log.debug("%s did not hear that it should end", worker.name)
