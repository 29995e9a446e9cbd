"""What a master can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from se_hpo.errors import UserError

HowItDied = Callable[[str, int], str | None]
"""(host, pid) -> how that worker's process ended and where its log is, if known."""


@dataclass(frozen=True)
class MasterSettings:
    """How a master behaves; nothing here changes a result."""

    host: str = "127.0.0.1"
    """Address to listen on and to publish; loopback keeps other machines out."""
    max_parallel: int | None = None
    """Most evaluations at once; None: as many as there are workers. A run that must be
    a function of its seed needs 1."""
    max_failures: int | None = None
    """Failed evaluations, of all attempts, after which the run stops (0 and 1: at the
    first); None: see `tally`."""
    keep_workers_on: tuple[type[BaseException], ...] = ()
    """What may end `run` with the workers left to wait for the next master, because
    there will be one; after any other end they are told to end."""
    ping_interval: float = 1.0
    """Seconds between looks at the workers."""
    patience: float = 30.0
    """Seconds of silence after which a frozen worker's trial goes to another."""
    status_seconds: float = 2.0
    """Time between two statuses."""
    quiet_seconds: float = 60.0
    """Time without a result after which the log says what is running."""


class TooManyFailures(UserError):  # noqa: N818 - the name says it
    """The run was stopped because too many evaluations failed."""
