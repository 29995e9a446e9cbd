"""What a run will cost, before it is started: brackets, generations, wall time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.table import Table

from se_hpo import seeding
from se_hpo.bohb.brackets import Bracket, plan
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.registries import OBJECTIVES
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

SAMPLES = 8  # random configurations whose inner loops are timed


@dataclass(frozen=True)
class Cost:
    """Expected cost of a run."""

    inner_loops_per_generation: float
    """Agents trained per unit of budget, mean over sampled configurations."""
    inner_loops_per_trial: float
    """Agents trained once per trial, to choose among `n_initial` random SEs."""
    seconds_per_inner_loop: float
    """One agent on one core, mean over sampled configurations."""
    wall_seconds: float
    """Whole run, if workers and threads are always busy."""


def measure_cost(
    brackets: Iterable[Bracket],
    objective: Objective,
    configurations: Sequence[Mapping[str, Any]],
    engine: str,
    n_parallel: int,
) -> Cost:
    """Time one inner loop of each configuration, on one core, and extrapolate.

    An estimate from the start of learning: on a better SE agents train longer or
    shorter, so expect a factor of two either way.

    Args:
        brackets: what will be run.
        objective: the run's objective.
        configurations: random flat configurations.
        engine: `auto`, `native` or `torch`.
        n_parallel: workers times threads.
    """
    jobs, counts, starts = zip(
        *(_sample_job(objective, c, i) for i, c in enumerate(configurations)),
        strict=True,
    )
    with InnerLoop(engine, n_threads=1) as inner_loop:
        # A first, tiny job pays for what only the first one pays for.
        short = replace(jobs[0].agent, train_episodes=1, test_episodes=1)
        inner_loop.train_agents([replace(jobs[0], agent=short)])
        started = time.perf_counter()
        inner_loop.train_agents(list(jobs))
        seconds = (time.perf_counter() - started) / len(jobs)
    per_budget, per_trial = float(np.mean(counts)), float(np.mean(starts))
    planned = plan(brackets)
    loops = planned.generations * per_budget + planned.trials * per_trial
    return Cost(per_budget, per_trial, seconds, loops * seconds / n_parallel)


def _sample_job(
    objective: Objective, configuration: Mapping[str, Any], index: int
) -> tuple[TrainingJob, int, int]:
    """An inner loop of a configuration; how many a budget unit and a trial take."""
    config = objective.run_config(configuration)
    seed = seeding.integer_seed(objective.run_seed, "plan", index)
    cost: tuple[TrainingJob, int, int]
    cost = OBJECTIVES[objective.kind].cost(config, seed)
    return cost


def bracket_table(brackets: Sequence[Bracket], unit: str) -> Table:
    """Brackets and their rungs: `trials @ budget`."""
    table = Table(title="Brackets", title_justify="left")
    table.add_column("bracket", justify="right")
    table.add_column(f"rungs (trials @ {unit})")
    table.add_column("trials", justify="right")
    table.add_column("evaluations", justify="right")
    table.add_column(unit, justify="right")
    for bracket in brackets:
        steps = zip(bracket.num_configs, bracket.budgets, strict=True)
        rungs = ", ".join(f"{n} @ {budget:g}" for n, budget in steps)
        table.add_row(
            str(bracket.index),
            rungs,
            str(bracket.trials),
            str(bracket.evaluations),
            f"{bracket.generations:g}",
        )
    return table
