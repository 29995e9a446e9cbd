"""The search: brackets of evaluations, proposed, submitted, and taken in again.

Everything that changes its state happens in the thread that calls `run`: results are
taken from an inbox there, so an error anywhere ends the run in order.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import time
from collections.abc import Callable, Sequence
from typing import Any

from hpbandster.core.result import Result

from se_hpo.bohb import status
from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import (
    Journal,
    brackets_begun,
    replay_bracket,
    replay_generator,
)
from se_hpo.bohb.master_settings import MasterSettings
from se_hpo.bohb.schedule import Schedule
from se_hpo.bohb.status import MasterStatus, Running, Worker
from se_hpo.bohb.tally import Tally
from se_hpo.bohb.wire.dispatcher import Dispatcher
from se_hpo.bohb.wire.roster import WorkerHandle
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import ConfigId, RunPaths, trial_name
from se_hpo.storage.records import to_builtin

log = logging.getLogger(__name__)

Inbox = queue.SimpleQueue[Job | BaseException | None]
"""What other threads leave for the master's; see `dispatcher.Report`."""


class Master:
    """Runs brackets of successive halving on whatever workers there are."""

    def __init__(
        self,
        run: RunPaths,
        brackets: Sequence[Bracket],
        generator: Any,
        journal: Journal,
        dispatcher: Dispatcher,
        inbox: Inbox,
        settings: MasterSettings,
        on_result: Callable[[Job], None] | None = None,
        on_status: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Replay the journal; `run` does the rest."""
        self.paths, self.brackets = run, tuple(brackets)
        self.generator, self.journal = generator, journal
        self.dispatcher, self.inbox, self.settings = dispatcher, inbox, settings
        self.on_result, self.on_status = on_result, on_status
        self.schedule = Schedule(self.brackets, self._propose, journal)
        self.tally = Tally()
        self._out = 0
        """Evaluations submitted and not yet finished."""
        self._untaken: dict[tuple[ConfigId, float], Job] = {}
        self._state, self._started = "running", time.time()
        self._last_result = self._last_report = time.monotonic()
        self._status_is_written = True
        self._replay()

    def _replay(self) -> None:
        replay_generator(self.journal, self.generator)
        self._untaken = dict(self.journal.results)
        for _ in range(min(brackets_begun(self.journal), len(self.brackets))):
            bracket, propose = self.schedule.begin(), self.generator.tried.propose
            replay_bracket(bracket, self.journal, self._untaken, propose)
        for key, job in self.journal.results.items():
            if key not in self._untaken:
                self.dispatcher.roster.table.finished.add(job.token)
                self.tally.count(job)
        if n := len(self.journal.results):
            log.info("%d finished evaluations taken from the journal", n)

    # -- the search -----------------------------------------------------------

    def run(self) -> Result:
        """Run to the end of the last bracket.

        Returns:
            hpbandster's result object, finished evaluations of earlier attempts
            included.

        Raises:
            TooManyFailures, FailedRunError: see `Tally`.
            OSError: the journal cannot be written.
        """
        self._report()
        while not self.is_complete():
            self.tally.check(self.settings.max_failures)
            if (
                self._has_room()
                and (following := self.schedule.next_run(self._out)) is not None
            ):
                self._evaluate(*following)
            else:
                self._wait()
            self._take_results()  # proposals are better the more is known
        return self._result()

    def _result(self) -> Result:
        budgets = sorted({b for bracket in self.brackets for b in bracket.budgets})
        told = {
            "time_ref": self._started,
            "budgets": budgets,
            "min_budget": budgets[0],
            "max_budget": budgets[-1],
        }
        return Result([bracket.data for bracket in self.schedule.begun], told)

    def _evaluate(
        self, config_id: ConfigId, config: dict[str, Any], budget: float
    ) -> None:
        """Submit, unless the journal knows the result of a rung not reached again.

        That is so after a line of a lower rung was damaged and had to be run again.
        """
        known = self._untaken.pop((config_id, budget), None)
        if known is not None:
            self.schedule.begun[config_id[0]].register_result(known)
            self.tally.count(known)
            return
        values = {"config": config, "budget": budget}
        self._out += 1
        self.dispatcher.submit(
            Job(config_id, **values, working_directory=str(self.paths.root))
        )

    def is_complete(self) -> bool:
        """Whether every bracket has been run to its end."""
        return self.schedule.is_finished

    def _has_room(self) -> bool:
        """One evaluation per worker."""
        most = self.settings.max_parallel
        workers = len(self.dispatcher.roster.workers)
        return self._out < (workers if most is None else min(workers, most))

    def _propose(self, budget: float) -> tuple[dict[str, Any], dict[str, Any]]:
        number = self.generator.n_proposals
        config, info = self.generator.get_config(budget)
        return config, {**info, "proposal": number}

    # -- results --------------------------------------------------------------

    def _wait(self) -> None:
        """Wait for a result or a worker; tell now and then what is going on."""
        now, settings = time.monotonic(), self.settings
        if now - self._last_report >= settings.status_seconds:
            self._report()
        if now - self._last_result >= settings.quiet_seconds:
            self._last_result = now
            self._log_quiet(settings.quiet_seconds)
        with contextlib.suppress(queue.Empty):
            self._take(self.inbox.get(timeout=min(settings.status_seconds, 0.5)))

    def _take_results(self) -> None:
        while not self.inbox.empty():
            self._take(self.inbox.get())

    def _take(self, item: Job | BaseException | None) -> None:
        if isinstance(item, BaseException):
            raise item
        if item is not None:
            self._register(item)

    def _register(self, job: Job) -> None:
        """Journal first: what is not on disk has not happened."""
        self.journal(job)
        self.schedule.begun[job.id[0]].register_result(job)
        self.generator.new_result(job)
        self._out -= 1
        self._last_result = time.monotonic()
        self.tally.count(job)
        if self.on_result is not None:
            self.on_result(job)

    # -- telling --------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """A snapshot, `MasterStatus` in builtin types."""
        roster = self.dispatcher.roster
        with roster.lock:
            running = [
                _running(job, roster.workers.get(job.worker_name or ""))
                for job in roster.table.running.values()
            ]
            workers = [
                Worker(w.name, w.host, w.pid, trial_name(w.job.id) if w.job else None)
                for w in roster.workers.values()
            ]
            waiting, lost = len(roster.table.waiting), roster.lost
        now = MasterStatus(
            state=self._state,
            time=time.time(),
            started=self._started,
            finished=self.tally.finished,
            planned=sum(b.evaluations for b in self.brackets),
            failed=self.tally.failures,
            lost=lost,
            waiting=waiting,
            running=running,
            workers=workers,
            brackets=[_bracket(b, self.schedule.begun) for b in self.brackets],
        )
        return dict(to_builtin(dataclasses.asdict(now)))

    def _report(self) -> None:
        """Write and pass on the status now; only the journal must be written."""
        self._last_report = time.monotonic()
        snapshot = self.status()
        try:
            write_json(self.paths.status, snapshot)
            self._status_is_written = True
        except OSError as error:
            if self._status_is_written:
                log.warning("%s; the run goes on without a new status", error)
            self._status_is_written = False
        if self.on_status is not None:
            self.on_status(snapshot)

    def report_end(self) -> None:
        """Leave a last status that says whether the run is finished or was stopped."""
        self._state = "finished" if self.is_complete() else "stopped"
        with contextlib.suppress(OSError):  # a full disk must not hide the first error
            write_json(self.paths.status, self.status())

    def _log_quiet(self, seconds: float) -> None:
        now = self.status()
        if not now["workers"]:
            told = "no worker is alive, start one for this run"
            log.warning("no result for %.0f s: %s", seconds, told)
            return
        parts = [
            f"{r['trial']} (budget {r['budget']:g}) on {r['host']} pid {r['pid']} "
            f"for {now['time'] - r['since']:.0f} s"
            for r in now["running"]
        ]
        told = "; ".join(parts) or "nothing is running"
        log.info("no result for %.0f s: %s; %d waiting", seconds, told, now["waiting"])


def _running(job: Job, worker: WorkerHandle | None) -> Running:
    return Running(
        trial=trial_name(job.id),
        config_id=job.id,
        budget=job.budget,
        worker=job.worker_name,
        host=worker.host if worker else "",
        pid=worker.pid if worker else 0,
        since=job.timestamps.get("started", 0.0),
    )


def _bracket(bracket: Bracket, begun: Sequence[SuccessiveHalving]) -> status.Bracket:
    ours = begun[bracket.index] if bracket.index < len(begun) else None
    done = ours.done if ours else [0] * len(bracket.budgets)
    rungs = zip(bracket.budgets, done, bracket.num_configs, strict=True)
    finished = ours is not None and ours.is_finished
    return status.Bracket(bracket.index, finished, [status.Rung(*r) for r in rungs])
