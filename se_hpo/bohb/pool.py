"""The workers a master knows, and whether they are still there."""

from __future__ import annotations

import time
from typing import Any

import hpbandster.core.dispatcher
import Pyro4.errors

from se_hpo.bohb import pyro
from se_hpo.bohb.job_table import Job


class PoolWorker(hpbandster.core.dispatcher.Worker):
    """hpbandster's handle on a worker, with a key and with signs of life."""

    def __init__(
        self, name: str, uri: str, key: str, host: str, pid: int, every: float
    ) -> None:
        """A worker that has just announced itself.

        Args:
            name: its name in the nameserver.
            uri: where it listens.
            key: HMAC key of the run.
            host: name of its machine.
            pid: its process.
            every: seconds between its heartbeats.
        """
        self.name = name
        self.uri = uri
        self.key = key
        self.host = host
        self.pid = pid
        self.every = every
        self.runs_job: Job | None = None
        self.connection: Any = None
        """Pyro's connection that its heartbeats come through."""
        self.hung_up = False
        """That connection broke: most likely the process is dead."""
        self.probing = False
        self.seen = time.monotonic()

    def heard(self, connection: Any) -> None:
        """Note a sign of life."""
        self.seen, self.connection, self.hung_up = time.monotonic(), connection, False

    def silent_for(self) -> float:
        """Seconds since the last sign of life."""
        return time.monotonic() - self.seen

    def is_overdue(self) -> bool:
        """Two heartbeats have not come, or the connection broke."""
        return self.hung_up or self.silent_for() > 2.5 * self.every + 1.0

    def start(self, job: Job, timeout: float) -> bool:
        """Hand an evaluation over; False if the worker will not take it now.

        Raises:
            PyroError: it does not answer.
        """
        with pyro.keyed_proxy(self.uri, self.key, timeout) as proxy:
            # No callback: workers answer through their own keyed line.
            return bool(
                proxy.start_computation(None, job.id, token=job.token, **job.kwargs)
            )

    def shutdown(self, timeout: float = 1.0) -> None:
        """Tell it to end."""
        with pyro.keyed_proxy(self.uri, self.key, timeout) as proxy:
            proxy.shutdown()

    def is_alive(self, timeout: float = 2.0) -> bool | None:
        """True: it answers. False: nobody is there. None: silence, cannot be told."""
        try:
            with pyro.keyed_proxy(self.uri, self.key, timeout) as proxy:
                proxy.is_busy()
        except Pyro4.errors.TimeoutError:
            return None
        except pyro.CommunicationError as error:
            cause = error.__cause__
            if cause is None or isinstance(cause, ConnectionError):
                return False  # refused or hung up: the port is closed
            return None  # timed out, no route
        except pyro.PyroError:
            return False  # somebody else answers there now
        return True
