"""A worker's standing with its master: announced, alive, found again, gone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from se_hpo.bohb import pyro
from se_hpo.bohb.credentials import Credentials, NotReady
from se_hpo.bohb.leaving import Interrupts
from se_hpo.bohb.link import Link, machine, own_host, wait_for_master
from se_hpo.errors import UserError

log = logging.getLogger(__name__)


class Presence:
    """Opens a worker's port, announces it, and keeps sending signs of life."""

    def __init__(
        self,
        worker: Any,
        link: Link,
        interrupts: Interrupts,
        token: Callable[[], str | None],
        heartbeat_seconds: float,
        master_timeout: float,
        master_over: Callable[[], bool],
    ) -> None:
        """Prepare.

        Args:
            worker: hpbandster's worker to serve; has `worker_id`, `host` and `stop`.
            link: its line to the master.
            interrupts: how to end its evaluation.
            token: what the master should believe that it is doing.
            heartbeat_seconds: time between two signs of life.
            master_timeout: seconds of silence after which it ends.
            master_over: asked when no master answers: will none ever come?
        """
        self.worker, self.link, self.interrupts = worker, link, interrupts
        self.token = token
        self.heartbeat_seconds = heartbeat_seconds
        self.master_timeout = master_timeout
        self.master_over = master_over
        self._closed = threading.Event()
        self._daemon: pyro.KeyedDaemon | None = None

    def start(self) -> None:
        """Wait for the master, announce, and go on sending signs of life.

        Raises:
            UserError: no master in time, or credentials that are not to be trusted.
        """
        with self.interrupts.allowed():
            wait_for_master(
                self.attach,
                self.master_timeout,
                self.interrupts.requested,
                self.master_over,
            )
        self.interrupts.check()
        threading.Thread(target=self._heartbeats, name="heartbeat", daemon=True).start()

    def attach(self) -> None:
        """Find the master and announce the worker."""
        if self._closed.is_set():
            raise NotReady("this worker is closed")
        self.link.attach(self._listen)
        self._announce()

    def _announce(self) -> None:
        host, pid = machine()
        name, token = self.worker.worker_id, self.token()
        every = self.heartbeat_seconds
        reply = self.link.call("announce", name, self._uri(), host, pid, token, every)
        self._obey(reply, token)

    def _uri(self) -> str:
        return str(self._daemon.uriFor(self.worker.worker_id)) if self._daemon else ""

    def _listen(self, credentials: Credentials) -> tuple[str, str]:
        """Open our port with the run's key, or take over a new key."""
        if self._daemon is None:
            host, pid = machine()
            run_id, suffix = (
                credentials.run_id,
                self.worker.worker_id.rpartition(".")[2],
            )
            name = f"hpbandster.run_{run_id}.worker.{host}.{pid}.{suffix}"
            self.worker.run_id, self.worker.worker_id = run_id, name
            self.worker.host = own_host(credentials, self.worker.host)
            self._daemon = pyro.KeyedDaemon(credentials.key, self.worker.host)
            self._daemon.register(self.worker, name)
            self._daemon.serve_in_thread("worker")
        self._daemon._pyroHmacKey = credentials.key.encode()
        return self.worker.worker_id, self._uri()

    def _heartbeats(self) -> None:
        while not self._closed.wait(self.heartbeat_seconds):
            try:
                self.beat()
            except BaseException as error:  # noqa: BLE001 - a deaf worker helps nobody
                log.warning("heartbeat: %r", error)

    def beat(self) -> None:
        """Tell the master that we live, and do what it answers."""
        token = self.token()
        try:
            reply = self.link.call("heartbeat", self.worker.worker_id, token)
            if reply == "unknown" and not self._closed.is_set():
                self._announce()
            self._obey(reply, token)
        except pyro.PyroError as error:
            self._find_again(error)

    def _find_again(self, error: Exception) -> None:
        """The line is down: a restarted master has other credentials."""
        if self._closed.is_set():
            return
        try:
            self.attach()
        except (NotReady, UserError, pyro.PyroError) as reason:
            log.info("the master does not answer (%s; %s)", error, reason)
            if self.master_over():
                self.worker.stop("the master is gone for good")
            elif self.link.silent_for() > self.master_timeout:
                self.worker.stop(f"no master for {self.master_timeout:g} s")
        else:
            log.info("found the master again")

    def _obey(self, reply: str, token: str | None) -> None:
        if reply == "end":
            self.worker.stop("the master ended it")
        elif reply == "abandon" and token is not None:
            self.interrupts.abandon(token)

    def close(self) -> None:
        """Say goodbye and close the port."""
        self._closed.set()
        self.link.close()
        self.say_goodbye()
        if self._daemon is not None:
            self._daemon.stop()

    def say_goodbye(self) -> None:
        """Let the master give our trial to somebody else at once."""
        reason = self.interrupts.leave_reason or "it failed"
        failed = self.interrupts.failed
        try:
            self.link.call_apart("leave", self.worker.worker_id, reason, failed)
        except pyro.PyroError:
            log.debug("nobody to say goodbye to")
