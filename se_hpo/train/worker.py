"""`python -m se_hpo.train.worker`: train one SE of a set, then end.

`python -m se_hpo.train` starts these, one per SE.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from se_hpo.machine.processes import die_with_parent
from se_hpo.results.se_set_settings import read_settings
from se_hpo.storage.agent_progress import AgentProgress
from se_hpo.storage.lock import InUseError, RunLock
from se_hpo.storage.paths import SESetPaths
from se_hpo.terminal.cli import log_to_stderr, run_command
from se_hpo.terminal.help_texts import internal
from se_hpo.train.one_se import train_se
from se_hpo.train.supervisor import HELD
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SEWorkerOptions:
    """Train one SE of a set that `python -m se_hpo.train` opened."""

    se_set: Path
    """The set's folder."""
    index: int
    """Which SE, from 0."""
    threads: int = 1
    """Threads, or processes of the torch engine."""
    parent: int = internal(0)
    """End when this process, which started the worker, is gone (0: nobody)."""


def main(options: SEWorkerOptions) -> int:
    """Train it, unless another process does."""
    if options.parent:
        die_with_parent(options.parent)
    log_to_stderr(logging.INFO)
    paths = SESetPaths(options.se_set)
    settings = read_settings(paths)
    lock = RunLock(paths.lock(options.index))
    try:
        lock.__enter__()
    except InUseError as error:
        log.info("left to another process: %s", error)
        return HELD
    try:
        with InnerLoop(settings.engine, options.threads) as inner_loop:
            inner_loop.watch = AgentProgress(paths.run(options.index))
            train_se(settings, paths, options.index, inner_loop)
    finally:
        lock.__exit__(None, None, None)
    return 0


if __name__ == "__main__":
    run_command(SEWorkerOptions, main)
