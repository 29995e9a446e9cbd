"""A worker's connection to its master: found through the credentials, kept, refound."""

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
    """Calls to the dispatcher, one at a time, from any thread."""

    def __init__(self, path: Path, run_id: str | None) -> None:
        """`path` is the credentials file, of the run `run_id` if that is given."""
        self.path = path
        self.run_id = run_id
        self.credentials: Credentials | None = None
        self.last_contact = time.monotonic()
        """Monotonic seconds of the last answer."""
        self._uri: str | None = None
        self._proxy: Pyro4.Proxy | None = None
        self.lock = threading.RLock()
        """Held while we speak; hold it to say only what is true at that moment."""

    def attach(self, listen: Listen) -> tuple[str, str]:
        """Read the credentials, list our own name and URI, and find the dispatcher.

        Returns:
            What `listen` returned.

        Raises:
            NotReady: no usable credentials, or nobody answers there (yet).
            UserError: the credentials are not to be trusted.
        """
        credentials = read_credentials(self.path, self.run_id)
        name, uri = listen(credentials)
        target = f"hpbandster.run_{credentials.run_id}.dispatcher"
        try:
            with pyro.name_server(
                credentials.host, credentials.port, credentials.key
            ) as ns:
                found = ns.lookup(target)
                ns.register(name, uri)
        except pyro.PyroError as error:
            where = f"{credentials.host}:{credentials.port}"
            raise NotReady(f"no master answers at {where} ({error})") from error
        with self.lock:
            self._hang_up()
            self._uri = str(found)
            self._proxy = pyro.keyed_proxy(self._uri, credentials.key)
            self.credentials = credentials
        return name, uri

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
            self.last_contact = time.monotonic()
            return answer

    def _call_twice(self, method: str, values: tuple[Any, ...]) -> Any:
        try:
            return getattr(self._proxy, method)(*values)
        except Pyro4.errors.TimeoutError:
            raise
        except pyro.CommunicationError:
            self._hang_up()  # an idle connection may have been closed
            return getattr(self._proxy, method)(*values)

    def call_apart(self, method: str, *arguments: Any, timeout: float = 1.0) -> None:
        """Call on a connection of its own, whatever state ours is in.

        Raises:
            CommunicationError: no answer.
        """
        if self.credentials is None or self._uri is None:
            raise pyro.CommunicationError("not attached")
        with pyro.keyed_proxy(self._uri, self.credentials.key, timeout) as proxy:
            getattr(proxy, method)(*arguments)

    def silent_for(self) -> float:
        """Seconds since the master last answered."""
        return time.monotonic() - self.last_contact

    def close(self) -> None:
        """Hang up; a call under way in another thread is waited for, but briefly."""
        if self.lock.acquire(timeout=1.0):
            self._hang_up()
            self.lock.release()
        self._proxy = None

    def _hang_up(self) -> None:
        if self._proxy is not None:
            self._proxy._pyroRelease()


def wait_for_master(
    attach: Callable[[], None],
    seconds: float,
    stop: threading.Event,
    master_over: Callable[[], bool] = lambda: False,
) -> None:
    """Try to attach until it works, saying now and then what is missing.

    Raises:
        NoMaster: not within `seconds`, or `master_over` says that none will come.
    """
    deadline, next_log, pause = time.monotonic() + seconds, 0.0, 0.05
    while not stop.is_set():
        try:
            return attach()
        except (NotReady, pyro.PyroError) as error:
            now = time.monotonic()
            if master_over():
                raise NoMaster(f"the master's job is gone: {error}") from error
            if now >= deadline:
                raise NoMaster(
                    f"gave up after {seconds:.0f} s without a master: {error}. "
                    "Start it with the same run folder, or wait longer"
                ) from error
            if now >= next_log:
                log.info("waiting for the master: %s", error)
                next_log = now + LOG_SECONDS
        stop.wait(pause)
        pause = min(2 * pause, 1.0)


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
