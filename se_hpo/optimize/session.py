"""One attempt at a run: open its folder, start master and local workers, show it."""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from se_hpo.bohb.brackets import Bracket, most_at_one_budget, plan
from se_hpo.bohb.master import Master
from se_hpo.bohb.master_settings import Evaluation, MasterSettings
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from se_hpo.bohb.run import run_locked_master
from se_hpo.errors import UserError, unwritable
from se_hpo.machine.addresses import in_slurm_job, published_host
from se_hpo.machine.processes import Terminated, available_cores
from se_hpo.optimize.display import RunDisplay
from se_hpo.optimize.local_workers import LocalWorkers
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_folder import open_run
from se_hpo.optimize.settings import Settings, resolve_settings
from se_hpo.optimize.start_from import resolve_start
from se_hpo.registries import OBJECTIVES
from se_hpo.results.lines import read_evaluations
from se_hpo.results.master_status import MasterStatus
from se_hpo.search_spaces.loading import Space
from se_hpo.search_spaces.user_code import code_of
from se_hpo.storage.files import write_json
from se_hpo.storage.json_records import record
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import RunPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.terminal.flags import at_least, check_seed
from se_hpo.training.inner_loop import InnerLoop

DEFAULT_CYCLES = 2  # enough for BOHB's model to have a say
DEFAULT_TRIALS = 30  # likewise, where a bracket is a single trial

log = logging.getLogger(__name__)


class Session:
    """A run as the command line asks for it.

    Raises:
        UserError: flags that make no run.
    """

    def __init__(self, options: Options, space: Space) -> None:
        self.options, self.space = options, space
        at_least(1, n_workers=options.n_workers)
        for name in ("threads", "confirm", "max_failures"):
            at_least(0, **{name: getattr(options, name)})
        check_seed(options.seed)
        if not 0 <= options.random_fraction <= 1:
            value = options.random_fraction
            raise UserError(f"--random-fraction {value:g}: must be in [0, 1]")
        distributed = options.role == "master"
        self.host = published_host(options.host, options.nic, distributed)
        _check_host(self.host)
        self.threads = options.threads or max(1, available_cores() // options.n_workers)
        job, _, _ = OBJECTIVES[space.objective].cost(space.resolve({}), 0)
        engine = InnerLoop(options.engine).engine_for(job)
        self.settings = resolve_settings(options, space, engine)
        self.paths = RunPaths(options.run or _default_folder(self.settings))
        self.in_slurm = distributed and in_slurm_job()
        self.configspace = space.configuration_space(self.settings.seed)
        n, rungs = options.n_brackets, len(self.settings.ladder)
        default = DEFAULT_CYCLES * rungs if rungs > 1 else DEFAULT_TRIALS
        self.brackets: tuple[Bracket, ...] = self.settings.bracket_list(
            default if n is None else n
        )
        """What the flags ask for; by default two Hyperband cycles."""
        self.start_from = resolve_start(
            options.start_from, options.start_best, space, self.paths, options.overwrite
        )

    def run(self, afterwards: Callable[[], None]) -> None:
        """Run or continue all brackets, then call `afterwards` under the same lock.

        Raises:
            UserError: the folder belongs to another run or master, or is not writable.
        """
        with _locked(self.paths):
            data = open_run(
                self.paths,
                self.settings.to_dict(),
                self.configspace,
                self.options.overwrite,
                functools.partial(code_of, self.settings.task, self.space.own_file),
            )
            # More brackets may be asked for later; fewer never undo what was started.
            n = max(len(self.brackets), data.get("n_brackets", 0))
            if self.start_from:
                data["start_from"] = self.start_from
            write_json(self.paths.run, {**data, "n_brackets": n})
            brackets = self.settings.bracket_list(n)
            for note in self.notes(brackets):
                log.info("%s", note)
            self._run_brackets(brackets)
            afterwards()

    def notes(self, brackets: Sequence[Bracket]) -> Iterator[str]:
        """What a user may not expect of these brackets."""
        generator, settings = self._generator(), self.settings
        trials, first = plan(brackets).trials, len(generator.first)
        if first > trials:
            yield (
                f"only {trials} of the {first} configurations to start from are "
                "evaluated: raise --n-brackets"
            )
        if not isinstance(generator, BOHBGenerator) or settings.random_fraction == 1:
            return
        needed = 2 * generator.min_points
        if (most := most_at_one_budget(brackets)) <= needed:
            n = len(brackets)
            while most_at_one_budget(settings.bracket_list(n)) <= needed:
                n += 1
            yield (
                f"BOHB's model proposes nothing here: it needs {needed} evaluations at "
                f"one budget, and there are {most}; from --n-brackets {n} on it does"
            )

    def _run_brackets(self, brackets: tuple[Bracket, ...]) -> None:
        options, settings = self.options, self.settings
        earlier = (e.record for e in read_evaluations(self.paths))
        title = f"{settings.space}, {settings.optimizer}"
        shown = {"quiet": options.quiet, "verbose": options.verbose}
        display = RunDisplay(self.paths, title, settings.unit, earlier, **shown)
        with contextlib.ExitStack() as stack:
            stack.enter_context(display)
            workers: list[LocalWorkers] = []

            def draw(status: dict[str, Any]) -> None:
                display.attempt(lambda: display.update(record(MasterStatus, status)))

            def start_workers(master: Master) -> None:
                status = master.status()
                draw(status)
                if options.role == "all" and status["finished"] < status["planned"]:
                    pool = LocalWorkers(self.paths, options.n_workers, self.threads)
                    workers.append(stack.enter_context(pool))

            def show(status: dict[str, Any]) -> None:
                for pool in workers:
                    pool.replace_dead()
                draw(status)

            def take(evaluation: Evaluation) -> None:
                for pool in workers:
                    pool.note_result()
                ended = record_of(evaluation)
                display.attempt(lambda: display.evaluation_finished(ended))

            def how_it_died(host: str, pid: int) -> str | None:
                told = (pool.how_it_died(host, pid) for pool in workers)
                return next(filter(None, told), None)

            run_locked_master(
                self.paths,
                brackets,
                self._generator(),
                MasterSettings(
                    host=self.host,
                    max_parallel=options.n_workers if options.role == "all" else None,
                    max_failures=options.max_failures,
                    status_seconds=0.5 if options.role == "all" else 2.0,
                    keep_workers_on=(Terminated,) if self.in_slurm else (),
                ),
                on_result=take,
                on_status=show,
                on_start=start_workers,
                how_it_died=how_it_died,
            )

    def _generator(self) -> RandomGenerator:
        settings = self.settings
        first: dict[str, Any] = {
            "start_from_default": not settings.random_start,
            "start_from": self.start_from.get("configurations", ()),
        }
        if settings.optimizer == "bohb":
            return BOHBGenerator(
                self.configspace,
                seed=settings.seed,
                random_fraction=settings.random_fraction,
                **first,
            )
        return RandomGenerator(self.configspace, seed=settings.seed, **first)

    def random_configurations(self, n: int) -> list[dict[str, Any]]:
        """Configurations from the prior, for a look at what they cost."""
        generator = RandomGenerator(self.configspace, seed=self.settings.seed)
        return [generator.get_config(float(i))[0] for i in range(n)]


def record_of(evaluation: Evaluation) -> EvaluationRecord:
    """The record that the worker sent, or what is known where it sent none."""
    known = {f.name for f in fields(EvaluationRecord)}
    values = {k: v for k, v in evaluation.info.items() if k in known}
    defaults = {
        "trial": trial_name(evaluation.config_id),
        "bracket": evaluation.config_id[0],
        "rung": 0,
        "reason": "",
        "wall_seconds": evaluation.finished - evaluation.started,
    }
    fixed = {
        "budget": evaluation.budget,
        "loss": evaluation.loss,
        "status": Status(evaluation.info["status"]),
    }
    return EvaluationRecord(**{**defaults, **values, **fixed})


def _check_host(host: str) -> None:
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except OSError as error:
        raise UserError(
            f"cannot listen on --host {host} ({error}): give an address or name of "
            "this machine"
        ) from error


def _default_folder(settings: Settings) -> Path:
    """The same command finds the same run."""
    optimizer = "" if settings.optimizer == "bohb" else f"-{settings.optimizer}"
    return Path("results") / f"{settings.space}{optimizer}-{settings.seed}"


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
