"""`python -m se_hpo.worker --run DIR`: evaluate trials of a run until it ends.

The run's master may be on another machine; both see the same run folder.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.bohb.worker import TrialWorker
from se_hpo.cli import log_to_stderr, run_command
from se_hpo.inner_loop import InnerLoop
from se_hpo.objective import Objective
from se_hpo.paths import ConfigId, RunPaths
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


class NESWorker(TrialWorker):
    """hpbandster's worker around complete NES runs (or whatever the objective is)."""

    # A full disk or a lost share says nothing about the configuration.
    fatal_errors = (OSError,)

    def __init__(
        self,
        run: RunPaths,
        objective: Objective,
        inner_loop: InnerLoop,
        host: str | None = None,
        master_timeout: float = 120.0,
    ) -> None:
        super().__init__(run.credentials, host=host, master_timeout=master_timeout)
        self.run_folder = run
        self.objective = objective
        self.inner_loop = inner_loop

    def compute(
        self,
        config_id: ConfigId,
        config: dict[str, Any],
        budget: float,
        working_directory: str,
    ) -> Mapping[str, Any]:
        """Run or continue the trial up to its budget."""
        record = self.objective.evaluate(
            config_id, config, budget, self.run_folder, self.inner_loop, self.checkpoint
        )
        return {"loss": record.loss, "info": record.to_dict()}


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
            run,
            settings.objective_function(),
            inner_loop,
            options.host,
            options.timeout,
        )
        worker.run()
    return 0


if __name__ == "__main__":
    run_command(WorkerOptions, main)
