"""Limits for unauthenticated connections: few, not for long, logged once a minute.

A connection is unauthenticated until its first message has shown that it knows the
run's key. Pyro gives each a thread and a file for as long as it likes to drip bytes,
reads 16 MiB from it, and once there are too many waits for each in the thread that
accepts others: somebody without the key could use up a master's files, threads and
memory.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import Pyro4.errors
from Pyro4.socketserver.threadpool import PoolError

log = logging.getLogger(__name__)

MAX_UNAUTHENTICATED = 128
"""Connections of a daemon that have not shown the key yet; the oldest has to go."""
GREETING_SECONDS = 5.0
"""Time to show the key."""
GREETING_BYTES = 16_384
"""Longest first message; a true one has some 200."""
LOG_SECONDS = 60.0
"""How often a log tells of them."""
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class ConnectionLimits:
    """Keeps room for holders of the key, however many others connect."""

    def __init__(self) -> None:
        self._unauthenticated: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        self._refused = 0
        self._next_log = 0.0

    def guard(self, server: Any) -> None:
        """Limit the connections of a Pyro `SocketServer_Threadpool`."""
        pool = server.pool
        pool.process = functools.partial(self._admit, pool.process)
        server.events = functools.partial(self._accept, server.events)

    def _accept(self, events: Callable[[Any], None], sockets: Any) -> None:
        """Accept who comes next; out of files, make room instead of spinning."""
        try:
            events(sockets)
        except OSError as error:
            if error.errno not in _NO_FILES:
                raise
            self.send_away(0.0)
            time.sleep(0.05)

    def _admit(self, process: Callable[[Any], None], job: Any) -> None:
        """Give a new connection its thread, and the oldest unknown one's place."""
        sock = job.csock.sock
        with self._lock:
            self._unauthenticated[sock] = time.monotonic()
            crowded = len(self._unauthenticated) > MAX_UNAUTHENTICATED
            oldest = next(iter(self._unauthenticated))
            if crowded:
                del self._unauthenticated[oldest]
        if crowded:
            _hang_up(oldest)
        try:
            process(job)
        except (PoolError, RuntimeError):  # too many, or no thread to be had
            with self._lock:
                self._unauthenticated.pop(sock, None)
            job.csock.close()

    def greet(self, conn: Any, handshake: Callable[[], bool]) -> bool:
        """Do Pyro's handshake with a connection; whether it is let in."""
        left = GREETING_BYTES
        receive = conn.recv

        def receive_little(size: int) -> Any:
            nonlocal left
            left -= size
            if left < 0:
                raise Pyro4.errors.MessageTooLargeError("too long for a greeting")
            return receive(size)

        conn.recv = receive_little
        try:
            welcome = handshake()
        except (OSError, Pyro4.errors.PyroError):  # it hung up before our answer
            welcome = False
        finally:
            del conn.recv
            with self._lock:
                self._unauthenticated.pop(conn.sock, None)
        if not welcome:
            self._refused += 1
        return welcome

    def send_away(self, seconds: float = GREETING_SECONDS) -> None:
        """Hang up on connections that have shown no key for so long."""
        before = time.monotonic() - seconds
        with self._lock:
            slow = [
                sock for sock, came in self._unauthenticated.items() if came <= before
            ]
            for sock in slow:
                del self._unauthenticated[sock]
        for sock in slow:
            _hang_up(sock)

    def report(self, where: str) -> None:
        """Say now and then how many were refused."""
        now = time.monotonic()
        if self._refused and now >= self._next_log:
            refused, self._refused = self._refused, 0
            self._next_log = now + LOG_SECONDS
            log.warning("%d connections to %s without the run's key", refused, where)


def _hang_up(sock: socket.socket) -> None:
    """End a connection that another thread reads from; that thread closes it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
