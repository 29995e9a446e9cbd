"""Worker processes on this machine: started, watched, replaced, ended.

A worker that dies is replaced, its trial is queued again by the master and continues
from its last generation. Workers that cannot even start are not replaced for ever.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType

from se_hpo.errors import UserError
from se_hpo.paths import RunPaths

log = logging.getLogger(__name__)

QUICK_DEATH_SECONDS = 10.0
MOST_QUICK_DEATHS = 5  # in a row
TERMINATE_SECONDS = 2.0


@dataclass
class _Slot:
    process: subprocess.Popen[bytes]
    started: float
    quick_deaths: int = 0


class LocalWorkers:
    """`n` worker processes; use as a context manager.

    Args:
        run: the run they work for.
        n: how many.
        threads: threads of each.
    """

    def __init__(self, run: RunPaths, n: int, threads: int) -> None:
        self.run, self.n, self.threads = run, n, threads
        self._slots: list[_Slot] = []

    def __enter__(self) -> LocalWorkers:
        self._slots = [_Slot(self._start(k), time.monotonic()) for k in range(self.n)]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _log_path(self, k: int) -> str:
        return str(self.run.logs / f"worker-{k}.log")

    def _start(self, k: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "se_hpo.worker", "--run", str(self.run.root)]
        command += ["--threads", str(self.threads), "--parent", str(os.getpid())]
        self.run.logs.mkdir(parents=True, exist_ok=True)
        with open(self._log_path(k), "ab") as output:  # noqa: PTH123 - for Popen
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the master alone
            )

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
                    f"start (exit code {code}): see {self._log_path(k)}"
                )
            log.info("worker %d ended with code %s: starting another", k, code)
            slot.process, slot.started = self._start(k), time.monotonic()

    def stop(self) -> None:
        """End all: politely, then for certain."""
        for slot in self._slots:
            if slot.process.poll() is None:
                slot.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + TERMINATE_SECONDS
        for slot in self._slots:
            try:
                slot.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                slot.process.kill()
                slot.process.wait()
