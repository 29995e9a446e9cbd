"""A folder like a run's, in the folder that is examined, gone afterwards."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import IO

from se_hpo.doctor.probe import APPENDED, LOCKED, RENAMED
from se_hpo.storage.files import append_json_line, temporary_name, write_json


class Scratch:
    """Where the doctor writes; a context manager.

    Where the folder takes nothing it is in the system's folder for temporary files, so
    that the other checks can go on.
    """

    def __init__(self, wanted: Path) -> None:
        """Prepare; a run's folder need not exist yet."""
        absolute = wanted.absolute()
        self.wanted = absolute
        self.existing = next(p for p in (absolute, *absolute.parents) if p.exists())
        """What of it exists."""
        self.problem: OSError | None = None
        """Why nothing can be written there."""
        self.path = Path()
        self._lock: IO[str] | None = None

    def __enter__(self) -> Scratch:
        """Make it."""
        name = temporary_name("doctor")
        self.path = self.existing / name
        try:
            self._fill()
        except OSError as problem:
            self.problem = problem
            shutil.rmtree(self.path, ignore_errors=True)
            self.path = Path(tempfile.mkdtemp(prefix=name)) / "scratch"
            self._fill()
        return self

    def _fill(self) -> None:
        self.path.mkdir(mode=0o700)
        write_json(self.path / RENAMED, {"by": "nobody"})
        write_json(self.path / RENAMED, {"by": "doctor"})
        for _ in range(2):
            append_json_line(self.path / APPENDED, {"by": "doctor"})

    def lock(self) -> None:
        """Hold a lock that a probe is to meet; an `OSError` if there are none here."""
        self._lock = (self.path / LOCKED).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __exit__(self, *_exc: object) -> None:
        """Remove it."""
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)
        if self.problem is not None:
            shutil.rmtree(self.path.parent, ignore_errors=True)
