"""Whether a folder can be written to: asked when a worker process could not."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from se_hpo.paths import naming

PROBE_BYTES = 2**18
"""More than the files of a trial take; a disk with less left is full."""


def check_writable(folder: Path) -> None:
    """Write a file there and remove it.

    Raises:
        OSError: it cannot be written; names the folder.
    """
    probe = folder / f".probe.{os.getpid()}-{threading.get_ident()}.tmp"
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
