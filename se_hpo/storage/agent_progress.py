"""How many agents of a generation are trained: a sign of life between its lines.

A worker writes it, a display reads it; nothing depends on it.
"""

from __future__ import annotations

import contextlib
import time

from se_hpo.storage.json_records import RecordError, checked, parsed
from se_hpo.storage.paths import TrialPaths

SECONDS_BETWEEN = 1.0


class AgentProgress:
    """Told how many agents of how many are trained; writes it once a second."""

    def __init__(self, paths: TrialPaths) -> None:
        self._path, self._written = paths.progress, 0.0
        self._since = time.monotonic()

    def __call__(self, trained: int, of: int) -> None:
        """Write it, or at the end remove it; a disk that refuses is left alone."""
        now = time.monotonic()
        with contextlib.suppress(OSError):
            if trained >= of:
                self._path.unlink(missing_ok=True)
                self._since = now
            elif now - max(self._written, self._since) >= SECONDS_BETWEEN:
                self._written = now
                self._path.write_text(f"[{trained}, {of}]\n")


def read_progress(paths: TrialPaths) -> tuple[int, int] | None:
    """Agents trained and in all, of the generation under way.

    None where it has just begun, or a process died there and another went on.
    """
    try:
        written = paths.progress.stat().st_mtime
        with contextlib.suppress(FileNotFoundError):
            if paths.generations.stat().st_mtime > written:
                return None
        found = checked(list[int], parsed(paths.progress.read_bytes()), "progress")
        trained, of = found
    except (OSError, RecordError, ValueError):
        return None
    return trained, of
