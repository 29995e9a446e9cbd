"""Pyro4 made safe: a key on every message, serpent only, no broadcast, time limits.

hpbandster opens daemons and proxies without a key and accepts three serializers from
anybody. Whoever lacks the run's key gets no further than the handshake here.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import Pyro4
import Pyro4.errors
import Pyro4.naming
import Pyro4.socketutil

from se_hpo.bohb.wire.connection_limits import ConnectionLimits

CALL_SECONDS = 5.0
"""Limit for one call; a frozen peer costs no more than this."""
MAX_MESSAGE_BYTES = 16 * 2**20
"""A header that announces more is refused before anything is read."""
MAX_CONNECTIONS = 4096
"""Connections a daemon serves at once, one thread each (a worker keeps one open)."""

CommunicationError = Pyro4.errors.CommunicationError
PyroError = Pyro4.errors.PyroError


def configure() -> None:
    """Set Pyro4's process-wide configuration; before any daemon or proxy is made."""
    config = Pyro4.config
    config.SERIALIZER = "serpent"
    config.SERIALIZERS_ACCEPTED = {"serpent"}
    config.FLAME_ENABLED = False
    config.REQUIRE_EXPOSE = True
    config.COMMTIMEOUT = CALL_SECONDS
    config.MAX_MESSAGE_SIZE = MAX_MESSAGE_BYTES
    config.THREADPOOL_SIZE = MAX_CONNECTIONS
    config.POLLTIMEOUT = 0.5
    config.SOCK_NODELAY = True
    config.MAX_RETRIES = 0
    config.ITER_STREAMING = False


class KeyedDaemon(Pyro4.core.Daemon):
    """A daemon that serves holders of the key only, and that closes at once."""

    def __init__(self, key: str, host: str, port: int = 0) -> None:
        """Bind to `host`; the object to serve is registered afterwards."""
        configure()
        self._open: set[Any] = set()
        self._open_lock = threading.Lock()
        self.on_disconnect: Callable[[Any], None] | None = None
        self._limits = ConnectionLimits()
        super().__init__(host=host, port=port)
        self._pyroHmacKey = key.encode()

    def _handshake(self, conn: Any, denied_reason: str | None = None) -> bool:
        """Pyro's, but short and silent for whoever lacks the key."""
        handshake = super()._handshake
        return self._limits.greet(conn, lambda: handshake(conn, denied_reason))

    def housekeeping(self) -> None:
        """Pyro calls it every half second."""
        self._limits.send_away()
        if not self.transportServer.shutting_down:
            self._limits.report(self.locationStr)

    def validateHandshake(self, conn: Any, data: Any) -> str:  # noqa: N802
        """Remember the connection; Pyro has checked its key by now."""
        with self._open_lock:
            self._open.add(conn)
        return "hello"

    def clientDisconnect(self, conn: Any) -> None:  # noqa: N802
        """Forget the connection."""
        with self._open_lock:
            self._open.discard(conn)
        if self.on_disconnect is not None:
            self.on_disconnect(conn)

    def serve_in_thread(self, name: str) -> threading.Thread:
        """Serve requests in a thread that never keeps the process alive."""
        self._limits.guard(self.transportServer)
        thread = threading.Thread(target=self.requestLoop, name=name, daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Stop serving and hang up on everybody.

        Pyro waits 0.1 s for each open connection, seconds with many workers; closing
        them first ends their threads at once.
        """
        if self.transportServer is not None:
            self.transportServer.shutting_down = True  # whoever calls again is refused
        with self._open_lock:
            connections, self._open = self._open, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        self.shutdown()


def keyed_proxy(uri: str, key: str, timeout: float = CALL_SECONDS) -> Pyro4.Proxy:
    """A proxy that signs its messages with the run's key."""
    configure()
    proxy = Pyro4.Proxy(uri)
    proxy._pyroHmacKey = key.encode()
    proxy._pyroTimeout = timeout
    return proxy


@contextlib.contextmanager
def name_server(
    host: str, port: int, key: str, timeout: float = CALL_SECONDS
) -> Iterator[Pyro4.Proxy]:
    """A connection to the nameserver.

    Raises:
        CommunicationError: nobody answers there, or not with our key.
    """
    uri = f"PYRO:{Pyro4.constants.NAMESERVER_NAME}@{host}:{port}"
    with keyed_proxy(uri, key, timeout) as proxy:
        proxy._pyroBind()
        yield proxy
