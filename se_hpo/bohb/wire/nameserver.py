"""hpbandster's nameserver with a key, without broadcast, and with JSON credentials."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hpbandster.core.nameserver
import Pyro4.naming

from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import (
    Credentials,
    credentials_now,
    remove_credentials,
    write_credentials,
)
from se_hpo.errors import UserError


class _KeyedNameServerDaemon(pyro.KeyedDaemon, Pyro4.naming.NameServerDaemon):
    """Pyro's nameserver behind `KeyedDaemon`'s doors."""

    def handleRequest(self, conn: Any) -> None:  # noqa: N802
        """Skip Pyro's warning about garbage of the unauthenticated."""
        Pyro4.core.Daemon.handleRequest(self, conn)


def list_names(credentials: Credentials, names: Mapping[str, str]) -> None:
    """List these names and URIs of a run in its nameserver, and no others.

    Raises:
        PyroError: it does not answer.
    """
    where = credentials.host, credentials.port, credentials.key
    with pyro.name_server(*where) as server:
        listed = server.list(prefix=f"hpbandster.run_{credentials.run_id}.")
        for name in names.keys() - listed.keys():
            server.register(name, names[name])
        for name in listed.keys() - names.keys():
            server.remove(name)


class NameServer(hpbandster.core.nameserver.NameServer):
    """The run's phonebook; it publishes itself in the credentials file."""

    def __init__(
        self, run_id: str, key: str, credentials: Path, host: str, port: int = 0
    ) -> None:
        """`start` opens the port (0: a free one) and writes the `credentials` file."""
        super().__init__(run_id, host=host, port=port)
        self.host: str = host
        self.port: int = port
        self.pyro_ns: _KeyedNameServerDaemon | None = None
        self.key = key
        self.credentials_path = credentials
        self.published: Credentials | None = None

    def start(self) -> Credentials:
        """Start in a daemon thread, write the credentials and return them.

        Raises:
            UserError: the host is not an address of this machine.
        """
        try:
            self.pyro_ns = _KeyedNameServerDaemon(self.key, self.host, self.port)
        except OSError as error:
            raise UserError(
                f"cannot listen on host {self.host!r} ({error}): choose an address "
                "of this machine"
            ) from error
        self.port = int(self.pyro_ns.locationStr.rpartition(":")[2])
        self.pyro_ns.serve_in_thread("nameserver")
        self.published = credentials_now(self.run_id, self.host, self.port, self.key)
        write_credentials(self.credentials_path, self.published)
        return self.published

    def shutdown(self) -> None:
        """Take the credentials away, then close."""
        if self.published is not None:
            with contextlib.suppress(OSError):
                remove_credentials(self.credentials_path, self.published)
            self.published = None
        if self.pyro_ns is not None:
            self.pyro_ns.stop()
            self.pyro_ns = None
