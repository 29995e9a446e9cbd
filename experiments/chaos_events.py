"""A run, and the one who disturbs it: `chaos.py`'s processes and events.

The real commands on real processes. Whoever dies is started again, the master by the
same command, as a user or SLURM would; who is frozen wakes up some seconds later.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.machine.children import start_logged
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import RunPaths

TERMINATED = 143
"""Exit code of a command that SIGTERM ended in order."""
KILL, TERM, STOP = signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP
EVENTS = (
    ("worker", KILL, 0.25),
    ("worker", TERM, 0.15),
    ("worker", STOP, 0.20),
    ("master", KILL, 0.15),
    ("master", TERM, 0.10),
    ("master", STOP, 0.15),
)
"""Whom, what, and how often."""
SPACE = ("--space", "smoke", "--min-budget", 3, "--max-budget", 27, "--threads", 1)


def start(module: str, log: Path, *flags: object) -> subprocess.Popen[bytes]:
    """Start one of the commands; its output is appended to `log`."""
    command = [sys.executable, "-m", f"se_hpo.{module}", *map(str, flags)]
    return start_logged(command, log, {**os.environ, "OMP_NUM_THREADS": "1"})


def optimize(folder: Path, n_brackets: int, *flags: object) -> subprocess.Popen[bytes]:
    """The command that starts or continues a run; it logs to FOLDER.log."""
    run = ("--run", folder, "--n-brackets", n_brackets)
    return start("optimize", folder.with_suffix(".log"), *SPACE, *run, *flags)


def children(pid: int) -> list[int]:
    """Processes that a process has started and that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found


class DisturbedRun:
    """A run whose processes may be signalled at any moment; a context manager.

    With one worker it is what `python -m se_hpo.optimize` starts by itself. Several are
    processes of their own, as on a cluster, and outlive their master.

    Args:
        folder: the run's folder.
        workers: how many.
        n_brackets: to begin with; may be raised.
    """

    def __init__(self, folder: Path, workers: int, n_brackets: int) -> None:
        self.paths = RunPaths(folder)
        self.workers, self.n_brackets = workers, n_brackets
        self.apart = workers > 1
        self.finished = False
        self.starts = 0  # of the master
        self._frozen: dict[int, float] = {}
        # -TERM: Python itself was still starting.
        self._expected = (-KILL, -TERM, TERMINATED)
        self._crew: dict[int, subprocess.Popen[bytes]] = {}
        self.master = self._start_master()

    def __enter__(self) -> DisturbedRun:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Leave nothing running."""
        for pid in [*self.worker_pids(), self.master.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, KILL)
        for process in (*self._crew.values(), self.master):
            process.wait()

    def _start_master(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        role = ("--role", "master") if self.apart else ("--n-workers", 1)
        return optimize(self.paths.root, self.n_brackets, *role)

    def _start_worker(self, k: int) -> subprocess.Popen[bytes]:
        log, run = self.paths.root.with_suffix(f".worker-{k}.log"), self.paths.root
        return start("worker", log, "--run", run, "--wait", "--threads", 1)

    def tend(self) -> None:
        """Start again who has died, wake who has slept long enough.

        Raises:
            SystemExit: somebody ended who was not told to.
        """
        now = time.monotonic()
        for pid in [p for p, until in self._frozen.items() if until <= now]:
            self._wake(pid)
        code = self.master.poll()
        if code == 0:
            self.finished = True
            return
        if code is not None:
            if code not in self._expected:
                raise SystemExit(f"the master ended with code {code}: see its log")
            self.master = self._start_master()
        for k in range(self.workers if self.apart else 0):
            if k not in self._crew or self._crew[k].poll() is not None:
                self._crew[k] = self._start_worker(k)

    def _wake(self, pid: int) -> None:
        del self._frozen[pid]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def raise_brackets(self, more: int) -> None:
        """The same command with more brackets, after the run came to its end."""
        self.n_brackets += more
        self.finished = False
        self.master = self._start_master()

    # -- what it looks like -------------------------------------------------------

    def worker_pids(self) -> list[int]:
        """Worker processes that are there."""
        if not self.apart:
            return children(self.master.pid) if self.master.poll() is None else []
        return [p.pid for p in self._crew.values() if p.poll() is None]

    def status(self) -> dict[str, Any]:
        """What the master said last."""
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads(self.paths.status.read_text()))
        return {"time": 0.0, "running": [], "workers": []}

    def results(self) -> int:
        """Lines in the journal."""
        return sum(1 for _ in read_json_lines(self.paths.results))

    def wait(self, what: Callable[[], bool], seconds: float) -> None:
        """Tend until something is so, or the run is at its end."""
        deadline = time.monotonic() + seconds
        while not what() and not self.finished:
            if time.monotonic() > deadline:
                raise SystemExit(f"nothing happened for {seconds:.0f} s")
            self.tend()
            time.sleep(0.01)

    # -- what is done to it -------------------------------------------------------

    def disturb(self, whom: str, number: int, seconds: float) -> int | None:
        """Send a signal to the master or one of the workers; the pid, if there was one.

        Args:
            whom: `master` or `worker`.
            number: the signal.
            seconds: how long who is frozen sleeps.
        """
        pids = [self.master.pid] if whom == "master" else self.worker_pids()
        pids = [pid for pid in pids if pid not in self._frozen or number == KILL]
        if not pids or (whom == "master" and self.master.poll() is not None):
            return None
        pid = pids[int(seconds * 1e6) % len(pids)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            if number == STOP:
                self._frozen[pid] = time.monotonic() + seconds
            return pid
        return None


def disturbances(
    run: DisturbedRun, n: int, seed: int, longest_sleep: float, limit: float
) -> Iterator[dict[str, Any]]:
    """Disturb a run `n` times at random moments; yields each event once it is done.

    Three in four come while workers work, the rest at any moment: starting, ending,
    waking up or coming back.
    """
    rng = np.random.default_rng(seed)
    began, last = time.monotonic(), time.time()

    def at_work() -> bool:
        status = run.status()
        return status["time"] > last and bool(status["workers"])

    done, more = 0, run.n_brackets // 3 or 1
    while done < n:
        if rng.random() < 0.75:
            run.wait(at_work, limit)
        pause = time.monotonic() + rng.exponential(0.7)
        run.wait(lambda until=pause: time.monotonic() > until, limit)
        if run.finished:
            run.raise_brackets(more)
            continue
        kinds = [event[2] for event in EVENTS]
        whom, number, _ = EVENTS[rng.choice(len(EVENTS), p=kinds)]
        seconds = float(rng.uniform(0.2, longest_sleep))
        running = [r["trial"] for r in run.status()["running"]]
        pid = run.disturb(whom, number, seconds)
        if pid is None:
            continue
        done, last = done + 1, time.time()
        yield {
            "event": done,
            "at_seconds": round(time.monotonic() - began, 2),
            "what": f"{signal.Signals(number).name} {whom}",
            "frozen_seconds": round(seconds, 1) if number == STOP else None,
            "pid": pid,
            "results_so_far": run.results(),
            "running": running,
        }
