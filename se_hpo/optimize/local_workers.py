"""Worker processes on this machine: started, watched, replaced, ended.

A worker that dies is replaced, its trial is queued again by the master and continues
from its last generation. Workers that cannot even start are not replaced for ever.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.machine.processes import end_all, start_logged
from se_hpo.storage.paths import RunPaths

log = logging.getLogger(__name__)

QUICK_DEATH_SECONDS = 10.0
MOST_QUICK_DEATHS = 5  # in a row
DYING_SECONDS = 2.0
"""A process whose connection broke has ended by then."""


@dataclass
class _Slot:
    process: subprocess.Popen[bytes]
    started: float
    quick_deaths: int = 0


class LocalWorkers:
    """`n` worker processes, from `start` to `close`.

    Args:
        run: the run they work for.
        n: how many.
        threads: threads of each.
    """

    def __init__(self, run: RunPaths, n: int, threads: int) -> None:
        self.run, self.n, self.threads = run, n, threads
        self._slots: list[_Slot] = []
        self._processes: list[tuple[subprocess.Popen[bytes], Path]] = []
        """All that were ever started, with their logs."""

    def start(self) -> None:
        """Start them all."""
        self._slots = [_Slot(self._start(k), time.monotonic()) for k in range(self.n)]

    def _log_path(self, k: int) -> Path:
        return self.run.log(f"worker-{k}")

    def _start(self, k: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "se_hpo.worker", "--run", str(self.run.root)]
        command += ["--threads", str(self.threads), "--parent", str(os.getpid())]
        process = start_logged(command, self._log_path(k))
        self._processes.append((process, self._log_path(k)))
        return process

    def replace_dead(self) -> None:
        """Start a new process for each that has died.

        Raises:
            UserError: a worker died at once, several times in a row.
        """
        for k, slot in enumerate(self._slots):
            code = slot.process.poll()
            if code is None:
                continue
            quick = time.monotonic() - slot.started < QUICK_DEATH_SECONDS
            slot.quick_deaths = slot.quick_deaths + 1 if quick else 0
            if slot.quick_deaths >= MOST_QUICK_DEATHS:
                raise UserError(
                    f"worker {k} ended {slot.quick_deaths} times right after its "
                    f"start, {_end_of(code)}: see {self._log_path(k)}"
                )
            log.info("worker %d ended, %s: starting another", k, _end_of(code))
            slot.process, slot.started = self._start(k), time.monotonic()

    def how_it_died(self, host: str, pid: int) -> str | None:
        """How a process ended and where its log is; None if it is none of ours."""
        if host != socket.gethostname():
            return None
        for process, path in reversed(self._processes):
            if process.pid == pid:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return f"{_end_of(process.wait(DYING_SECONDS))}, see {path}"
        return None

    def note_result(self) -> None:
        """They work: whatever has ended some of them, it was not their start."""
        for slot in self._slots:
            slot.quick_deaths = 0

    def close(self) -> None:
        """End all: politely, then for certain."""
        end_all(slot.process for slot in self._slots)


def _end_of(code: int) -> str:
    """How a process ended.

    >>> _end_of(-9), _end_of(1)
    ('killed by SIGKILL', 'exit code 1')
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"killed by signal {-code}"
