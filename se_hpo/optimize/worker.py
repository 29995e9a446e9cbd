"""`python -m se_hpo.worker --run DIR`: evaluate trials of a run until it ends.

The run's master may be on another machine; both see the same run folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.machine.addresses import in_slurm_job, published_host
from se_hpo.machine.processes import available_cores, die_with_parent
from se_hpo.machine.slurm_queue import MasterJob
from se_hpo.optimize.nes_worker import NESWorker
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.on_ses import kept
from se_hpo.results.run_settings import Settings, read_run, settings_from_dict
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.json_records import RecordError
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.cli import log_to_stderr, run_command
from se_hpo.terminal.help_texts import internal
from se_hpo.training.inner_loop import InnerLoop


@dataclass(frozen=True)
class WorkerOptions:
    """Evaluate trials of a run that a master started, here or on another machine."""

    run: Path
    """The run's folder, shared with the master."""
    threads: int = 0
    """Threads; 0 takes all cores this process may use."""
    host: str | None = None
    """Address to listen on. Default: the interface towards the master; in a SLURM job,
    the node's own name."""
    nic: str | None = None
    """Network interface to listen on, instead of --host: `ib0`."""
    timeout: float = 120.0
    """Seconds to wait for a master before giving up."""
    wait: bool = False
    """The run may not have begun yet: wait for that too."""
    master_job: str | None = internal(None)
    """Name of the master's SLURM job: no use in waiting once there is no such job."""
    parent: int = internal(0)
    """End when this process, which started the worker, is gone (0: nobody)."""
    quiet: bool = False
    """Log warnings only."""


def main(options: WorkerOptions) -> int:
    """Work until the master ends the run."""
    if options.parent:
        die_with_parent(options.parent)
    log_to_stderr(logging.WARNING if options.quiet else logging.INFO)
    run = RunPaths(options.run)
    over = MasterJob(options.master_job).is_over if options.master_job else _never
    if options.wait:
        _wait_for_run(run, options.timeout, over)
    settings = _settings(run)
    ses = kept(run, settings.on)
    threads = options.threads or available_cores()
    with InnerLoop(settings.engine, threads) as inner_loop:
        worker = NESWorker(
            Objective.of(settings, ses),
            run,
            inner_loop,
            host=_host(options),
            master_timeout=options.timeout,
            master_over=over,
        )
        worker.run()
    return 0


def _settings(run: RunPaths) -> Settings:
    """What the run tunes, as its master has written it."""
    data = read_run(run)
    prepare(data, run.run, trusted=True)
    try:
        return settings_from_dict(data["settings"])
    except RecordError as error:
        raise UserError(
            f"{run.run} does not say what is tuned ({error}): start the worker with "
            "the version of se_hpo that its master has, or restore the file"
        ) from error


def _host(options: WorkerOptions) -> str | None:
    """Where to listen; None: on the interface towards the master."""
    if options.host is None and options.nic is None and not in_slurm_job():
        return None
    return published_host(options.host, options.nic, distributed=True)


def _never() -> bool:
    return False


def _wait_for_run(run: RunPaths, seconds: float, over: Callable[[], bool]) -> None:
    """Wait for the master to begin the run; if it does not, `read_run` says so."""
    deadline = time.monotonic() + seconds
    while not run.run.exists() and time.monotonic() < deadline and not over():
        time.sleep(0.5)


if __name__ == "__main__":
    run_command(WorkerOptions, main)
