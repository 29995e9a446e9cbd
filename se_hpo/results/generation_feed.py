"""Generations of NES runs under way, each told once, as they come onto disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from se_hpo.results.trials import generation_row
from se_hpo.storage.growing import GrowingLines
from se_hpo.storage.json_records import RecordError, parsed, record
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import GenerationLine

OnGeneration = Callable[[dict[str, Any]], object]
"""Told of a generation: a row of the frames, without what is timed."""


class GenerationFeed:
    """Tells of new generations; those that are there already count as told.

    Args:
        of: what the run's name is called in a row, `trial`.
        on_generation: who is told; what it raises goes through. None: nobody.
        known: files of runs that may have begun earlier.
    """

    def __init__(
        self, of: str, on_generation: OnGeneration | None, known: Iterable[TrialPaths]
    ) -> None:
        self._of, self._tell = of, on_generation
        self._files: dict[Path, GrowingLines] = {}
        if on_generation is not None:
            for path in (files.generations for files in known):
                self._files[path] = GrowingLines(path, _size(path))

    def tell(self, name: Any, files: TrialPaths) -> None:
        """Tell what is new in the files of one run."""
        if self._tell is None:
            return
        for line in self._new_lines(files.generations):
            try:
                found = record(GenerationLine, parsed(line))
            except RecordError:  # readers name it
                continue
            row = {self._of: name, **generation_row(found)}
            self._tell(row | {"generation": found.generation + 1})  # as in the frames

    def _new_lines(self, path: Path) -> list[bytes]:
        file = self._files.setdefault(path, GrowingLines(path))
        try:
            return file.read()[1]
        except OSError:  # not begun, or the share fails for a moment
            return []


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # not begun
        return 0
