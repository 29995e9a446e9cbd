"""Worker processes on this machine: each with a log, ended with the block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TERMINATE_SECONDS = 2.0


class Children:
    """Processes by number; use as a context manager, which ends them."""

    def __init__(self) -> None:
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all: politely, then for certain."""
        for process in self.running.values():
            process.terminate()
        deadline = time.monotonic() + TERMINATE_SECONDS
        for process in self.running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.running.clear()

    def ended(self) -> list[tuple[int, int]]:
        """Number and exit code of those that have ended since; they run no more."""
        codes = [(k, process.poll()) for k, process in self.running.items()]
        ended = [(k, code) for k, code in codes if code is not None]
        for k, _ in ended:
            del self.running[k]
        return ended


def worker_command(module: str, *flags: object, threads: int) -> list[str]:
    """A worker of this package, which ends when this process is gone."""
    flags = (*flags, "--threads", threads, "--parent", os.getpid())
    return [sys.executable, "-m", module, *map(str, flags)]


def start_logged(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, its output appended to `log`.

    Ctrl-C reaches the parent alone. `environment` is that of the parent if left out.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def end_of(code: int) -> str:
    """How a process ended.

    >>> end_of(-9), end_of(1)
    ('killed by SIGKILL', 'exit code 1')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-code}"
