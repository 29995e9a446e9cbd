"""One master per run: a lock that dies with its holder and says who that is.

The kernel's file lock decides on one machine, and on a shared folder that passes locks
on. Where it does not, a sign of life in the file tells a living master on another
machine from a dead one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from se_hpo.errors import UserError
from se_hpo.storage.files import naming
from se_hpo.storage.json_records import RecordError, checked, parsed

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""How often the holder renews its sign of life."""
WATCH_SECONDS = 10.0
"""How long the sign of a master on another machine is watched for change."""
TURN_SECONDS = 60.0
"""How long to wait for a lock that others hold for a moment."""
_BEGINNING = b'{"host"'
"""What every lock of ours begins with."""
_held: weakref.WeakSet[IO[bytes]] = weakref.WeakSet()


def _close_in_child() -> None:
    """A forked child must not hold a lock after its parent's end."""
    for file in _held:
        file.close()


os.register_at_fork(after_in_child=_close_in_child)


class InUseError(UserError):
    """Another process has the lock."""


@dataclass(frozen=True)
class Holder:
    """Who has written a lock."""

    host: str
    pid: int
    alive: bool
    """Whether that process still runs."""


def lock_holder(path: Path, watch_seconds: float = 3 * BEAT_SECONDS) -> Holder | None:
    """Who holds a run, or did so last; None if nobody is named there.

    Touches nothing. A holder on another machine is alive if its sign of life changes
    within `watch_seconds`.
    """
    deadline = time.monotonic() + watch_seconds
    while not (line := _read(path)):  # it may be written at this moment
        if not path.exists() or time.monotonic() > deadline:
            return None
        time.sleep(0.1)
    pid = line.get("pid")
    pid = pid if isinstance(pid, int) else 0
    return Holder(str(line.get("host", "?")), pid, _lives(path, line, deadline))


def _lives(path: Path, line: dict[str, Any], deadline: float) -> bool:
    """Whether the process that has written a lock still runs.

    On another machine it does if it writes again until `deadline` (monotonic s).
    """
    if line.get("host") == socket.gethostname():
        pid = line.get("pid")
        started = _started(pid) if isinstance(pid, int) else None
        return started is not None and started == line.get("started")
    while time.monotonic() < deadline:
        time.sleep(0.1)
        if (now := _read(path)) and now.get("beat") != line.get("beat"):
            return True
    return False


class RunLock:
    """Exclusive hold on a run folder; a context manager."""

    def __init__(
        self,
        path: Path,
        watch_seconds: float = WATCH_SECONDS,
        what: str | None = None,
    ) -> None:
        """`what` begins the refusal, which by default names a master."""
        self.path, self.watch_seconds = path, watch_seconds
        self.what = what or f"{path.parent} is in use by the master"
        self._file: IO[bytes] | None = None
        self._released = threading.Event()

    def __enter__(self) -> RunLock:
        """Take the lock.

        Raises:
            InUseError: another master has it.
            UserError: the file is something else that has the name of the lock.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while (file := self._try_to_lock()) is None:
            pass
        try:
            self._refuse_foreign_file(file)
            self._refuse_living_stranger()
        except BaseException:
            file.close()
            raise
        self._file = file
        try:
            self._write(file)
        except BaseException:  # a full disk: the next try must not meet our own hold
            self.__exit__()
            raise
        threading.Thread(
            target=self._keep_alive, args=(file,), name="lock", daemon=True
        ).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Remove the file, then let go of it."""
        self._released.set()
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # must not hide why the run ended
                self.path.unlink(missing_ok=True)
            file.close()

    def _try_to_lock(self) -> IO[bytes] | None:
        """Lock the file that has the name; None if it was removed meanwhile."""
        number = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
        # Unbuffered: what a full disk refuses is not tried again by `close`.
        file = os.fdopen(number, "rb+", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino == self.path.stat().st_ino:
                _held.add(file)
                return file
        except BlockingIOError:
            holder = _read(self.path)
            file.close()
            raise _refusal(self.what, holder) from None
        except FileNotFoundError:
            pass
        except OSError as error:
            log.info("%s: this file system has no locks (%s)", self.path, error)
            return file
        file.close()
        return None

    def _refuse_foreign_file(self, file: IO[bytes]) -> None:
        """A `poetry.lock`, say, is neither written to nor removed."""
        # A machine that went down leaves zeros, or a part of what was written.
        start = os.pread(file.fileno(), 4096, 0).rstrip(b"\0")
        if not start.startswith(_BEGINNING) and not _BEGINNING.startswith(start):
            raise UserError(
                f"{self.path} is in the way of a lock and holds something else: move "
                "it, or choose another place"
            )

    def _refuse_living_stranger(self) -> None:
        """Where locks do not reach other machines, a sign of life does."""
        line, here = _read(self.path), socket.gethostname()
        if not line or (line.get("host"), line.get("pid")) == (here, os.getpid()):
            return
        if line.get("host") != here:
            log.info("watching %s, left by a master on %s", self.path, line.get("host"))
        if _lives(self.path, line, time.monotonic() + self.watch_seconds):
            raise _refusal(self.what, line)

    def _write(self, file: IO[bytes]) -> None:
        host, pid, beat = socket.gethostname(), os.getpid(), time.time()
        line = {"host": host, "pid": pid, "started": _started(pid), "beat": beat}
        text = (json.dumps(line) + "\n").encode()
        # In place, so that a disk that filled up meanwhile has room for it.
        with naming(self.path):
            os.pwrite(file.fileno(), text, 0)
            os.ftruncate(file.fileno(), len(text))

    def _keep_alive(self, file: IO[bytes]) -> None:
        while not self._released.wait(BEAT_SECONDS):
            # A full disk must not look like a lost lock; the kernel still holds it.
            with contextlib.suppress(OSError, ValueError):
                self._write(file)


@contextlib.contextmanager
def wait_for_lock(lock: RunLock, seconds: float = TURN_SECONDS) -> Iterator[None]:
    """Hold a lock that all hold for a moment only; waits for the turns of others.

    Raises:
        UserError: it was not to be had in `seconds`, or see `RunLock`.
    """
    deadline = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock)
                break
            except InUseError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(checked(dict, parsed(path.read_bytes())))
    except (OSError, RecordError):
        return {}


def _refusal(what: str, holder: dict[str, Any]) -> InUseError:
    host, pid = holder.get("host", "an unknown host"), holder.get("pid", "?")
    return InUseError(
        f"{what} with pid {pid} on {host}: wait for its end, or stop it first"
    )


def _started(pid: int) -> int | None:
    """Clock ticks at which a process of this machine began; None if there is none.

    Tells a process from a later one with the same pid.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
