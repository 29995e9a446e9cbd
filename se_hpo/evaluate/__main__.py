"""`python -m se_hpo.evaluate --envs results/RUN`: agents on SEs and on the task.

See docs/evaluate.md for what is compared with what.
"""

from __future__ import annotations

from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.terminal.cli import exit_with, log_to_stderr, parsed

if __name__ == "__main__":  # the rest takes a second, which flags need not wait for
    OPTIONS = parsed(EvaluateOptions)

import logging
from collections.abc import Iterator

from rich.console import Console

from se_hpo.envs.tasks import get_task
from se_hpo.evaluate.display import (
    cost_lines,
    curve_outcome_table,
    outcome_table,
    work_table,
)
from se_hpo.evaluate.evaluation import Evaluation, resolve
from se_hpo.evaluate.evaluation_run import run_evaluation
from se_hpo.results.evaluations import record_key
from se_hpo.terminal.next_steps import (
    from_here,
    module_command,
    python_command,
    show_next,
)


def main(options: EvaluateOptions) -> int:
    """Do what the flags ask for."""
    log_to_stderr(logging.WARNING if options.quiet else logging.INFO)
    console = Console(highlight=False)
    evaluation = resolve(options)
    if not options.quiet:
        for used in evaluation.plan.sets:
            console.print(used.summary, soft_wrap=True, markup=False)
    if options.plan:
        _show_plan(evaluation, console)
        return 0
    progress = run_evaluation(evaluation, quiet=options.quiet)
    frame = evaluation.frame()
    if evaluation.plan.rules.how.curves:
        console.print(curve_outcome_table(frame))
    else:
        solved_return = get_task(evaluation.plan.task).solved_return
        console.print(outcome_table(frame, solved_return))
        for line in cost_lines(frame, progress, evaluation.n_threads):
            console.print(line, soft_wrap=True, markup=False)
    show_next(console, _next_commands(evaluation))
    return 0


def _next_commands(evaluation: Evaluation) -> Iterator[str]:
    """The report, where the records are a run's; else means of them."""
    if evaluation.run_folder is not None:
        yield module_command("report", from_here(evaluation.run_folder.root))
    records = evaluation.files.all_records()
    path = records[0] if len(records) == 1 else evaluation.folder
    means = ".groupby(['agent', 'train_env'])[['score', 'env_steps']].mean()"
    yield python_command("load_evaluations", from_here(path), means)


def _show_plan(evaluation: Evaluation, console: Console) -> None:
    evaluation.files.check(evaluation.settings())
    done = {record_key(record) for record in evaluation.files.finished()}
    test_episodes = evaluation.plan.rules.test_episodes
    console.print(work_table(evaluation.own_agents(), done, test_episodes))


if __name__ == "__main__":
    exit_with(lambda: main(OPTIONS))
