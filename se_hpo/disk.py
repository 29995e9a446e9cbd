"""Disks and shares that fail: which file it was, and whether a folder is writable."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

PROBE_BYTES = 2**18
"""More than the files of a trial take; a disk with less left is full."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file in the errors of what is done to it; `write` and `fsync` do not."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def check_writable(folder: Path) -> None:
    """Write a file there and remove it.

    Raises:
        OSError: it cannot be written; names the folder.
    """
    probe = folder / f".probe-{threading.get_ident()}.{os.getpid()}.tmp"
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb", buffering=0) as file:
                left = PROBE_BYTES
                while left:
                    left -= os.write(file.fileno(), bytes(left))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
