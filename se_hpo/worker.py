"""`python -m se_hpo.worker --run DIR`: evaluate trials of a run until it ends.

The run's master may be on another machine; both see the same run folder.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from se_hpo.bohb.nes_worker import NESWorker
from se_hpo.cli import log_to_stderr, run_command
from se_hpo.inner_loop import InnerLoop
from se_hpo.paths import RunPaths
from se_hpo.processes import available_cores, die_with_parent
from se_hpo.run_folder import read_run
from se_hpo.settings import settings_from_dict


@dataclass(frozen=True)
class WorkerOptions:
    """Evaluate trials of a run that a master started, here or on another machine."""

    run: Path
    """The run's folder, shared with the master."""
    threads: int = 0
    """Threads; 0 takes all cores this process may use."""
    host: str | None = None
    """Address to listen on. Default: the interface towards the master."""
    timeout: float = 120.0
    """Seconds to wait for a master before giving up."""
    parent: int = 0
    """End when this process, which started the worker, is gone (0: nobody)."""
    quiet: bool = False
    """Log warnings only."""


def main(options: WorkerOptions) -> int:
    """Work until the master ends the run."""
    if options.parent:
        die_with_parent(options.parent)
    log_to_stderr(logging.WARNING if options.quiet else logging.INFO)
    run = RunPaths(options.run)
    settings = settings_from_dict(read_run(run)["settings"])
    threads = options.threads or available_cores()
    with InnerLoop(settings.engine, threads) as inner_loop:
        worker = NESWorker(
            settings.objective_function(),
            run,
            inner_loop,
            host=options.host,
            master_timeout=options.timeout,
        )
        worker.run()
    return 0


if __name__ == "__main__":
    run_command(WorkerOptions, main)
