"""hpbandster's master, made to resume, to report and to end.

Everything that changes the state of the search happens in the thread that calls `run`:
results are taken from an inbox there, so an error anywhere ends the run in order.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import hpbandster.core.master
from hpbandster.core.result import Result

from se_hpo.bohb import replay
from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.dispatcher import Dispatcher
from se_hpo.bohb.halving import NextRun, SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import Journal
from se_hpo.bohb.reporter import Reporter
from se_hpo.bohb.settings import (
    Evaluation,
    MasterSettings,
    TooManyFailures,
    evaluation_of,
)
from se_hpo.disk import check_writable
from se_hpo.paths import ConfigId, RunPaths
from se_hpo.records import Status

log = logging.getLogger(__name__)


class Master(hpbandster.core.master.Master):
    """Runs brackets of successive halving on whatever workers there are."""

    def __init__(
        self,
        run: RunPaths,
        brackets: Sequence[Bracket],
        generator: Any,
        journal: Journal,
        dispatcher: Callable[..., Dispatcher],
        settings: MasterSettings,
        on_result: Callable[[Evaluation], None] | None = None,
        on_status: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Replay the journal and open the dispatcher's port.

        hpbandster's own constructor is not called: it makes its own dispatcher, and
        threads that outlive the process's main thread.
        """
        self.logger = log
        self.paths = run
        self.brackets = tuple(brackets)
        self.settings = settings
        self.working_directory = str(run.root)
        self.config_generator = generator
        self.result_logger = journal
        self.on_result = on_result
        self.iterations: list[SuccessiveHalving] = []
        self._active: list[int] = []
        self.warmstart_iteration: list[Any] = []
        self.num_running_jobs = 0
        self.n_workers = 0
        self.failures = 0
        self._untaken: dict[tuple[ConfigId, float], Job] = {}
        self.finished = 0
        self.thread_cond = threading.Condition()
        self._inbox: deque[Job] = deque()
        self._error: BaseException | None = None
        self.reporter = Reporter(self, on_status)
        self.time_ref = time.time()
        self.config = self._describe()
        self.dispatcher = dispatcher(
            self.job_callback,
            queue_callback=self.adjust_queue_size,
            on_error=self._fail,
            check_folder=functools.partial(check_writable, run.trials),
            host=settings.host,
            ping_interval=settings.ping_interval,
            patience=settings.patience,
        )
        self._replay()
        self.dispatcher.run()

    def _describe(self) -> dict[str, Any]:
        """What hpbandster's `Result` wants to know."""
        budgets = sorted({b for bracket in self.brackets for b in bracket.budgets})
        return {
            "time_ref": self.time_ref,
            "budgets": budgets,
            "min_budget": budgets[0],
            "max_budget": budgets[-1],
        }

    def _replay(self) -> None:
        journal: Journal = self.result_logger
        jobs = replay.replay_generator(
            journal, self.config_generator, self.working_directory
        )
        finished = {(job.id, float(job.kwargs["budget"])): job for job in jobs}
        for _ in range(min(replay.brackets_begun(journal), len(self.brackets))):
            replay.replay_bracket(self._open_bracket(), journal, finished)
        self._untaken = finished
        taken = [job for job in jobs if (job.id, job.kwargs["budget"]) not in finished]
        self.dispatcher.table.finished.update(job.token for job in taken)
        self.finished = len(taken)
        if jobs:
            log.info("%d finished evaluations taken from the journal", len(jobs))

    # -- the search -----------------------------------------------------------

    def run(self, *_args: Any, **_kwargs: Any) -> Result:
        """Run to the end of the last bracket.

        Returns:
            hpbandster's result object, finished evaluations of earlier attempts
            included.

        Raises:
            TooManyFailures: see `MasterSettings.max_failures`.
            OSError: the journal cannot be written.
        """
        self.reporter.report()
        while True:
            self._take_results()
            if self._has_room() and (following := self._next_run()) is not None:
                self._evaluate(*following)
            elif self.is_complete():
                break
            else:
                self._wait()
        data = [iteration.data for iteration in self.iterations]
        return Result(data, self.config)

    def _evaluate(
        self, config_id: ConfigId, config: dict[str, Any], budget: float
    ) -> None:
        """Submit, unless the journal knows the result of a rung not reached again.

        That is so after a line of a lower rung was damaged and had to be run again.
        """
        known = self._untaken.pop((config_id, budget), None)
        if known is None:
            self._submit_job(config_id, config, budget)
            return
        self.iterations[config_id[0]].register_result(known)
        self.finished += 1

    def is_complete(self) -> bool:
        """Whether every bracket has been run to its end."""
        return not self.active_iterations() and not self._brackets_left()

    def _brackets_left(self) -> bool:
        return len(self.iterations) < len(self.brackets)

    def _has_room(self) -> bool:
        """One evaluation per worker; proposals are better the more is known."""
        most = self.n_workers
        if self.settings.max_parallel is not None:
            most = min(most, self.settings.max_parallel)
        return self.num_running_jobs < most

    def _next_run(self) -> NextRun | None:
        for index in self.active_iterations():
            if (following := self.iterations[index].get_next_run()) is not None:
                return following
        if self._brackets_left():
            return self._open_bracket().get_next_run()
        return None

    def _open_bracket(self) -> SuccessiveHalving:
        iteration: SuccessiveHalving = self.get_next_iteration(len(self.iterations), {})
        self._active.append(len(self.iterations))
        self.iterations.append(iteration)
        return iteration

    def get_next_iteration(
        self, iteration: int, iteration_kwargs: dict[str, Any]
    ) -> SuccessiveHalving:
        """The bracket at that position; hpbandster's hook."""
        return SuccessiveHalving(
            self.brackets[iteration],
            config_sampler=self._propose,
            result_logger=self.result_logger,
        )

    def active_iterations(self) -> list[int]:
        """Brackets that are not finished; hpbandster looks through all, every time."""
        self._active = [i for i in self._active if not self.iterations[i].is_finished]
        return self._active

    def _propose(self, budget: float) -> tuple[dict[str, Any], dict[str, Any]]:
        number = self.config_generator.n_proposals
        config, info = self.config_generator.get_config(budget)
        return config, {**info, "proposal": number}

    # -- results --------------------------------------------------------------

    def job_callback(self, job: Job) -> None:
        """Called by the dispatcher in any thread; the main thread does the work."""
        with self.thread_cond:
            self._inbox.append(job)
            self.thread_cond.notify_all()

    def adjust_queue_size(self, number_of_workers: int | None = None) -> None:
        """Called by the dispatcher when workers come or go."""
        with self.thread_cond:
            self.n_workers = number_of_workers or 0
            self.thread_cond.notify_all()

    def _fail(self, error: BaseException) -> None:
        """Keep an error of another thread for the main thread."""
        with self.thread_cond:
            self._error = self._error or error
            self.thread_cond.notify_all()

    def _take_results(self) -> None:
        if self._error is not None:
            raise self._error
        while self._inbox:
            self._register(self._inbox.popleft())

    def _register(self, job: Job) -> None:
        """Journal first: what is not on disk has not happened."""
        self.result_logger(job)
        self.iterations[job.id[0]].register_result(job)
        self.config_generator.new_result(job)
        self.num_running_jobs -= 1
        self.finished += 1
        self.reporter.note_result()
        evaluation = evaluation_of(job)
        if self.on_result is not None:
            self.on_result(evaluation)
        self._count_failure(evaluation)

    def _count_failure(self, evaluation: Evaluation) -> None:
        if evaluation.info.get("status") != Status.FAILED:
            return
        self.failures += 1
        most = self.settings.max_failures
        if most is not None and self.failures > most:
            raise TooManyFailures(
                f"{self.failures} evaluations failed, more than max_failures = {most}; "
                f"the last one: {evaluation.info.get('reason')}"
            )

    # -- waiting and telling --------------------------------------------------

    def _wait(self) -> None:
        """Wait for a result or a worker; tell now and then what is going on."""
        self.reporter.tick()
        with self.thread_cond:
            if not self._inbox and self._error is None:
                self.thread_cond.wait(min(self.settings.status_seconds, 0.5))

    def status(self) -> dict[str, Any]:
        """A snapshot of builtin types: counts, brackets, running trials, workers."""
        return self.reporter.snapshot()

    def report_end(self) -> None:
        """Leave a last status that says whether the run is finished or was stopped."""
        self.reporter.report_end()

    def shutdown(self, shutdown_workers: bool = True) -> None:
        """End workers and dispatcher."""
        self.dispatcher.shutdown(shutdown_workers)
