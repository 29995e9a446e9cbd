"""What a master is doing now: what `status.json` holds, as written and as read."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.storage.json_records import RecordError
from se_hpo.storage.paths import ConfigId, trial_name


@dataclass(frozen=True)
class Running:
    """An evaluation under way."""

    config_id: ConfigId
    budget: float
    since: float = 0.0
    """Unix seconds."""
    host: str = ""
    pid: int | str = ""
    trial: str = ""
    worker: str | None = None


@dataclass(frozen=True)
class Worker:
    """A worker that is alive; `trial` is None when it is idle."""

    worker: str
    host: str
    pid: int
    trial: str | None


@dataclass(frozen=True)
class Rung:
    """Evaluations of a bracket at one budget."""

    budget: float
    done: int
    planned: int


@dataclass(frozen=True)
class Bracket:
    """A bracket of successive halving."""

    bracket: int
    finished: bool
    rungs: list[Rung]


@dataclass(frozen=True)
class MasterStatus:
    """The whole file."""

    state: str
    """`running`, `finished` or `stopped`."""
    time: float
    """When it was written, Unix seconds."""
    finished: int
    planned: int
    failed: int
    lost: int
    """Evaluations that were interrupted and repeated."""
    running: list[Running]
    workers: list[Worker]
    brackets: list[Bracket]
    waiting: int = 0
    """Evaluations that nobody has yet."""
    started: float = 0.0
    """When the master was, Unix seconds."""

    def __post_init__(self) -> None:
        for each in self.running:
            known = 0 <= each.config_id[0] < len(self.brackets)
            if each.trial != trial_name(each.config_id) or not known:
                raise RecordError(f"running trial {each.trial!r} is not known")
