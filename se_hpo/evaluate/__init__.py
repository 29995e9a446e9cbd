"""Phase 2: agents with random hyperparameters on SEs and on the task, in pairs.

`python -m se_hpo.evaluate` is the command, `se_hpo.evaluate.run` the same from Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from se_hpo.evaluate.evaluation import Evaluation


def run(
    *,
    progress: bool = True,
    callback: Callable[[dict[str, Any]], object] | None = None,
    **flags: Any,
) -> Evaluation:
    """Train agents on SEs and on the task, and test them; what is recorded stays.

    The call again does what is missing. With `plan=True` nothing is trained.

    Args:
        progress: show a live table on a terminal and in a notebook.
        callback: told of each agent that was trained, as a record of `frame()`, when it
            is on disk. What it raises ends the evaluation, which may be continued.
        flags: those of the command by the names in `options.EvaluateOptions`:
            `envs=["results/x"], agents=["ddqn"], num_agents=10`.

    Raises:
        UserError: flags that make no evaluation.
        DiedProcessError: a process that trained died; the call again goes on.
    """
    # Imported here, so that only who calls it waits.
    from se_hpo.evaluate.evaluation import resolve
    from se_hpo.evaluate.evaluation_run import run_evaluation
    from se_hpo.evaluate.options import EvaluateOptions
    from se_hpo.machine.provenance import called_from_python
    from se_hpo.terminal.from_python import options_of, shown

    options = options_of(EvaluateOptions, flags)
    evaluation = resolve(options)
    if options.plan:
        evaluation.files.check(evaluation.settings())
    else:
        how = shown(progress and not options.quiet)
        with called_from_python("se_hpo.evaluate.run", options):
            run_evaluation(evaluation, on_record=callback, **how)
    return evaluation
