"""The state of a run at one moment, as its master knows it: what displays are fed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from se_hpo.storage.json_records import RecordError, parsed, record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What stays the same during a run."""

    title: str
    """Space and optimizer: `nes_cartpole, bohb`."""
    run: str
    """The run's folder, as the user named it."""
    unit: str = "generations"
    """What a budget counts."""


@dataclass(frozen=True)
class Rung:
    """Evaluations at one budget of one bracket."""

    budget: float
    done: int
    total: int


@dataclass(frozen=True)
class Bracket:
    """One bracket of successive halving, lowest budget first."""

    index: int
    rungs: tuple[Rung, ...]

    @property
    def done(self) -> int:
        """Evaluations that ended."""
        return sum(rung.done for rung in self.rungs)

    @property
    def total(self) -> int:
        """Evaluations planned."""
        return sum(rung.total for rung in self.rungs)


@dataclass(frozen=True)
class WorkerState:
    """A worker that is alive."""

    name: str
    host: str
    trial: str | None = None
    """What it evaluates; None when idle."""


@dataclass(frozen=True)
class RunningTrial:
    """An evaluation under way."""

    trial: str
    budget: float
    seconds: float
    """Since it started."""
    curve: tuple[float, ...] = ()
    """Mean center score of each generation so far."""
    worker: str = ""


@dataclass(frozen=True)
class Best:
    """The incumbent."""

    trial: str
    budget: float
    loss: float


@dataclass(frozen=True)
class Snapshot:
    """Everything that changes."""

    brackets: tuple[Bracket, ...] = ()
    workers: tuple[WorkerState, ...] = ()
    running: tuple[RunningTrial, ...] = ()
    incumbent: Best | None = None
    evaluations_done: int = 0
    evaluations_planned: int = 0
    elapsed: float = 0.0
    """Seconds."""
    eta: float | None = None
    """Seconds still to go; None while nobody knows."""


@dataclass(frozen=True)
class _Scores:
    """What a curve needs of a line of `generations.jsonl`."""

    center_scores: list[float]


class CurveReader:
    """Mean center scores of a trial under way, reading only what was appended."""

    def __init__(self, generations: Path) -> None:
        self.path = generations
        self._offset = 0
        self._scores: list[float] = []
        self._told = False

    def read(self) -> tuple[float, ...]:
        """Scores so far, by generation; a line still being written waits.

        What cannot be read now, on a share that fails say, is read later.
        """
        try:
            self._read_on()
        except OSError as error:
            if not self._told:
                log.warning("%s cannot be read now (%s)", self.path, error.strerror)
            self._told = True
        return tuple(self._scores)

    def _read_on(self) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            size = 0
        if size < self._offset:  # rewritten
            self._offset, self._scores = 0, []
        if size > self._offset:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.splitlines():
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            scores = record(_Scores, parsed(line)).center_scores
            self._scores.append(sum(scores) / len(scores))
        except (RecordError, ZeroDivisionError):
            log.debug("%s: a line that is no generation", self.path)
