"""`python -m se_hpo.train --from results/RUN`: a set of SEs from different seeds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from se_hpo.machine.processes import available_cores
from se_hpo.names import noun_of
from se_hpo.results.lines import UnreadableWarning
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_sets import read_set
from se_hpo.storage.paths import TrialPaths
from se_hpo.terminal.cli import run_command
from se_hpo.terminal.next_steps import module_command, python_command, show_next
from se_hpo.text import busy_note, duration
from se_hpo.train.display import set_table, summary
from se_hpo.train.options import TrainOptions
from se_hpo.train.plan import SAMPLES, most_trainings, seconds_per_agent
from se_hpo.train.recipe_table import recipe_table
from se_hpo.train.recipes import list_recipes, load_recipe
from se_hpo.train.request import Request, resolve_request
from se_hpo.train.set_folder import check_set
from se_hpo.train.set_run import train_set


def main(options: TrainOptions) -> int:
    """Do what the flags ask for.

    Returns:
        0 if all SEs of the shard are finished, else 1.
    """
    console = Console(highlight=False)
    if options.list_configs:
        console.print(_recipes())
        return 0
    if options.describe is not None:
        console.print(recipe_table(load_recipe(options.describe)))
        return 0
    request = resolve_request(options)
    if not request.indices:
        of = f"{request.n_envs} {noun_of(request.settings.train_env)}s"
        console.print(f"shard {options.shard} of {of}: nothing to do")
        return 0
    if options.plan:
        _show_plan(request, console)
        return 0
    missing = train_set(request, quiet=options.quiet)
    outcomes = _outcomes(request)
    _show_outcome(request, outcomes, missing, console)
    return 1 if missing or any(outcome.failed for outcome in outcomes) else 0


def _recipes() -> Table:
    table = Table(title="Recipes", title_justify="left", title_style="bold")
    for name in ("name", "generations", "noise", "step", "score transform"):
        table.add_column(name, no_wrap=True)
    for name in list_recipes():
        recipe = load_recipe(name)
        nes = recipe.config.nes
        always = "" if nes.stop_when_solved else ", always"
        row = (f"{recipe.generations}{always}", f"{nes.noise_std:g}")
        table.add_row(name, *row, f"{nes.step_size:g}", nes.score_transform)
    return table


def _show_plan(request: Request, console: Console) -> None:
    settings, paths = request.settings, request.paths
    outcomes = _outcomes(request) if check_set(paths, settings) else []
    n_left = len(request.indices) - sum(not settings.may_continue(o) for o in outcomes)
    trainings, noun = most_trainings(settings), noun_of(settings.train_env)
    console.print(
        f"{settings.train_env} on {settings.config.task} in {paths.root}: "
        f"{len(request.indices)} {noun}s, {n_left} to train, at most {trainings:,} "
        "agents each"
    )
    console.print(f"timing {SAMPLES} agents on random {noun}s ...")
    seconds = seconds_per_agent(settings, available_cores())
    console.print(f"{settings.engine} engine: {seconds.cpu:.3f} s per agent and core")
    rounds = math.ceil(n_left / request.n_parallel)
    threads = max(1, available_cores() // request.n_parallel)
    wall = rounds * trainings * seconds.cpu / threads
    console.print(
        f"expected wall time with {request.n_parallel} side by side: at most "
        f"{duration(wall)} on free cores (within a factor of two; less where "
        "NES solves the task early)"
    )
    if busy := busy_note(seconds.slowed):
        console.print(busy)


def _outcomes(request: Request) -> list[SEOutcome]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreadableWarning)  # what is missing, we know
        outcomes = read_set(request.paths.root).outcomes
    return [outcome for outcome in outcomes if outcome.index in request.indices]


def _show_outcome(
    request: Request,
    outcomes: list[SEOutcome],
    missing: dict[int, str],
    console: Console,
) -> None:
    settings = request.settings
    fitness = settings.config.nes.fitness
    console.print(set_table(outcomes, missing, settings.train_env, fitness))
    console.print(summary(outcomes))
    show_next(console, _next_commands(request))


def _next_commands(request: Request) -> Iterator[str]:
    folder, task = request.paths.root, request.settings.config.task
    columns = "[['se', 'solved', 'best_score', 'checkpoint']]"
    yield python_command("load_ses", folder, columns)
    words: list[str | Path] = ["--envs", folder]
    if ":" in task:
        words += ["--task", task]
    if request.paths.run_folder is None:  # records of a run lie in that
        records = f"{folder.name}-{TrialPaths(folder).agents.name}"
        words += ["--out", folder.with_name(records)]
    yield module_command("evaluate", *words)


if __name__ == "__main__":
    run_command(TrainOptions, main)
