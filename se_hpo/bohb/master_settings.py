"""What a master can be told, and what it tells about one evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from se_hpo.bohb.job_table import Job
from se_hpo.errors import UserError
from se_hpo.storage.paths import ConfigId

HowItDied = Callable[[str, int], str | None]
"""(host, pid) -> how that worker's process ended and where its log is, if known."""


@dataclass(frozen=True)
class Evaluation:
    """One finished evaluation, as `on_result` gets it."""

    config_id: ConfigId
    configuration: dict[str, Any]
    budget: float
    loss: float
    info: dict[str, Any]
    """What the worker returned; `status` is always there."""
    worker: str
    submitted: float
    """Unix seconds, as the next two."""
    started: float
    finished: float


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


def evaluation_of(job: Job) -> Evaluation:
    """A finished job in our words."""
    stamps = job.timestamps
    return Evaluation(
        config_id=job.id,
        configuration=job.kwargs["config"],
        budget=float(job.kwargs["budget"]),
        loss=float(job.result["loss"]),
        info=job.result["info"],
        worker=job.worker_name or "",
        submitted=stamps["submitted"],
        started=stamps.get("started", stamps["submitted"]),
        finished=stamps["finished"],
    )
