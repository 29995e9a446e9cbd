"""`python -m se_hpo.optimize --space nes_cartpole`: BOHB over complete NES runs."""

from __future__ import annotations

import logging

from rich.console import Console

from se_hpo.bohb.brackets import plan
from se_hpo.errors import FailedRunError, UserError
from se_hpo.optimize.confirm import best_trials, confirm, confirmation_table
from se_hpo.optimize.options import Options
from se_hpo.optimize.outcome import final_table
from se_hpo.optimize.plan import SAMPLES, bracket_table, measure_cost
from se_hpo.optimize.session import Session
from se_hpo.optimize.worker import WorkerOptions
from se_hpo.optimize.worker import main as work
from se_hpo.results.trials import load_trials
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.search_spaces.table import space_table, spaces_table
from se_hpo.storage.records import Status
from se_hpo.terminal.cli import log_to_stderr, python_command, run_command
from se_hpo.text import duration
from se_hpo.training.inner_loop import InnerLoop


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
    session = Session(options, load_space(options.space))
    if options.plan:
        _show_plan(session, console)
        return 0
    session.run(afterwards=lambda: _show_outcome(session, console))
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


def _show_plan(session: Session, console: Console) -> None:
    brackets, settings = session.brackets, session.settings
    unit = settings.unit
    console.print(bracket_table(brackets, unit))
    total = plan(brackets)
    console.print(
        f"{total.trials} trials, {total.evaluations} evaluations, "
        f"{total.generations:g} {unit} (a promoted trial continues)"
    )
    for note in session.notes(brackets):
        console.print(note)
    console.print(f"timing {SAMPLES} agents of random configurations ...")
    n_parallel = session.options.n_workers * session.threads
    cost = measure_cost(
        brackets,
        settings.objective_function(),
        session.random_configurations(SAMPLES),
        settings.engine,
        n_parallel,
    )
    console.print(
        f"{settings.engine} engine: {cost.seconds_per_inner_loop:.2f} s per agent and "
        f"core, {cost.inner_loops_per_generation:.0f} agents per {unit[:-1]}"
    )
    console.print(
        f"expected wall time with {session.options.n_workers} worker(s) x "
        f"{session.threads} thread(s): {duration(cost.wall_seconds)} "
        "(within a factor of two)"
    )


def _show_outcome(session: Session, console: Console) -> None:
    frame = load_trials(session.paths.root)
    final_table(frame, python_command("load_trials", session.paths.root), console)
    if len(frame) and not (frame["status"] == Status.FINISHED).any():
        raise FailedRunError(
            f"none of the {len(frame)} evaluations has finished; the last one: "
            f"{frame['reason'].iloc[-1]}; mend it and start over with --overwrite"
        )
    if session.options.confirm < 1:
        return
    finalists = best_trials(session.paths, session.options.confirm)
    log_to_stderr(logging.WARNING if session.options.quiet else logging.INFO)
    threads = session.threads * session.options.n_workers
    with InnerLoop(session.settings.engine, threads) as inner_loop:
        confirmations = confirm(
            finalists, session.settings.objective_function(), session.paths, inner_loop
        )
    console.print(confirmation_table(confirmations))


if __name__ == "__main__":
    run_command(Options, main)
