"""One attempt at a run: open its folder, start master and local workers, show it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from se_hpo.addresses import in_slurm_job, published_host
from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.generator import BOHBGenerator, RandomGenerator
from se_hpo.bohb.lock import RunLock
from se_hpo.bohb.master import Master
from se_hpo.bohb.service import run_locked_master
from se_hpo.bohb.settings import Evaluation, MasterSettings
from se_hpo.console import ProgressDisplay
from se_hpo.errors import UserError, unwritable
from se_hpo.inner_loop import InnerLoop
from se_hpo.local_workers import LocalWorkers
from se_hpo.monitor import Monitor
from se_hpo.options import Options
from se_hpo.paths import RunPaths, trial_name, write_json
from se_hpo.processes import Terminated, available_cores
from se_hpo.progress import Plan
from se_hpo.reading import read_evaluations
from se_hpo.records import EvaluationRecord, Status
from se_hpo.run_folder import open_run
from se_hpo.search_space import Space
from se_hpo.settings import Settings, resolve_settings

DEFAULT_CYCLES = 2  # enough for BOHB's model to have a say


class Session:
    """A run as the command line asks for it.

    Raises:
        UserError: flags that make no run.
    """

    def __init__(self, options: Options, space: Space) -> None:
        self.options, self.space = options, space
        if options.n_workers < 1:
            raise UserError(f"--n-workers {options.n_workers}: must be 1 or more")
        if options.threads < 0:
            raise UserError(f"--threads {options.threads}: must be 0 or more")
        if not 0 <= options.seed < 2**32:
            raise UserError(f"--seed {options.seed}: must be in [0, 2**32)")
        if options.confirm < 0:
            raise UserError(f"--confirm {options.confirm}: must be 0 or more")
        if options.max_failures is not None and options.max_failures < 0:
            raise UserError(f"--max-failures {options.max_failures}: must be 0 or more")
        if not 0 <= options.random_fraction <= 1:
            value = options.random_fraction
            raise UserError(f"--random-fraction {value:g}: must be in [0, 1]")
        distributed = options.role == "master"
        self.host = published_host(options.host, options.nic, distributed)
        _check_host(self.host)
        self.threads = options.threads or max(1, available_cores() // options.n_workers)
        engine = InnerLoop(options.engine).engine_name
        self.settings = resolve_settings(options, space, engine)
        self.paths = RunPaths(options.run or _default_folder(self.settings))
        self.in_slurm = distributed and in_slurm_job()
        self.configspace = space.configuration_space(self.settings.seed)
        n = options.n_brackets
        self.brackets: tuple[Bracket, ...] = self.settings.bracket_list(
            DEFAULT_CYCLES * len(self.settings.ladder) if n is None else n
        )
        """What the flags ask for; by default two Hyperband cycles."""

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
            )
            # More brackets may be asked for later; fewer never undo what was started.
            n = max(len(self.brackets), data.get("n_brackets", 0))
            write_json(self.paths.run, {**data, "n_brackets": n})
            self._run_brackets(self.settings.bracket_list(n))
            afterwards()

    def _run_brackets(self, brackets: tuple[Bracket, ...]) -> None:
        options, settings = self.options, self.settings
        earlier = (e.record for e in read_evaluations(self.paths))
        monitor = Monitor(self.paths, earlier)
        unit = "generations" if settings.objective == "nes" else "seeds"
        title = f"{settings.space}, {settings.optimizer}"
        plan = Plan(title, str(self.paths.root), unit)
        with contextlib.ExitStack() as stack:
            display = stack.enter_context(
                ProgressDisplay(plan, quiet=options.quiet, verbose=options.verbose)
            )
            workers: list[LocalWorkers] = []

            def start_workers(master: Master) -> None:
                status = master.status()
                display.update(monitor.snapshot(status))
                if options.role == "all" and status["finished"] < status["planned"]:
                    pool = LocalWorkers(self.paths, options.n_workers, self.threads)
                    workers.append(stack.enter_context(pool))

            def show(status: dict[str, Any]) -> None:
                for pool in workers:
                    pool.replace_dead()
                display.update(monitor.snapshot(status))

            def take(evaluation: Evaluation) -> None:
                for pool in workers:
                    pool.note_result()
                record = record_of(evaluation)
                monitor.add(record)
                monitor.tell_damage(record.trial)
                display.evaluation_finished(record)

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
        first = not settings.random_start
        if settings.optimizer == "bohb":
            return BOHBGenerator(
                self.configspace,
                seed=settings.seed,
                random_fraction=settings.random_fraction,
                start_from_default=first,
            )
        return RandomGenerator(
            self.configspace, seed=settings.seed, start_from_default=first
        )

    def random_configurations(self, n: int) -> list[dict[str, Any]]:
        """Configurations from the prior, for a look at what they cost."""
        generator = RandomGenerator(self.configspace, seed=self.settings.seed)
        return [generator.get_config(0.0)[0] for _ in range(n)]


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
