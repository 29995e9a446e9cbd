"""What a master knows of one worker, and how it calls it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

import Pyro4.errors

from se_hpo.bohb.job_table import Job
from se_hpo.bohb.wire import pyro


@dataclass(eq=False)
class WorkerHandle:
    """A worker that has announced itself."""

    name: str
    """Its name in the nameserver."""
    uri: str
    """Where it listens."""
    key: str = field(repr=False)
    """HMAC key of the run."""
    host: str
    """Name of its machine."""
    pid: int
    every: float
    """Seconds between its heartbeats."""
    job: Job | None = None
    """What it was given."""
    connection: Any = None
    """Pyro's connection that its heartbeats come through."""
    hung_up: bool = False
    """That connection broke: most likely the process is dead."""
    probing: bool = False
    seen: float = field(default_factory=time.monotonic)

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
            return bool(proxy.start_computation(job.id, job.token, job.kwargs))

    def shutdown(self) -> None:
        """Tell it to end, if it can hear that."""
        with (
            contextlib.suppress(pyro.PyroError),
            pyro.keyed_proxy(self.uri, self.key, 1.0) as proxy,
        ):
            proxy.shutdown()

    def is_alive(self) -> bool | None:
        """True: it answers. False: nobody is there. None: silence, cannot be told."""
        try:
            with pyro.keyed_proxy(self.uri, self.key, 2.0) as proxy:
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
