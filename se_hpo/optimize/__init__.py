"""Tune NES, SE and agent with BOHB.

`python -m se_hpo.optimize` is the command, `se_hpo.optimize.run` the same from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from se_hpo.results.generation_feed import OnGeneration
    from se_hpo.results.trials import Run
    from se_hpo.search_spaces.loading import Space
    from se_hpo.storage.records import EvaluationRecord


def run(
    space: str | Path | Space,
    *,
    progress: bool = True,
    callback: Callable[[EvaluationRecord], object] | None = None,
    on_generation: OnGeneration | None = None,
    **flags: Any,
) -> Run:
    """Run BOHB, or continue it where the call, or the command, was interrupted.

    Args:
        space: a shipped one by name, your own file by path, or a loaded one.
        progress: show a live display on a terminal and in a notebook; elsewhere nothing
            is shown, and log records go where your program sends them.
        callback: told of each evaluation that ended, when it is on disk. What it raises
            ends the run, which may be continued.
        on_generation: told of each generation of each trial, as a row of
            `Run.generations()` without its times: a dict. What it raises, likewise.
        flags: those of the command by the names in `options.Options`:
            `run="results/x", seed=1, n_workers=2, n_brackets=8`.

    Raises:
        UserError: flags that make no run, a folder that belongs to another run or
            master, or too many failures.
        FailedRunError: nothing but failures.
        OSError: a full disk or a lost share; the call again goes on.
    """
    # Imported here, so that only who calls it waits.
    from se_hpo.errors import UserError
    from se_hpo.machine.provenance import called_from_python
    from se_hpo.optimize.options import Options
    from se_hpo.optimize.run_request import resolve_run
    from se_hpo.optimize.session import (
        confirmed,
        opened,
        refuse_only_failures,
        run_brackets,
    )
    from se_hpo.results.trials import Run
    from se_hpo.search_spaces.loading import Space, load_space
    from se_hpo.terminal.flags import only_for_terminals
    from se_hpo.terminal.from_python import options_of, shown

    loaded = space if isinstance(space, Space) else load_space(str(space))
    options = options_of(Options, {"space": loaded.own_file or loaded.name, **flags})
    only_for_terminals(options, "optimize", "plan", "list_spaces", "describe")
    if options.role == "worker":
        raise UserError(
            "role='worker': a worker is a process of its own, python -m se_hpo.worker"
        )
    request = resolve_run(options, loaded)
    with (
        called_from_python("se_hpo.optimize.run", options),
        opened(request) as brackets,
    ):
        run_brackets(
            request,
            brackets,
            on_record=callback,
            on_generation=on_generation,
            **shown(progress and not options.quiet),
        )
        refuse_only_failures(request.paths)
        if request.confirm:
            confirmed(request)
    return Run(request.paths.root)
