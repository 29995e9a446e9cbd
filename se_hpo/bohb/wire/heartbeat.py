"""A worker's signs of life, and what its master answers to them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import NotReady
from se_hpo.bohb.wire.master_connection import Listen, MasterConnection, machine
from se_hpo.errors import UserError

log = logging.getLogger(__name__)


class Heartbeat:
    """Announces a worker, says that it lives, and finds a restarted master again."""

    def __init__(
        self,
        connection: MasterConnection,
        listen: Listen,
        doing: Callable[[], str | None],
        abandon: Callable[[str], None],
        stop: Callable[[str], None],
        seconds: float,
        master_timeout: float,
        master_over: Callable[[], bool],
    ) -> None:
        """The worker as it is seen from here.

        Args:
            connection: to the master.
            listen: opens the worker's port.
            doing: token of what the master should believe that it is evaluating.
            abandon: called when that evaluation is somebody else's by now.
            stop: called with the reason why the worker is to end.
            seconds: time between two signs of life.
            master_timeout: as of `TrialWorker`.
            master_over: as of `TrialWorker`.
        """
        self.connection, self.listen, self.doing = connection, listen, doing
        self.abandon, self.stop = abandon, stop
        self.seconds = seconds
        self.master_timeout, self.master_over = master_timeout, master_over
        self._closed = threading.Event()
        self._name = self._uri = ""

    def attach(self) -> None:
        """Find the master and announce the worker.

        Raises:
            NotReady: no master yet, or none that can be reached.
            UserError: credentials that are not to be trusted.
        """
        if self._closed.is_set():
            raise NotReady("this worker is closed")
        self._name, self._uri = self.connection.attach(self.listen)
        self._announce()

    def _announce(self) -> None:
        self._tell("announce", self._uri, *machine(), self.seconds)

    def _tell(self, method: str, *more: object) -> str:
        """Say what we do, as it is at that moment, and do what the master answers."""
        with self.connection.lock:
            token = self.doing()
            reply: str = self.connection.call(method, self._name, token, *more)
        if reply == "end":
            self.stop("the master ended it")
        elif reply == "abandon" and token is not None:
            self.abandon(token)
        return reply

    def start(self) -> None:
        """Go on sending signs of life, in a thread."""
        threading.Thread(target=self._beats, name="heartbeat", daemon=True).start()

    def _beats(self) -> None:
        while not self._closed.wait(self.seconds):
            try:
                self.beat()
            except BaseException as error:  # noqa: BLE001 - a deaf worker helps nobody
                log.warning("heartbeat: %r", error)

    def beat(self) -> None:
        """Tell the master that we live, and do what it answers."""
        try:
            if self._tell("heartbeat") == "unknown" and not self._closed.is_set():
                self._announce()
        except pyro.PyroError as error:
            self._find_again(error)

    def _find_again(self, error: Exception) -> None:
        """No answer: a restarted master has other credentials."""
        if self._closed.is_set():
            return
        try:
            self.attach()
        except (NotReady, UserError, pyro.PyroError) as reason:
            log.info("the master does not answer (%s; %s)", error, reason)
            if self.master_over():
                self.stop("the master is gone for good")
            elif self.connection.silent_for() > self.master_timeout:
                self.stop(f"no master for {self.master_timeout:g} s")
        else:
            log.info("found the master again")

    def close(self) -> None:
        """No more signs of life."""
        self._closed.set()
        self.connection.close()

    def announce_leaving(self, reason: str, failed: bool) -> None:
        """Let the master give our trial to somebody else at once."""
        try:
            self.connection.call_apart("leave", self._name, reason, failed)
        except pyro.PyroError:
            log.debug("nobody to say goodbye to")
