"""hpbandster's worker, made to survive: one process that evaluates trials.

It finds its master through the credentials file, waits for it, comes back to it after
a restart, and ends when told to, on a signal, or when the master stays away.
"""

from __future__ import annotations

import json
import logging
import queue
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import hpbandster.core.worker
import Pyro4

from se_hpo.bohb.evaluated import checked_result, failure_of
from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import Credentials, NotReady
from se_hpo.bohb.wire.interrupts import Abandon, Interrupts, Leave
from se_hpo.bohb.wire.master_connection import (
    MasterConnection,
    address_towards_master,
    machine,
)
from se_hpo.errors import storage_line
from se_hpo.storage.paths import ConfigId
from se_hpo.text import first_line

log = logging.getLogger(__name__)

Evaluate = Callable[[ConfigId, dict[str, Any], float], Mapping[str, Any]]
"""(config id, configuration, budget) -> {"loss": number, "info": dict}."""

LEASE_SECONDS = 10.0
"""After this much silence `checkpoint` asks the master before it goes on."""


class TrialWorker(hpbandster.core.worker.Worker):
    """Evaluates what the master hands out, in the thread that calls `run`.

    Give it a callable, or subclass it and override `compute`. Whatever that returns or
    raises becomes a result (see `evaluated`).
    """

    host: str | None
    worker_id: str

    def __init__(
        self,
        credentials: Path,
        evaluate: Evaluate | None = None,
        *,
        run_id: str | None = None,
        host: str | None = None,
        heartbeat_seconds: float = 1.0,
        master_timeout: float = 120.0,
        master_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare; `run` blocks until the worker's end.

        Args:
            credentials: the run's credentials file; it may appear later.
            evaluate: what to call; None needs an overridden `compute`.
            run_id: refuse the credentials of any other run.
            host: address to listen on; None takes the interface towards the master.
            heartbeat_seconds: time between two signs of life.
            master_timeout: seconds without a master after which `run` gives up.
            master_over: asked while no master answers: will none ever come?
        """
        self._id = secrets.token_hex(3)
        super().__init__(run_id or "any", logger=log, host=host, id=self._id)
        self.evaluate, self.heartbeat_seconds = evaluate, heartbeat_seconds
        self.interrupts = Interrupts()
        self.connection = MasterConnection(
            credentials,
            run_id,
            self._listen,
            self._token,
            self.interrupts.abandon,
            self.stop,
            master_timeout,
            master_over,
        )
        self._current: str | None = None
        """Token of the evaluation that runs, or is being delivered."""
        self._next: dict[str, Any] | None = None
        self._delivering = False
        self._inbox: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._daemon: pyro.KeyedDaemon | None = None

    # -- to override ----------------------------------------------------------

    def compute(
        self,
        config_id: ConfigId,
        config: dict[str, Any],
        budget: float,
        working_directory: str,
    ) -> Mapping[str, Any]:
        """Evaluate a configuration of builtin values: hpbandster's hook.

        Returns:
            `loss` (a finite number, lower is better) and, if any, `info`.
        """
        if self.evaluate is None:
            raise NotImplementedError("give `evaluate`, or override `compute`")
        return self.evaluate(config_id, config, budget)

    def is_fatal(self, error: BaseException) -> bool:
        """Whether an error says nothing about the configuration (a full disk, say).

        The trial is then given back, and `run` raises the error.
        """
        return False

    def checkpoint(self) -> None:
        """Call between the steps of a long evaluation, before anything is written.

        Ends the evaluation (by an exception that is no `Exception`) if it has been
        given to another worker while this process was frozen, or if it is to leave.
        """
        if self.connection.silent_for() > LEASE_SECONDS:
            self.connection.beat()
        self.interrupts.check()

    # -- what the dispatcher calls --------------------------------------------

    @Pyro4.expose
    def start_computation(
        self, id: ConfigId, token: str, kwargs: dict[str, Any]
    ) -> bool:
        """Take an evaluation, unless there is one already."""
        with self.thread_cond:
            busy = self._current is not None and not self._delivering
            if busy or self._next is not None or self.interrupts.leave_reason:
                return False
            arguments = {"config_id": tuple(id), **kwargs}
            self._next = {"token": token, "arguments": arguments}
        self._inbox.put(self._next)
        return True

    @Pyro4.expose
    def is_busy(self) -> bool:
        """Whether an evaluation is running or waiting here."""
        return self._token() is not None

    def _token(self) -> str | None:
        following = self._next
        return following["token"] if following is not None else self._current

    @Pyro4.expose
    @Pyro4.oneway
    def shutdown(self) -> None:
        """End, dropping what is running."""
        self.stop("the master ended it")

    def stop(self, reason: str = "stopped") -> None:
        """Ask `run` to return; from any thread."""
        self.interrupts.leave(reason)
        self._inbox.put(None)

    # -- life -----------------------------------------------------------------

    def _run(self) -> None:
        """Attach, evaluate until the end, and say goodbye.

        Raises:
            UserError: no master within `master_timeout`, or untrusted credentials.
        """
        self.interrupts.on_overdue = self._announce_leaving
        with self.interrupts.installed():
            try:
                with self.interrupts.allowed():
                    self.connection.wait_for_master(
                        self.interrupts.requested, self.heartbeat_seconds
                    )
                while True:
                    self._work_on(self._take())
            except Leave as end:
                log.info("worker %s ends: %s", self.worker_id, end)
            finally:
                self.interrupts.unwound = True
                self.connection.close()
                self._announce_leaving()
                if self._daemon is not None:
                    self._daemon.stop()

    def _listen(self, credentials: Credentials) -> tuple[str, str]:
        """Open our port with the run's key, or take over a new key.

        Raises:
            NotReady: the port cannot be opened, or not yet.
        """
        if self._daemon is None:
            host = self.host or address_towards_master(credentials)
            try:
                self._daemon = pyro.KeyedDaemon(credentials.key, host)
            except OSError as error:
                raise NotReady(f"cannot listen on {host} ({error})") from error
            where, pid = machine()
            self.run_id, self.host = credentials.run_id, host
            run = f"hpbandster.run_{self.run_id}"
            self.worker_id = f"{run}.worker.{where}.{pid}.{self._id}"
            self._daemon.register(self, self.worker_id)
            self._daemon.serve_in_thread("worker")
        self._daemon._pyroHmacKey = credentials.key.encode()
        return self.worker_id, str(self._daemon.uriFor(self.worker_id))

    def _announce_leaving(self) -> None:
        reason = self.interrupts.leave_reason or "it failed"
        self.connection.announce_leaving(reason, self.interrupts.failed)

    # -- evaluating -----------------------------------------------------------

    def _take(self) -> dict[str, Any]:
        while True:
            with self.interrupts.allowed():
                job = self._inbox.get()
            if job is not None:
                return job
            self.interrupts.check()

    def _work_on(self, job: dict[str, Any]) -> None:
        """Evaluate a job and deliver its result, if it is still ours."""
        token = job["token"]
        with self.thread_cond:
            self._current, self._next = token, None
        self.interrupts.evaluating = token
        try:
            if not self._is_ours(token):
                return
            log.info("evaluating %s", token)
            result = self._evaluate_safely(job)
            self.interrupts.evaluating = None
            self._delivering = True
            self._deliver(token, json.dumps(result, allow_nan=False))
        except Abandon:
            log.warning("%s was given to another worker: dropped", token)
        finally:
            self.interrupts.evaluating = None
            with self.thread_cond:
                self._current, self._delivering = None, False

    def _is_ours(self, token: str) -> bool:
        try:
            return bool(self.connection.call("claim", self.worker_id, token))
        except pyro.PyroError:
            return False

    def _evaluate_safely(self, job: dict[str, Any]) -> dict[str, Any]:
        try:
            with self.interrupts.allowed():
                value = self.compute(**job["arguments"])
            return checked_result(value)
        except (Leave, Abandon):
            raise
        except BaseException as error:
            if self.is_fatal(error):
                told = storage_line(error) if isinstance(error, OSError) else None
                line = told or first_line(f"{type(error).__name__}: {error}")
                self.interrupts.fail(line)
                raise
            log.info("%s failed: %r", job["token"], error)
            return failure_of(error)

    def _deliver(self, token: str, result: str) -> None:
        """Hand the result in, also to a master that comes back later."""
        while True:
            try:
                self.connection.call("register_result", self.worker_id, token, result)
                return
            except pyro.PyroError as error:
                log.debug("result of %s not delivered yet: %s", token, error)
            self.interrupts.requested.wait(0.2)
            self.interrupts.check()


def run_worker(credentials: Path, evaluate: Evaluate, **options: Any) -> str:
    """Evaluate for a master until the end; call it in the main thread.

    Arguments and errors are those of `TrialWorker`; returns why it ended.
    """
    worker = TrialWorker(credentials, evaluate, **options)
    worker.run()
    return worker.interrupts.leave_reason or "ended"
