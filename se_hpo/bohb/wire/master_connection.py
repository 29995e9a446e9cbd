"""A worker's connection to its master: found, announced, kept alive, found again."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import Pyro4

from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import Credentials, NotReady, read_credentials
from se_hpo.errors import UserError

log = logging.getLogger(__name__)

LOG_SECONDS = 10.0
"""How often a waiting worker says what it is waiting for."""

Listen = Callable[[Credentials], tuple[str, str]]
"""Opens our port, before anything is sent; returns our name and URI."""


class NoMaster(UserError):  # noqa: N818 - the name says it
    """No master could be reached in the time given."""


class MasterConnection:
    """Calls to the dispatcher, one at a time, from any thread; and signs of life."""

    def __init__(
        self,
        path: Path,
        run_id: str | None,
        listen: Listen,
        doing: Callable[[], str | None],
        abandon: Callable[[str], None],
        stop: Callable[[str], None],
        timeout: float = 120.0,
        master_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Prepare; `wait_for_master` connects.

        Args:
            path: the credentials file, of the run `run_id` if that is given.
            run_id: see there.
            listen: opens the worker's port.
            doing: token of what the master should believe that it is evaluating.
            abandon: called when that evaluation is somebody else's by now.
            stop: called with the reason why the worker is to end.
            timeout: seconds without a master after which there is none any more.
            master_over: asked while no master answers: will none ever come?
        """
        self.path, self.run_id, self.listen = path, run_id, listen
        self.doing, self.abandon, self.stop = doing, abandon, stop
        self.timeout, self.master_over = timeout, master_over
        self.lock = threading.RLock()
        """Held while we speak; hold it to say only what is true at that moment."""
        self._last_answer = time.monotonic()
        self._name = self._uri = self._key = self._master = ""
        self._seconds = 0.0
        self._proxy: Pyro4.Proxy | None = None
        self._closed = threading.Event()

    # -- finding the master ---------------------------------------------------

    def wait_for_master(self, end: threading.Event, seconds: float) -> None:
        """Attach as soon as that works; from then on give a sign of life so often.

        Says now and then what is missing; returns early once `end` is set.

        Raises:
            NoMaster: not within `timeout`, or `master_over` says that none will come.
            UserError: credentials that are not to be trusted.
        """
        self._seconds = seconds
        deadline, next_log, pause = time.monotonic() + self.timeout, 0.0, 0.05
        while not end.is_set():
            try:
                self._attach()
                break
            except (NotReady, pyro.PyroError) as error:
                now = time.monotonic()
                if self.master_over():
                    raise NoMaster(f"the master's job is gone: {error}") from error
                if now >= deadline:
                    raise NoMaster(
                        f"gave up after {self.timeout:.0f} s without a master: {error}."
                        " Start it with the same run folder, or wait longer"
                    ) from error
                if now >= next_log:
                    log.info("waiting for the master: %s", error)
                    next_log = now + LOG_SECONDS
            end.wait(pause)
            pause = min(2 * pause, 1.0)
        threading.Thread(target=self._beats, name="heartbeat", daemon=True).start()

    def _attach(self) -> None:
        """Read the credentials, list our own name and URI, and find the dispatcher.

        Raises:
            NotReady: no usable credentials, or nobody answers there (yet).
            UserError: the credentials are not to be trusted.
        """
        if self._closed.is_set():
            raise NotReady("this worker is closed")
        credentials = read_credentials(self.path, self.run_id)
        self._name, self._uri = self.listen(credentials)
        where = credentials.host, credentials.port
        try:
            with pyro.name_server(*where, credentials.key) as ns:
                found = ns.lookup(f"hpbandster.run_{credentials.run_id}.dispatcher")
                ns.register(self._name, self._uri)
        except pyro.PyroError as error:
            at = "{}:{}".format(*where)
            raise NotReady(f"no master answers at {at} ({error})") from error
        with self.lock:
            self._hang_up()
            self._master, self._key = str(found), credentials.key
            self._proxy = pyro.keyed_proxy(self._master, self._key)
        self._announce()

    # -- speaking to it -------------------------------------------------------

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the dispatcher; the connection is kept, and opened again if it broke.

        A call may arrive twice, which every method of the dispatcher bears.

        Raises:
            CommunicationError: no answer.
        """
        with self.lock:
            if self._proxy is None:
                raise pyro.CommunicationError("not attached")
            try:
                answer = self._call_twice(method, arguments)
            except BaseException:
                self._hang_up()  # an interrupted call may be half sent
                raise
            self._last_answer = time.monotonic()
            return answer

    def _call_twice(self, method: str, values: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._proxy, method)(*values)
        except Pyro4.errors.TimeoutError:
            raise
        except pyro.CommunicationError:
            self._hang_up()  # an idle connection may have been closed
            return getattr(self._proxy, method)(*values)

    def announce_leaving(self, reason: str, failed: bool) -> None:
        """Let the master give our trial to somebody else at once.

        On a connection of its own, whatever state ours is in.
        """
        try:
            with pyro.keyed_proxy(self._master, self._key, 1.0) as proxy:
                proxy.leave(self._name, reason, failed)
        except pyro.PyroError:
            log.debug("nobody to say goodbye to")

    def silent_for(self) -> float:
        """Seconds since the master last answered."""
        return time.monotonic() - self._last_answer

    def close(self) -> None:
        """Hang up; a call under way in another thread is waited for, but briefly."""
        self._closed.set()
        if self.lock.acquire(timeout=1.0):
            self._hang_up()
            self.lock.release()
        self._proxy = None

    def _hang_up(self) -> None:
        if self._proxy is not None:
            self._proxy._pyroRelease()

    # -- signs of life --------------------------------------------------------

    def beat(self) -> None:
        """Tell the master that we live, and do what it answers."""
        try:
            if self._tell("heartbeat") == "unknown" and not self._closed.is_set():
                self._announce()
        except pyro.PyroError as error:
            if not self._closed.is_set():
                self._find_again(error)

    def _announce(self) -> None:
        self._tell("announce", self._uri, *machine(), self._seconds)

    def _tell(self, method: str, *more: object) -> str:
        """Say what we do, as it is at that moment, and do what the master answers."""
        with self.lock:
            token = self.doing()
            reply: str = self.call(method, self._name, token, *more)
        if reply == "end":
            self.stop("the master ended it")
        elif reply == "abandon" and token is not None:
            self.abandon(token)
        return reply

    def _beats(self) -> None:
        while not self._closed.wait(self._seconds):
            try:
                self.beat()
            except BaseException as error:  # noqa: BLE001 - a deaf worker helps nobody
                log.warning("heartbeat: %r", error)

    def _find_again(self, error: Exception) -> None:
        """No answer: a restarted master has other credentials."""
        try:
            self._attach()
        except (NotReady, UserError, pyro.PyroError) as reason:
            log.info("the master does not answer (%s; %s)", error, reason)
            if self.master_over():
                self.stop("the master is gone for good")
            elif self.silent_for() > self.timeout:
                self.stop(f"no master for {self.timeout:g} s")
        else:
            log.info("found the master again")


def address_towards_master(credentials: Credentials) -> str:
    """The address under which the master reaches this process.

    Loopback if the master is on loopback, else that of the interface towards it.

    Raises:
        NotReady: there is no way to it yet, or its name is not known here yet.
    """
    host, port = credentials.host, credentials.port
    if host == "localhost" or host.startswith("127."):
        return host
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))  # sends nothing
            return str(probe.getsockname()[0])
    except OSError as error:
        raise NotReady(f"no way to the master at {host}:{port} ({error})") from error


def machine() -> tuple[str, int]:
    """Host name and process id, as published."""
    return socket.gethostname(), os.getpid()
