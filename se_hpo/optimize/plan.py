"""What a run will cost, before it is started: brackets, generations, wall time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from se_hpo import seeding
from se_hpo.bohb.brackets import Bracket, Plan
from se_hpo.machine.processes import available_cores
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.terminal.rich_tables import table
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
    """Whole run, if workers and threads are always busy and have cores of their own."""
    slowed: float = 1.0
    """How many times longer it takes now, as others use the cores."""


def measure_cost(
    planned: Plan,
    objective: Objective,
    configurations: Sequence[Mapping[str, Any]],
    engine: str,
    n_parallel: int,
) -> Cost:
    """Time an inner loop of each of these random flat configurations, and extrapolate.

    See `time_agents`; `n_parallel` is workers times threads.
    """
    samples = []
    for index, configuration in enumerate(configurations):
        seed = seeding.integer_seed(objective.run_seed, "plan", index)
        samples.append(objective.cost(objective.run_config(configuration), seed))
    jobs, per_budget, per_trial = zip(*samples, strict=True)
    n_threads = min(n_parallel, available_cores())
    agent = time_agents(engine, list(jobs), n_threads)
    loops = float(np.mean(per_budget))
    total = planned.generations * loops + planned.trials * float(np.mean(per_trial))
    return Cost(loops, agent.cpu, total * agent.cpu / n_parallel, agent.slowed)


def bracket_table(brackets: Sequence[Bracket], unit: str) -> Table:
    """Brackets and their rungs: `trials @ budget`."""
    columns = (">bracket~", f"rungs (trials @ {unit})~", ">trials~", ">evaluations~")
    rows = []
    for bracket in brackets:
        steps = zip(bracket.num_configs, bracket.budgets, strict=True)
        rungs = ", ".join(f"{n} @ {budget:g}" for n, budget in steps)
        numbers = (bracket.trials, bracket.evaluations, f"{bracket.generations:g}")
        rows.append([str(bracket.index), rungs, *map(str, numbers)])
    return table("Brackets", (*columns, f">{unit}~"), rows, title_style=None)
