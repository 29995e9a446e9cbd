"""One attempt at a run: hold its folder, start master and local workers, show it."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.master import Master
from se_hpo.bohb.master_settings import MasterSettings
from se_hpo.bohb.run import run_locked_master
from se_hpo.bohb.status import MasterStatus
from se_hpo.envs.tasks import get_task
from se_hpo.errors import FailedRunError, unwritable
from se_hpo.machine.processes import Terminated
from se_hpo.optimize.confirm import HALVING, ON_TASK, candidates, confirm
from se_hpo.optimize.display import RunDisplay
from se_hpo.optimize.local_workers import LocalWorkers
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.on_ses import keep
from se_hpo.optimize.run_folder import open_run
from se_hpo.optimize.run_request import RunRequest
from se_hpo.optimize.tensorboard import TensorBoardWriter
from se_hpo.registries import OBJECTIVES
from se_hpo.results.generation_feed import GenerationFeed, OnGeneration
from se_hpo.results.lines import read_evaluations
from se_hpo.results.ranking import best_trials
from se_hpo.search_spaces.user_code import code_of
from se_hpo.storage.files import write_json
from se_hpo.storage.json_records import read_record, record
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import RunPaths, TrialPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)

OnRecord = Callable[[EvaluationRecord], object]


@contextlib.contextmanager
def opened(request: RunRequest) -> Iterator[tuple[Bracket, ...]]:
    """Hold the run's lock, make or continue its folder; gives the brackets to run.

    Raises:
        UserError: the folder belongs to another run or master, or is not writable.
    """
    paths, settings = request.paths, request.settings
    with _locked(paths):
        data = open_run(
            paths,
            settings.to_dict(),
            request.configspace,
            request.options.overwrite,
            functools.partial(code_of, settings.task, request.space.own_file),
            functools.partial(keep, paths, request.ses),
        )
        # More brackets may be asked for later; fewer never undo what was started.
        n = max(len(request.brackets), data.get("n_brackets", 0))
        if request.start_from:
            data["start_from"] = request.start_from
        write_json(paths.run, {**data, "n_brackets": n})
        yield settings.bracket_list(n)


def run_brackets(
    request: RunRequest,
    brackets: tuple[Bracket, ...],
    *,
    on_record: OnRecord | None = None,
    on_generation: OnGeneration | None = None,
    **shown: Any,
) -> None:
    """Run or continue all brackets of an opened run.

    Args:
        request: the run.
        brackets: from `opened`.
        on_record: told of each evaluation that ended, when it is on disk; what it
            raises ends the attempt.
        on_generation: told of each new generation on disk, with its trial; likewise.
        **shown: `quiet`, `only_live`, `console` of `LiveLog`.

    Raises:
        UserError, FailedRunError, OSError: see `run_locked_master`.
    """
    options, settings, paths = request.options, request.settings, request.paths
    earlier = [e.record for e in read_evaluations(paths)]
    title = f"{settings.space}, {settings.optimizer}"
    here = options.role == "all"
    shown = {"verbose": options.verbose, **shown}
    board: contextlib.AbstractContextManager[TensorBoardWriter | None]
    board = contextlib.nullcontext()
    if options.tensorboard:
        board = TensorBoardWriter(paths.tensorboard, earlier)
    with (
        board as events,
        RunDisplay(
            paths, title, settings.unit, earlier, solved_score(request), **shown
        ) as display,
        LocalWorkers(paths, options.n_workers, request.threads) as pool,
    ):
        if events is not None:
            on_record = _both(display, events.evaluation, on_record)
            on_generation = _both(display, events.generation, on_generation)
        feed = GenerationFeed("trial", on_generation, map(TrialPaths, _trials(paths)))
        for note in request.notes(brackets):
            log.info("%s", note)

        def draw(status: dict[str, Any]) -> None:
            display.attempt(lambda: display.update(record(MasterStatus, status)))

        def start_workers(master: Master) -> None:
            status = master.status()
            draw(status)
            if here and status["finished"] < status["planned"]:
                pool.start()

        def show(status: dict[str, Any]) -> None:
            pool.replace_dead()
            draw(status)
            for running in status["running"]:
                feed.tell(running["trial"], paths.trial(running["config_id"]))

        def take(job: Job) -> None:
            pool.note_result()
            ended = record_of(job)
            display.attempt(lambda: display.evaluation_finished(ended))
            feed.tell(ended.trial, paths.trial(job.id))
            if on_record is not None:
                on_record(ended)

        try:
            run_locked_master(
                paths,
                brackets,
                request.generator(),
                MasterSettings(
                    host=request.host,
                    max_parallel=options.n_workers if here else None,
                    max_failures=options.max_failures,
                    status_seconds=0.5 if here else 2.0,
                    keep_workers_on=(Terminated,) if request.in_slurm else (),
                ),
                on_result=take,
                on_status=show,
                on_start=start_workers,
                how_it_died=pool.how_it_died,
            )
        finally:  # the last frame is true, however it ended
            display.attempt(lambda: _show_last(display, paths))


def _both(
    display: RunDisplay,
    shows: Callable[[Any], object],
    told: Callable[[Any], object] | None,
) -> Callable[[Any], None]:
    """Tell what only shows something, whose errors end no run, and then the caller."""

    def tell(what: Any) -> None:
        display.attempt(functools.partial(shows, what))
        if told is not None:
            told(what)

    return tell


def _show_last(display: RunDisplay, paths: RunPaths) -> None:
    last = read_record(paths.status, MasterStatus)
    if last is not None:
        display.update(last)


def solved_score(request: RunRequest) -> float | None:
    """The score that solves the task, where all configurations have such scores."""
    fitness = {request.settings.base.get("nes.fitness", "return")}
    if "nes.fitness" in request.configspace or fitness != {"return"}:
        return None
    return get_task(request.settings.task).solved_return


def _trials(paths: RunPaths) -> list[Path]:
    return list(paths.trials.glob("*"))


def record_of(job: Job) -> EvaluationRecord:
    """The record that the worker sent, or what is known where it sent none."""
    known = {f.name for f in fields(EvaluationRecord)}
    values = {k: v for k, v in job.info.items() if k in known}
    defaults = {
        "trial": trial_name(job.id),
        "bracket": job.id[0],
        "rung": 0,
        "reason": "",
        "wall_seconds": job.timestamps["finished"] - job.timestamps["started"],
    }
    fixed = {
        "budget": job.budget,
        "loss": job.loss,
        "status": Status(job.info["status"]),
    }
    return EvaluationRecord(**{**defaults, **values, **fixed})


def refuse_only_failures(paths: RunPaths) -> None:
    """Raise `FailedRunError` where evaluations ended and none of them well."""
    records = [evaluation.record for evaluation in read_evaluations(paths)]
    if records and all(record.status is not Status.FINISHED for record in records):
        raise FailedRunError(
            f"none of the {len(records)} evaluations has finished; the last one: "
            f"{records[-1].reason}; mend it and start over with --overwrite"
        )


def confirmed(request: RunRequest) -> list[dict[str, Any]]:
    """The best trials on fresh seeds, until as many are left as `--confirm` asks for.

    Agents that were trained on SEs are trained on the task.
    """
    threads = request.threads * request.options.n_workers
    with InnerLoop(request.settings.engine, threads) as inner_loop:
        objective = Objective.of(request.settings)
        if on_task := OBJECTIVES[objective.kind].on_ses:
            objective = replace(objective, kind="agent")
        n, run = request.confirm, request.paths
        best = best_trials(run, candidates(n, ON_TASK if on_task else HALVING))
        return confirm(best, n, objective, run, inner_loop, on_task)


@contextlib.contextmanager
def _locked(paths: RunPaths) -> Iterator[None]:
    """Hold the run's lock; a folder that cannot be made is the user's to mend."""
    try:
        lock = RunLock(paths.lock)
        lock.__enter__()
    except OSError as error:
        raise unwritable(
            paths.root, error, "choose another folder with --run"
        ) from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
