"""`python -m se_hpo.optimize --space nes_cartpole`: BOHB over complete NES runs."""

from __future__ import annotations

from se_hpo.optimize.options import Options
from se_hpo.terminal.cli import exit_with, log_to_stderr, parsed

if __name__ == "__main__":  # the rest takes a second, which flags need not wait for
    OPTIONS = parsed(Options)

import logging

from rich.console import Console

from se_hpo.bohb.brackets import plan
from se_hpo.errors import FailedRunError, UserError
from se_hpo.machine.processes import Terminated
from se_hpo.optimize.confirm import ON_TASK, confirmation, confirmation_table
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.outcome import next_commands, show_best
from se_hpo.optimize.plan import SAMPLES, bracket_table, measure_cost
from se_hpo.optimize.run_request import RunRequest, resolve_run
from se_hpo.optimize.session import (
    confirmed,
    opened,
    refuse_only_failures,
    run_brackets,
)
from se_hpo.optimize.worker import WorkerOptions
from se_hpo.optimize.worker import main as work
from se_hpo.results.trials import load_trials
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.search_spaces.table import space_table, spaces_table
from se_hpo.terminal.next_steps import show_next
from se_hpo.text import busy_note, duration


def main(options: Options) -> int:
    """Do what the flags ask for."""
    console = Console(highlight=False)
    if options.list_spaces:
        console.print(spaces_table(load_space(name) for name in list_spaces()))
        return 0
    if options.describe is not None:
        console.print(space_table(load_space(options.describe)))
        return 0
    if options.role == "worker":
        return _work(options)
    if options.space is None:
        raise UserError("no --space: see --list-spaces, or give your own file by path")
    request = resolve_run(options, load_space(options.space))
    if options.plan:
        _show_plan(request, console)
        return 0
    with opened(request) as brackets:
        try:
            run_brackets(request, brackets, quiet=options.quiet)
        except (KeyboardInterrupt, Terminated, UserError, FailedRunError):
            show_best(load_trials(request.paths.root), console)  # what there is
            raise
        _show_outcome(request, console)
    return 0


def _work(options: Options) -> int:
    if options.run is None:
        raise UserError("--role worker needs --run DIR, the folder of the master's run")
    if options.n_workers != 1:
        raise UserError("--role worker is one worker: give the command once for each")
    return work(
        WorkerOptions(
            options.run,
            options.threads,
            options.host,
            options.nic,
            quiet=options.quiet,
        )
    )


def _show_plan(request: RunRequest, console: Console) -> None:
    brackets, settings = request.brackets, request.settings
    unit, n_workers = settings.unit, request.options.n_workers
    console.print(bracket_table(brackets, unit))
    total = plan(brackets)
    console.print(
        f"{total.trials} trials, {total.evaluations} evaluations, "
        f"{total.generations:g} {unit} (a promoted trial continues)"
    )
    for note in request.notes(brackets):
        console.print(note)
    on_task = bool(request.ses.checkpoints)
    again = confirmation(0 if on_task else request.confirm, brackets)
    if on_task and request.confirm:
        console.print(
            f"then {ON_TASK[0][1]} agents of each of the {request.confirm} best on the "
            "task, which the time below leaves out (--confirm 0: none)"
        )
    elif request.confirm:
        console.print(
            f"then the best on fresh seeds, until {request.confirm} are left: "
            f"{again.evaluations} evaluations, {again.generations:g} {unit} "
            "(--confirm 0: none)"
        )
    console.print(f"timing {SAMPLES} agents of random configurations ...")
    cost = measure_cost(
        total + again,
        Objective.of(settings, request.ses.environments),
        request.random_configurations(SAMPLES),
        settings.engine,
        n_workers * request.threads,
    )
    console.print(
        f"{settings.engine} engine: {cost.seconds_per_inner_loop:.3f} s per agent and "
        f"core, {cost.inner_loops_per_generation:.0f} agents per {unit[:-1]}"
    )
    console.print(
        f"expected wall time with {n_workers} worker(s) x {request.threads} thread(s): "
        f"{duration(cost.wall_seconds)} on free cores (within a factor of two)"
    )
    if busy := busy_note(cost.slowed):
        console.print(busy)


def _show_outcome(request: RunRequest, console: Console) -> None:
    root = request.paths.root
    trials = load_trials(root)
    show_best(trials, console)
    show_next(console, next_commands(request.paths, request.settings, trials))
    refuse_only_failures(request.paths)
    if request.confirm:
        log_to_stderr(logging.WARNING if request.options.quiet else logging.INFO)
        console.print(confirmation_table(confirmed(request)))


if __name__ == "__main__":
    exit_with(lambda: main(OPTIONS))
