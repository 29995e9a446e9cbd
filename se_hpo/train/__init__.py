"""Training sets of SEs: what is asked for, one process per SE, what is shown meanwhile.

`python -m se_hpo.train` is the command, `se_hpo.train.run` the same from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from se_hpo.results.generation_feed import OnGeneration
    from se_hpo.results.se_outcome import SEOutcome
    from se_hpo.results.se_sets import TrainedSet


def run(
    *,
    progress: bool = True,
    callback: Callable[[SEOutcome], object] | None = None,
    on_generation: OnGeneration | None = None,
    **flags: Any,
) -> TrainedSet:
    """Train a set of SEs; the call again trains what is not finished.

    Args:
        progress: show a live display on a terminal and in a notebook; elsewhere nothing
            is shown, and log records go where your program sends them.
        callback: told of each SE that is finished, when it is on disk. What it raises
            ends the training, which may be continued.
        on_generation: told of each generation of each SE, as a row of
            `TrainedSet.generations()` without its times: a dict. What it raises,
            likewise.
        flags: those of the command by the names in `options.TrainOptions`:
            `config="cartpole", num_envs=4, set={"nes.step_size": 0.5}`; `from_run` is
            its `--from`.

    Raises:
        UserError: flags that make no set, or a folder that cannot be used.
        OSError: a full disk or a lost share; the call again goes on.
    """
    # Imported here, so that only who calls it waits.
    from se_hpo.machine.provenance import called_from_python
    from se_hpo.results.se_sets import TrainedSet
    from se_hpo.terminal.flags import only_for_terminals
    from se_hpo.terminal.from_python import options_of, shown
    from se_hpo.train.options import TrainOptions
    from se_hpo.train.request import resolve_request
    from se_hpo.train.set_run import train_set

    options = options_of(TrainOptions, flags)
    only_for_terminals(options, "train", "plan", "list_configs", "describe")
    request = resolve_request(options)
    with called_from_python("se_hpo.train.run", options):
        missing = train_set(
            request,
            on_outcome=callback,
            on_generation=on_generation,
            **shown(progress and not options.quiet),
        )
    return TrainedSet(request.paths.root, missing)
