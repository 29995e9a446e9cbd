"""How a set in training is getting on: curves, pace, time to go."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from se_hpo.nes.random_search import scored_candidates
from se_hpo.optimize.progress import CurveReader
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.damaged import DamageReport
from se_hpo.storage.paths import SESetPaths
from se_hpo.train.display import RunningSE, SetProgress
from se_hpo.train.supervisor import SEWorkers


class SetWatch:
    """Keeps what the workers do not: curves, pace, who solved the task.

    Args:
        paths: the set.
        settings: of the set.
        indices: the SEs of this shard.
        workers: those that train what is not finished of them.
        solved: how many of the others solved the task.
    """

    def __init__(
        self,
        paths: SESetPaths,
        settings: SetSettings,
        indices: Sequence[int],
        workers: SEWorkers,
        solved: int = 0,
    ) -> None:
        self.paths, self.settings, self.workers = paths, settings, workers
        self.total = len(indices)
        self.solved = solved
        self._started = time.time()
        self._curves: dict[int, CurveReader] = {}
        self._begun_at: dict[int, int] = {}
        self._seconds: list[float] = []
        self._damaged = DamageReport(paths.root, "runs/*")

    def ended(self, outcome: SEOutcome) -> float:
        """Take a finished SE; returns the seconds that it took now."""
        self.solved += outcome.solved
        seconds = time.time() - self.workers.started.pop(outcome.index)
        self._seconds.append(seconds)
        return seconds

    def tell_damage(self) -> None:
        """Name files of a run that its worker had to set aside."""
        self._damaged.tell("runs/*")

    def progress(self) -> SetProgress:
        """What the display draws."""
        running = tuple(self._running(index) for index in sorted(self.workers.running))
        left = len(self.workers.running) + len(self.workers.waiting)
        left += len(self.workers.lost) + len(self.workers.held)
        return SetProgress(
            done=self.total - left,
            total=self.total,
            solved=self.solved,
            running=running,
            elapsed=time.time() - self._started,
            eta=self._eta(running),
        )

    def _running(self, index: int) -> RunningSE:
        files = self.paths.run(index)
        seconds = time.time() - self.workers.started[index]
        trainings = self.settings.trainings
        curve: tuple[float, ...] = ()
        if trainings is not None:
            done, of = scored_candidates(files), trainings
        else:
            reader = self._curves.setdefault(index, CurveReader(files.generations))
            curve = reader.read()
            done, of = len(curve), self.settings.generations
        self._begun_at.setdefault(index, done)
        return RunningSE(index, done, of, seconds, curve)

    def _eta(self, running: tuple[RunningSE, ...]) -> float | None:
        """From the SEs that ended; before, as if none solved the task early."""
        remaining = [self._remaining(se) for se in running]
        known = [seconds for seconds in remaining if seconds is not None]
        if len(known) < len(remaining):
            return None
        whole = self._seconds or [
            se.seconds + left for se, left in zip(running, known, strict=True)
        ]
        if self.workers.waiting:
            if not whole:
                return None
            known += [float(np.mean(whole))] * len(self.workers.waiting)
        return max([sum(known) / self.workers.n_parallel, *known], default=0.0)

    def _remaining(self, se: RunningSE) -> float | None:
        """Seconds that an SE still takes."""
        done_now = se.done - self._begun_at[se.index]
        limits = []
        if done_now:
            limits.append(se.seconds / done_now * (se.of - se.done))
        if self._seconds:
            limits.append(max(0.0, float(np.mean(self._seconds)) - se.seconds))
        return min(limits, default=None)
