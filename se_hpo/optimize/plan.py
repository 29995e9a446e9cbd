"""What a run will cost, before it is started: brackets, generations, wall time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from se_hpo import seeding
from se_hpo.bohb.brackets import Bracket, plan
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.registries import OBJECTIVES
from se_hpo.training.inner_loop import time_agents

SAMPLES = 8  # random configurations whose inner loops are timed


@dataclass(frozen=True)
class Cost:
    """Expected cost of a run."""

    inner_loops_per_generation: float
    """Agents trained per unit of budget, mean over sampled configurations."""
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
    """Time one inner loop of each configuration, and extrapolate; see `time_agents`.

    Args:
        brackets: what will be run.
        objective: the run's objective.
        configurations: random flat configurations.
        engine: `auto`, `native` or `torch`.
        n_parallel: workers times threads.
    """
    cost_of = OBJECTIVES[objective.kind].cost
    samples = []
    for index, configuration in enumerate(configurations):
        seed = seeding.integer_seed(objective.run_seed, "plan", index)
        samples.append(cost_of(objective.run_config(configuration), seed))
    jobs, per_budget, per_trial = zip(*samples, strict=True)
    seconds, planned = time_agents(engine, list(jobs)), plan(brackets)
    loops = float(np.mean(per_budget))
    total = planned.generations * loops + planned.trials * float(np.mean(per_trial))
    return Cost(loops, seconds, total * seconds / n_parallel)


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
