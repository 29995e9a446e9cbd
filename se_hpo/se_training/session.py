"""One attempt at a set: open its folder, train what is missing, watch it."""

from __future__ import annotations

import time

from se_hpo.checkpoint import load_se
from se_hpo.damaged import set_aside
from se_hpo.errors import UserError
from se_hpo.se_outcome import SEOutcome, read_outcome
from se_hpo.se_training.console import SetDisplay
from se_hpo.se_training.folder import open_set
from se_hpo.se_training.request import Request
from se_hpo.se_training.watch import SetWatch
from se_hpo.se_training.workers import SEWorkers

POLL_SECONDS = 0.2


def train_set(
    request: Request, n_parallel: int, threads: int, quiet: bool
) -> dict[int, str]:
    """Train the SEs of the shard that are not finished.

    Args:
        request: the set, and which part of it.
        n_parallel: SEs side by side.
        threads: threads for each.
        quiet: only warnings.

    Returns:
        The SEs of the shard that are still not finished, and why.

    Raises:
        UserError: the folder cannot be used.
    """
    paths, settings = request.paths, request.settings
    open_set(paths, settings, request.n_envs, request.origin)
    title = f"{settings.setting}, {settings.config.task}"
    with SetDisplay(title, str(paths.root), quiet=quiet) as display:
        todo = [index for index in request.indices if finished(request, index) is None]
        with SEWorkers(paths, todo, n_parallel, threads) as workers:
            _watch(request, workers, display)
    held = [index for index in workers.held if finished(request, index) is None]
    return {**workers.lost, **dict.fromkeys(held, "another process is at it")}


def finished(request: Request, index: int) -> SEOutcome | None:
    """The outcome of an SE that needs no training.

    A damaged or foreign outcome or checkpoint is named, set aside and made again. An SE
    that failed is tried again, and one that may have more generations goes on.
    """
    paths, settings = request.paths, request.settings
    try:
        outcome = read_outcome(paths, index)
        if outcome and outcome.seed != settings.se_seed(index):
            raise ValueError("it is of another set")
    except ValueError as error:
        path = paths.outcome(index)
        set_aside(f"{path}: {error}", "made again", path)
        return None
    if outcome is None or outcome.failed or settings.goes_on(outcome):
        return None
    checkpoint = paths.checkpoint(index)
    try:
        load_se(checkpoint, settings.config.task)
    except UserError as error:
        if checkpoint.exists():
            set_aside(str(error), "made again", checkpoint)
        return None
    return outcome


def _watch(request: Request, workers: SEWorkers, display: SetDisplay) -> None:
    watch = SetWatch(request.paths, request.settings, request.indices, workers)
    while workers.busy:
        for index in workers.step():
            outcome = read_outcome(request.paths, index)
            if outcome is not None:
                seconds = watch.ended(outcome)
                display.update(watch.progress())
                display.finished(outcome, seconds)
        watch.tell_damage()
        display.update(watch.progress())
        if workers.busy:
            time.sleep(POLL_SECONDS)
