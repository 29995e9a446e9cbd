"""One attempt at a set: open its folder, train what is missing, watch it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from se_hpo.envs.checkpoint import load_se
from se_hpo.errors import UserError
from se_hpo.machine.processes import available_cores
from se_hpo.names import noun_of
from se_hpo.results.generation_feed import GenerationFeed, OnGeneration
from se_hpo.results.se_outcome import SEOutcome, read_outcome
from se_hpo.results.se_set_settings import read_set_json
from se_hpo.search_spaces.user_code import code_of
from se_hpo.storage.damaged import set_aside
from se_hpo.train.display import SetDisplay
from se_hpo.train.request import Request
from se_hpo.train.set_folder import open_set
from se_hpo.train.supervisor import SEWorkers

POLL_SECONDS = 0.2

OnOutcome = Callable[[SEOutcome], object]


def train_set(
    request: Request,
    *,
    on_outcome: OnOutcome | None = None,
    on_generation: OnGeneration | None = None,
    **shown: Any,
) -> dict[int, str]:
    """Train the SEs of the shard that are not finished.

    Args:
        request: the set, and which part of it.
        on_outcome: told of each SE that is finished; what it raises ends the attempt.
        on_generation: told of each new generation, with its SE; likewise.
        **shown: `quiet`, `only_live`, `console` of `LiveLog`.

    Returns:
        The SEs of the shard that are still not finished, and why.

    Raises:
        UserError: the folder cannot be used.
        OSError: as `SEWorkers.step`.
    """
    if not request.indices:
        return {}
    paths, settings, n_parallel = request.paths, request.settings, request.n_parallel
    threads = max(1, available_cores() // n_parallel)
    open_set(paths, settings, request.n_envs, request.origin, _code(request))
    feed = GenerationFeed("se", on_generation, map(paths.run, request.indices))
    with SetDisplay(paths, settings, len(request.indices), **shown) as display:
        before = {index: finished(request, index) for index in request.indices}
        todo = [index for index, outcome in before.items() if outcome is None]
        display.solved = sum(o.solved for o in before.values() if o)
        noun = noun_of(settings.train_env)
        with SEWorkers(paths, todo, n_parallel, threads, noun) as workers:
            _watch(workers, display, feed, on_outcome)
    held = [index for index in workers.held if finished(request, index) is None]
    return {**workers.lost, **dict.fromkeys(held, "another process is at it")}


def _code(request: Request) -> dict[str, Any]:
    """What `set.json` is to say of the user's code; measures the task if need be."""
    paths = request.paths
    stored = read_set_json(paths) if paths.set.exists() else {}
    known = {"random_returns": request.code.get("random_returns"), **stored}
    file = request.code.get("space_file") or stored.get("space_file")
    return code_of(request.settings.config.task, file, known)


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
    if outcome is None or outcome.failed or settings.may_continue(outcome):
        return None
    checkpoint = paths.checkpoint(index)
    try:
        load_se(checkpoint, settings.config.task)
    except UserError as error:
        if checkpoint.exists():
            set_aside(str(error), "made again", checkpoint)
        return None
    return outcome


def _watch(
    workers: SEWorkers,
    display: SetDisplay,
    feed: GenerationFeed,
    on_outcome: OnOutcome | None,
) -> None:
    """Train the SEs, and show and tell how it goes."""
    while workers.busy:
        ended = workers.step()
        for index in (*ended, *workers.running):
            feed.tell(index, workers.paths.run(index))
        for index in ended:
            display.attempt(partial(_show_finished, index, workers, display))
            if on_outcome and (outcome := read_outcome(workers.paths, index)):
                on_outcome(outcome)
        display.attempt(partial(display.update, workers))
        if workers.busy:
            time.sleep(POLL_SECONDS)


def _show_finished(index: int, workers: SEWorkers, display: SetDisplay) -> None:
    outcome = read_outcome(workers.paths, index)
    if outcome is not None:
        display.ended(outcome, workers)
