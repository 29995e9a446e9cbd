"""`python -m se_hpo.evaluate --envs results/RUN`: agents on SEs and on the task.

See docs/evaluate.md for what is compared with what.
"""

from __future__ import annotations

from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.terminal.cli import exit_with, log_to_stderr, parsed, python_command

if __name__ == "__main__":  # the rest takes a second, which flags need not wait for
    OPTIONS = parsed(EvaluateOptions)

import logging

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
    records = evaluation.files.all_records()
    path = records[0] if len(records) == 1 else evaluation.folder
    line = f"Next:\n  {python_command('load_evaluations', path)}"
    console.print(line, soft_wrap=True, markup=False, emoji=False)
    return 0


def _show_plan(evaluation: Evaluation, console: Console) -> None:
    evaluation.files.check(evaluation.settings())
    done = {record_key(record) for record in evaluation.files.finished()}
    test_episodes = evaluation.plan.rules.test_episodes
    console.print(work_table(evaluation.own_agents(), done, test_episodes))


if __name__ == "__main__":
    exit_with(lambda: main(OPTIONS))
