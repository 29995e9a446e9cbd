"""The master's port: workers join, are handed evaluations, bring results.

They send heartbeats, and ask once more before they start an evaluation (`claim`), so
that one that was taken away while its worker was frozen is never run twice. What a
vanished worker had is queued again, unless it is what kills its workers.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import Pyro4

from se_hpo.bohb.evaluated import failed_result
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.master_settings import HowItDied, MasterSettings
from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import Credentials
from se_hpo.bohb.wire.nameserver import list_names
from se_hpo.bohb.wire.roster import Roster, WorkerHandle
from se_hpo.storage.files import check_writable, parse_json
from se_hpo.storage.paths import RunPaths

log = logging.getLogger(__name__)

START_SECONDS = 2.0
"""Limit for handing an evaluation to a worker."""
MOST_DEATHS = 3
"""Workers that an evaluation may kill, without getting any further, before it fails."""

Report = Callable[[Job | BaseException | None], None]
"""Called in any thread: with a finished evaluation, with an error that ends the run, or
with None when workers have come or gone."""


class Dispatcher:
    """Keeps workers busy with what the master submits."""

    def __init__(
        self,
        run: RunPaths,
        credentials: Credentials,
        settings: MasterSettings,
        report: Report,
        how_it_died: HowItDied,
    ) -> None:
        """`start` opens the port; `credentials` are those of the run's nameserver."""
        self.paths, self.credentials, self.report = run, credentials, report
        self.how_it_died = how_it_died
        self.roster = Roster()
        self.ending = threading.Event()
        self.workers_end = True
        """Whether workers end with us, or wait for the next master."""
        self._interval, self._patience = settings.ping_interval, settings.patience
        self._look_now, self._looked = threading.Event(), time.monotonic()
        self.name = f"hpbandster.run_{credentials.run_id}.dispatcher"
        self.uri = ""
        self.pyro_daemon: pyro.KeyedDaemon | None = None
        self._name_server_ok = True

    # -- life -----------------------------------------------------------------

    def start(self) -> None:
        """Open the port, register, and start the threads (all daemons)."""
        key, host = self.credentials.key, self.credentials.host
        self.pyro_daemon = pyro.KeyedDaemon(key, host)
        self.pyro_daemon.on_disconnect = self._hung_up
        self.uri = str(self.pyro_daemon.register(self, self.name))
        self._publish()
        self.pyro_daemon.serve_in_thread("dispatcher")
        for target in (self._watch, self._hand_out):
            threading.Thread(target=self._guarded, args=(target,), daemon=True).start()

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - raised again by the master
            self.report(error)

    def shutdown(self, workers_end: bool = False, seconds: float = 2.0) -> None:
        """Tell workers to end, wait for them a moment, and close the port."""
        self.workers_end = workers_end
        self.ending.set()
        self._look_now.set()
        with self.roster.lock:
            self.roster.lock.notify_all()
        if workers_end:
            for worker in self.roster.everybody():
                threading.Thread(target=worker.shutdown, daemon=True).start()
            deadline = time.monotonic() + seconds
            while self.roster.workers and time.monotonic() < deadline:
                time.sleep(0.02)
        if self.pyro_daemon is not None:
            self.pyro_daemon.stop()

    # -- what workers call ----------------------------------------------------

    @Pyro4.expose
    def announce(
        self, name: str, token: str | None, uri: str, host: str, pid: int, every: float
    ) -> str:
        """A worker joins, or is back; see `WorkerHandle`. Answers as `heartbeat`."""
        worker = WorkerHandle(name, uri, self.credentials.key, host, pid, every)
        if self.roster.add(worker):
            log.info("worker %s on %s joined", pid, host)
            self.report(None)
        return self.heartbeat(name, token)

    @Pyro4.expose
    def heartbeat(self, name: str, token: str | None) -> str:
        """A sign of life: `ok`, `end`, `unknown` (announce first), or `abandon`."""
        with self.roster.lock:
            worker = self.roster.workers.get(name)
            if worker is None:
                return "unknown"
            worker.heard(Pyro4.current_context.client)
            if self.ending.is_set():
                return "end" if self.workers_end else "ok"
            return self.roster.agree(worker, token)

    @Pyro4.expose
    def claim(self, name: str, token: str) -> bool:
        """May the worker start this evaluation?"""
        with self.roster.lock:
            return not self.ending.is_set() and self.roster.table.claim(token, name)

    @Pyro4.expose
    def register_result(self, name: str, token: str, result: str) -> bool:
        """A worker delivers a result as JSON; a second one is dropped."""
        value = parse_json(result)
        if self.ending.is_set() and not self.workers_end:
            raise pyro.PyroError("the master is ending: keep it for the next one")
        job = self.roster.finish(token, value, name)
        if job is None:
            log.info("result of %s from %s: not waited for", token, name)
        else:
            self.report(job)
        return True

    @Pyro4.expose
    def leave(self, name: str, reason: str, failed: bool = False) -> None:
        """A worker says goodbye; what it had is queued again at once.

        If it has `failed` since it could not write, and we cannot either, nobody can.
        """
        worker = self.roster.workers.get(name)
        if worker is not None:
            self._drop(worker, reason, expected=not failed)
        if failed:
            try:
                check_writable(self.paths.trials)
            except OSError as error:
                self.report(error)

    # -- what the master calls ------------------------------------------------

    def submit(self, job: Job) -> None:
        """Queue an evaluation; it is reported once it has a result."""
        if self.roster.submit(job):
            self.report(job)

    # -- threads --------------------------------------------------------------

    def _hand_out(self) -> None:
        while pair := self.roster.next_pair(self.ending, self._interval):
            # A thread each: a worker that froze a moment ago holds nobody up.
            threading.Thread(target=self._send, args=pair, daemon=True).start()

    def _send(self, job: Job, worker: WorkerHandle) -> None:
        try:
            accepted = worker.start(job, START_SECONDS)
        except pyro.PyroError as error:
            log.debug("%s could not be handed to %s: %s", job.token, worker.name, error)
            accepted = False
            self._look_now.set()
        if not accepted:
            with self.roster.lock:
                if not job.claimed and worker.job is job:
                    self.roster.requeue(worker)

    def _watch(self) -> None:
        while not self.ending.is_set():
            self._look()
            self._publish()

    def _publish(self) -> None:
        """Keep dispatcher and workers in the nameserver, also in a restarted one."""
        names = {worker.name: worker.uri for worker in self.roster.everybody()}
        try:
            list_names(self.credentials, {**names, self.name: self.uri})
            self._name_server_ok = True
        except pyro.PyroError as error:
            if self._name_server_ok and not self.ending.is_set():
                log.warning("the nameserver does not answer: %s", error)
            self._name_server_ok = False

    # -- who is gone: a dead process is known by its closed port and given up at once, a
    # frozen one, or one behind a broken network, is given some patience --------------

    def _hung_up(self, connection: Any) -> None:
        """A connection broke, which a killed process's does at once."""
        for worker in self.roster.everybody():
            if worker.connection is connection:
                worker.hung_up = True
                self._look_now.set()

    def _look(self) -> None:
        """Wait for the next look, then ask whoever has been silent for too long."""
        self._look_now.wait(self._interval)
        self._look_now.clear()
        now = time.monotonic()
        frozen = now - self._looked > 3 * self._interval + 5.0
        self._looked = now
        for worker in self.roster.everybody():
            if frozen:  # we were, ourselves: nobody's silence means anything
                worker.seen = now
            if worker.is_overdue() and not worker.probing:
                worker.probing = True
                threading.Thread(
                    target=self._probe, args=(worker,), daemon=True
                ).start()

    def _probe(self, worker: WorkerHandle) -> None:
        alive = worker.is_alive()
        worker.probing = False
        if alive is False:
            self._drop(worker, "it is gone", died=True)
        elif alive is None and worker.silent_for() > self._patience:
            self._drop(worker, f"silent for {worker.silent_for():.0f} s")

    def _drop(
        self,
        worker: WorkerHandle,
        reason: str,
        died: bool = False,
        expected: bool = False,
    ) -> None:
        """Forget a worker that is gone, and queue again what it had.

        An evaluation whose workers have `died` again and again without a word has
        failed. Nobody is warned of what was `expected`.
        """
        expected = expected or self.ending.is_set()
        made = self._progress(worker.job)
        with self.roster.lock:
            if self.roster.workers.get(worker.name) is not worker:
                return
            job = self.roster.remove(worker)
            blamed = job if died and not expected else None
            fatal = blamed is not None and blamed.count_death(made) >= MOST_DEATHS
            if not fatal:
                self.roster.requeue(worker)
        level = logging.INFO if expected else logging.WARNING
        log.log(level, "worker %s on %s left: %s", worker.pid, worker.host, reason)
        if job is not None and fatal:
            self._fail(job, worker, reason)
        elif job is not None and not self.ending.is_set():
            log.log(level, "%s is queued again", job.token)
        self.report(None)

    def _progress(self, job: Job | None) -> int:
        """Grows with every generation or agent that a trial has behind it."""
        size = 0
        if job is not None:
            trial = self.paths.trial(job.id)
            for path in (trial.generations, trial.agents):
                with contextlib.suppress(OSError):  # none yet, or a share that is away
                    size += path.stat().st_size
        return size

    def _fail(self, job: Job, worker: WorkerHandle, reason: str) -> None:
        """Give an evaluation that nobody survives the result of one that failed."""
        told = self.how_it_died(worker.host, worker.pid) or (
            f"{reason}, see its log in {self.paths.logs}"
        )
        why = (
            f"its worker died {job.deaths} times, last pid {worker.pid} on "
            f"{worker.host}: {told}"
        )
        log.warning("%s has failed: %s", job.token, why)
        if self.roster.finish(job.token, failed_result(why), worker.name) is not None:
            self.report(job)
