"""From the master's status to what the display shows: curves, incumbent, time to go."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from se_hpo.optimize import progress
from se_hpo.results.ranking import Rank, rank
from se_hpo.storage.damaged import DamageReport
from se_hpo.storage.paths import RunPaths, TrialPaths
from se_hpo.storage.records import EvaluationRecord


class Monitor:
    """Keeps what a status does not have: the incumbent, curves, and the pace.

    Args:
        run: the run's folder.
        earlier: records of earlier attempts, for the incumbent.
    """

    def __init__(self, run: RunPaths, earlier: Iterable[EvaluationRecord]) -> None:
        self.run = run
        self.best: progress.Best | None = None
        self._rank: Rank | None = None
        self._damaged = DamageReport(run.trials, "*")
        self._curves: dict[str, progress.CurveReader] = {}
        self._started = time.monotonic()
        self._spent_before: float | None = None
        for record in earlier:
            self.add(record)

    def add(self, record: EvaluationRecord) -> None:
        """Take a finished evaluation: larger budgets first, then lower loss."""
        place = rank(record)
        if place and (self._rank is None or place < self._rank):
            self._rank = place
            self.best = progress.Best(record.trial, record.budget, record.loss)

    def tell_damage(self, trial: str) -> None:
        """Name files of a trial that its worker had to set aside."""
        self._damaged.tell(trial)

    def snapshot(self, status: dict[str, Any]) -> progress.Snapshot:
        """What the display draws."""
        now = time.time()
        elapsed = time.monotonic() - self._started
        workers = tuple(
            progress.WorkerState(w["worker"], w["host"], w["trial"])
            for w in status["workers"]
        )
        running = tuple(self._running(r, now) for r in status["running"])
        return progress.Snapshot(
            brackets=tuple(_bracket(b) for b in status["brackets"]),
            workers=workers,
            running=running,
            incumbent=self.best,
            evaluations_done=status["finished"],
            evaluations_planned=status["planned"],
            elapsed=elapsed,
            eta=self._time_to_go(status["brackets"], running, elapsed),
        )

    def _running(self, running: dict[str, Any], now: float) -> progress.RunningTrial:
        trial = running["trial"]
        if trial not in self._curves:
            path = TrialPaths(self.run.trials / trial).generations
            self._curves[trial] = progress.CurveReader(path)
        return progress.RunningTrial(
            trial=trial,
            budget=running["budget"],
            seconds=max(0.0, now - running["since"]),
            curve=self._curves[trial].read(),
            worker=running["worker"] or "",
        )

    def _time_to_go(
        self,
        brackets: Sequence[dict[str, Any]],
        running: Iterable[progress.RunningTrial],
        elapsed: float,
    ) -> float | None:
        """Remaining budget at the pace of this attempt; None before a first step."""
        spent, planned = spent_budget(brackets)
        spent += sum(_under_way(trial, brackets) for trial in running)
        if self._spent_before is None:
            self._spent_before = spent
        gained = spent - self._spent_before
        if spent >= planned:
            return 0.0
        return elapsed * (planned - spent) / gained if gained > 0 else None


def _under_way(
    trial: progress.RunningTrial, brackets: Sequence[dict[str, Any]]
) -> float:
    """Generations of a running trial that no finished evaluation has counted."""
    rungs = brackets[int(trial.trial.partition("-")[0])]["rungs"]
    below = max((r["budget"] for r in rungs if r["budget"] < trial.budget), default=0.0)
    return max(0.0, len(trial.curve) - below)


def _bracket(bracket: dict[str, Any]) -> progress.Bracket:
    rungs = (
        progress.Rung(r["budget"], r["done"], r["planned"]) for r in bracket["rungs"]
    )
    return progress.Bracket(bracket["bracket"], tuple(rungs))


def spent_budget(brackets: Iterable[dict[str, Any]]) -> tuple[float, float]:
    """Budget spent and planned; a promoted trial pays only the difference.

    >>> rungs = [{"budget": 1, "done": 3, "planned": 3},
    ...          {"budget": 3, "done": 0, "planned": 1}]
    >>> spent_budget([{"rungs": rungs}])
    (3.0, 5.0)
    """
    spent = planned = 0.0
    for bracket in brackets:
        below = 0.0
        for rung in bracket["rungs"]:
            step, below = rung["budget"] - below, rung["budget"]
            spent += step * rung["done"]
            planned += step * rung["planned"]
    return spent, planned
