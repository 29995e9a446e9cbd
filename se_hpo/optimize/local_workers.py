"""Worker processes on this machine: started, watched, replaced, ended.

A worker that dies is replaced, its trial is queued again by the master and continues
from its last generation. Workers that cannot even start are not replaced for ever.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import time
from collections import Counter
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.machine.children import Children, end_of, start_logged, worker_command
from se_hpo.storage.paths import RunPaths

log = logging.getLogger(__name__)

QUICK_DEATH_SECONDS = 10.0
MOST_QUICK_DEATHS = 5  # in a row
DYING_SECONDS = 2.0
"""A process whose connection broke has ended by then."""


class LocalWorkers(Children):
    """`n` worker processes of a run, with so many threads each."""

    def __init__(self, run: RunPaths, n: int, threads: int) -> None:
        super().__init__()
        self.run, self.n, self.threads = run, n, threads
        self._started: dict[int, float] = {}
        self._quick_deaths: Counter[int] = Counter()
        self._all: list[tuple[subprocess.Popen[bytes], Path]] = []
        """All that were ever started, with their logs."""

    def start(self) -> None:
        """Start them all."""
        for k in range(self.n):
            self._start(k)

    def _start(self, k: int) -> None:
        flags, path = ("--run", self.run.root), self.run.log(f"worker-{k}")
        command = worker_command("se_hpo.worker", *flags, threads=self.threads)
        process = start_logged(command, path)
        self.running[k], self._started[k] = process, time.monotonic()
        self._all.append((process, path))

    def replace_dead(self) -> None:
        """Start a new process for each that has died.

        Raises:
            UserError: a worker died at once, several times in a row.
        """
        for k, code in self.ended():
            quick = time.monotonic() - self._started[k] < QUICK_DEATH_SECONDS
            deaths = self._quick_deaths[k] = self._quick_deaths[k] + 1 if quick else 0
            if deaths >= MOST_QUICK_DEATHS:
                raise UserError(
                    f"worker {k} ended {deaths} times right after its start, "
                    f"{end_of(code)}: see {self.run.log(f'worker-{k}')}"
                )
            log.info("worker %d ended, %s: starting another", k, end_of(code))
            self._start(k)

    def how_it_died(self, host: str, pid: int) -> str | None:
        """How a process ended and where its log is; None if it is none of ours."""
        if host != socket.gethostname():
            return None
        for process, path in reversed(self._all):
            if process.pid == pid:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return f"{end_of(process.wait(DYING_SECONDS))}, see {path}"
        return None

    def note_result(self) -> None:
        """They work: whatever has ended some of them, it was not their start."""
        self._quick_deaths.clear()
