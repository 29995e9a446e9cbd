"""The folder of runs: writable, and with room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from se_hpo.doctor.finding import Finding, error, ok, refused, warning
from se_hpo.doctor.scratch import Scratch

LOW_BYTES, NO_BYTES = 1e9, 20e6
"""A run of days writes some 100 MB; a small one stops below the second."""
LOW_FILES, NO_FILES = 10_000, 100
"""Each trial has about ten files."""
_MEND = "make space, or choose another folder with --run"


def check(scratch: Scratch) -> Iterator[Finding]:
    """Whether it can be written to, its free space, and its free inodes."""
    if scratch.problem is not None:
        yield refused("folder", scratch.problem)
    elif scratch.existing == scratch.wanted:
        yield ok("folder", f"{scratch.wanted} can be written to")
    else:
        yield ok("folder", f"{scratch.wanted} can be made in {scratch.existing}")
    yield from room(scratch.existing)


def room(folder: Path) -> Iterator[Finding]:
    """Free space and inodes, as far as the file system tells."""
    system = os.statvfs(folder)
    free = system.f_bavail * system.f_frsize
    size = f"{free / 1e9:,.1f} GB" if free >= 1e9 else f"{free / 1e6:,.1f} MB"
    yield _judged("free space", size, free, LOW_BYTES, NO_BYTES)
    if system.f_files:  # some file systems have no fixed number
        left = system.f_favail
        yield _judged("free inodes", f"{left:,} files", left, LOW_FILES, NO_FILES)


def _judged(what: str, value: str, left: float, low: float, none: float) -> Finding:
    if left < none:
        return error(what, value, _MEND)
    return warning(what, value, _MEND) if left < low else ok(what, value)
