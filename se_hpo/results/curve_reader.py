"""The curve of a run under way, read as it grows."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

from se_hpo.storage.growing import GrowingLines
from se_hpo.storage.json_records import RecordError, parsed, record

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Scores:
    """What a curve needs of a line of `generations.jsonl`, or of `agents.jsonl`."""

    center_scores: list[float] = field(default_factory=list)
    score: float | None = None

    @property
    def mean(self) -> float:
        """Of the center's agents, or of the one agent."""
        scores = self.center_scores if self.score is None else [self.score]
        return sum(scores) / len(scores)


class CurveReader:
    """Mean center scores in a `generations.jsonl`, reading only what was appended.

    Or the scores of agents in an `agents.jsonl`.
    """

    def __init__(self, generations: Path) -> None:
        self._lines = GrowingLines(generations)
        self._scores: list[float] = []
        self._told = False

    def read(self) -> tuple[float, ...]:
        """Scores so far, by generation; a line still being written waits.

        What cannot be read now, on a share that fails say, is read later.
        """
        try:
            self._read_on()
        except FileNotFoundError:
            self._lines, self._scores = GrowingLines(self._lines.path), []
        except OSError as error:
            if not self._told:
                path = self._lines.path
                log.warning("%s cannot be read now (%s)", path, error.strerror)
            self._told = True
        return tuple(self._scores)

    def _read_on(self) -> None:
        anew, lines = self._lines.read()
        if anew:
            self._scores = []
        for line in lines:
            try:
                self._scores.append(record(_Scores, parsed(line)).mean)
            except (RecordError, ZeroDivisionError):
                log.debug("%s: a line that is no generation", self._lines.path)
