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
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.results.ranking import ON_TASK, Finalist
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, trial_name
from se_hpo.terminal.rich_tables import table
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)

SEEDS = 3  # fresh runs per trial


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
    rows = []
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
        more = {ON_TASK: True} if on_task else {}
        rows.append({**row, "fresh_losses": losses, "optimism": optimism, **more})
    write_json(run.confirmation, rows)
    return rows


def confirmation_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Loss in the run, losses on fresh seeds, and how optimistic the first was."""
    rows = list(rows)
    on_task = any(ON_TASK in row for row in rows)
    numbers = ("budget", "loss in the run", "fresh losses", "mean", "optimism")
    return table(
        "On the task, fresh seeds" if on_task else "On fresh seeds",
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
