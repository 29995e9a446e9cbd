"""SMAC3: random forest, multi-fidelity facade (Hyperband)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipe import evaluate, read_task
from smac import MultiFidelityFacade, Scenario

task = read_task()


def objective(config: Any, seed: int = 0, budget: float = 0) -> float:
    """One evaluation."""
    return evaluate(dict(config), round(budget))


scenario = Scenario(
    task.space,
    output_directory=Path(task.folder),
    deterministic=True,
    n_trials=1_000_000,
    min_budget=task.ladder[0],
    max_budget=task.ladder[-1],
    seed=task.seed,
)
MultiFidelityFacade(
    scenario,
    objective,
    intensifier=MultiFidelityFacade.get_intensifier(scenario, eta=task.eta),
    overwrite=True,
    logging_level=40,
).optimize()
