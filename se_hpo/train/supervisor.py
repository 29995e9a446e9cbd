"""Worker processes that train the SEs of a set side by side, one process per SE.

One that dies is started again and its SE continues from the last generation; after a
few deaths the SE is given up. No death and no failure stops the other SEs.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path

from se_hpo.machine.children import Children, start_logged, worker_command
from se_hpo.storage.files import check_writable
from se_hpo.storage.paths import SESetPaths
from se_hpo.text import last_line

log = logging.getLogger(__name__)

MOST_RESTARTS = 3  # of one SE
BAD_INPUT = 2  # exit code of all commands
HELD = 75
"""Exit code of a worker that leaves its SE to another process."""


class SEWorkers(Children):
    """At most `n_parallel` processes at a time; `running` has them by their SE.

    `indices` are the SEs to train; each process has `threads` threads; `noun` is what
    they are to a reader.
    """

    def __init__(
        self,
        paths: SESetPaths,
        indices: Iterable[int],
        n_parallel: int,
        threads: int,
        noun: str = "SE",
    ) -> None:
        super().__init__()
        self.noun = noun
        self.paths, self.n_parallel, self.threads = paths, n_parallel, threads
        self.waiting = deque(indices)
        self.started: dict[int, float] = {}
        """Unix seconds at which an SE's first process was started."""
        self.lost: dict[int, str] = {}
        """SEs given up, and why."""
        self.held: list[int] = []
        """SEs that another process is at."""
        self._deaths: Counter[int] = Counter()
        self._refused: set[int] = set()

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self.running or self.waiting)

    def step(self) -> list[int]:
        """Start what can be started; returns the SEs whose workers ended well.

        Raises:
            OSError: a worker died, and the set's folder cannot be written to.
        """
        ended = self.ended()
        for index, code in ended:
            if code:
                self._on_bad_exit(index, code)
        while self.waiting and len(self.running) < self.n_parallel:
            index = self.waiting.popleft()
            self.started.setdefault(index, time.time())
            self.running[index] = self._start(index)
        return [index for index, code in ended if code == 0]

    def _on_bad_exit(self, index: int, code: int) -> None:
        if code == HELD and index not in self._refused:
            self._refused.add(index)
            self.waiting.append(index)  # perhaps its holder is just ending
        elif code == HELD:
            self.held.append(index)
            log.warning("%s %03d: another process is at it", self.noun, index)
        elif code == BAD_INPUT:
            self._give_up(index, _last_words(self.paths.log(index)))
        else:
            check_writable(self.paths.root)  # else no SE of the set can go on
            self._deaths[index] += 1
            n = self._deaths[index]
            if n > MOST_RESTARTS:
                self._give_up(index, f"its process ended {n} times with code {code}")
                return
            said = "%s %03d: process ended with code %d: again"
            log.warning(said, self.noun, index, code)
            self.waiting.appendleft(index)

    def _give_up(self, index: int, why: str) -> None:
        self.lost[index] = f"{why} (see {self.paths.log(index)})"
        log.error("%s %03d: %s", self.noun, index, self.lost[index])

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        flags = ("--se-set", self.paths.root, "--index", index)
        command = worker_command("se_hpo.train.worker", *flags, threads=self.threads)
        # torch must not take all cores in each of the processes.
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return start_logged(command, self.paths.log(index), environment)


def _last_words(log: Path) -> str:
    """The last line of a log, without `error: `; empty where there is none."""
    try:
        return last_line(log.read_text(errors="replace")).removeprefix("error: ")
    except OSError:
        return ""
