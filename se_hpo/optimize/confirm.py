"""Rerun the best trials on fresh seeds: how optimistic was the winner's loss?

The lowest of many noisy losses is biased downwards. Fresh seeds are not: their mean is
what the configuration is worth. Of agents that were trained on SEs it is what they are
worth on the task, and the best there is the run's incumbent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from rich.table import Table

from se_hpo import seeding
from se_hpo.bohb.brackets import Bracket, Plan
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.results.ranking import Finalist
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, trial_name
from se_hpo.terminal.rich_tables import table
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)

SEEDS = 3  # fresh runs per trial


def confirmation(n: int, brackets: Iterable[Bracket]) -> Plan:
    """What it costs to confirm the `n` best, all of them at the highest budget."""
    evaluations = n * SEEDS
    top = max(bracket.budgets[-1] for bracket in brackets)
    return Plan(0, evaluations, evaluations, evaluations * top)


def confirm(
    finalists: Iterable[Finalist],
    objective: Objective,
    run: RunPaths,
    inner_loop: InnerLoop,
    on_task: bool = False,
) -> list[dict[str, Any]]:
    """Evaluate each finalist at its budget on `SEEDS` fresh seeds.

    Runs live in `confirm/<k>/trials/<trial>/` of the run's folder and continue there
    when interrupted. With `on_task` each of them trains one agent on the task.

    Returns:
        A row each, as stored: `optimism` is the mean fresh loss minus the loss that
        made the trial a finalist.
    """
    rows, finalists = [], list(finalists)
    log.info("the %d best again, on %d fresh seeds each", len(finalists), SEEDS)
    for finalist in finalists:
        losses, name = [], trial_name(finalist.config_id)
        for k in range(SEEDS):
            fresh = seeding.integer_seed(objective.run_seed, "confirm", k)
            record = replace(objective, run_seed=fresh).evaluate(
                finalist.config_id,
                finalist.configuration,
                1.0 if on_task else finalist.budget,
                RunPaths(run.root / "confirm" / str(k)),
                inner_loop,
            )
            log.info("confirm %s, seed %d: loss %.4f", name, k, record.loss)
            losses.append(record.loss)
        row = {"trial": name, "budget": finalist.budget, "loss": finalist.loss}
        optimism = float(np.mean(losses)) - finalist.loss
        more = {"on_task": True} if on_task else {}
        rows.append({**row, "fresh_losses": losses, "optimism": optimism, **more})
    write_json(run.confirmation, rows)
    return rows


def confirmation_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Loss in the run, losses on fresh seeds, and how optimistic the first was."""
    numbers = ("budget", "loss in the run", "fresh losses", "mean", "optimism")
    rows = list(rows)
    on_task = any("on_task" in row for row in rows)
    title = "On the task, fresh seeds" if on_task else "On fresh seeds"
    top = [r for r in rows if on_task or r["budget"] == rows[0]["budget"]]
    best = min(top, key=lambda row: float(np.mean(row["fresh_losses"])), default=None)
    return table(
        title + (f"; the best is {best['trial']}" if best else ""),
        ("trial", *(f">{name}~" for name in numbers)),
        (
            (
                row["trial"],
                f"{row['budget']:g}",
                f"{row['loss']:.4f}",
                ", ".join(f"{loss:.4f}" for loss in row["fresh_losses"]),
                f"{np.mean(row['fresh_losses']):.4f}",
                f"{row['optimism']:+.4f}",
            )
            for row in rows
        ),
    )
