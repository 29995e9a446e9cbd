"""Rerun the best trials on fresh seeds: which is best, and how good is it really?

The lowest of many noisy losses is biased downwards, and what has it is often not the
best. So the best trials run again, by sequential halving (Karnin et al. 2013) over fresh
seeds: all on one, the better half on more, until as many as were asked for have six.
Their mean is what a configuration is worth. Of agents that were trained on SEs it is
what they are worth on the task. The best there is the run's incumbent.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
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

HALVING = ((4, 1), (2, 2), (1, 3))
"""Trials of a round, as a multiple of those asked for, and new seeds of each."""
ON_TASK = ((1, 3),)


def candidates(n: int, on_task: bool = False) -> int:
    """How many of the best trials begin, where `n` are asked for."""
    return n * (ON_TASK if on_task else HALVING)[0][0]


def confirmation(n: int, brackets: Iterable[Bracket]) -> Plan:
    """What it costs to confirm `n` trials, all evaluations at the highest budget."""
    brackets = list(brackets)
    top = max(bracket.budgets[-1] for bracket in brackets)
    there = sum(b.num_configs[-1] for b in brackets if b.budgets[-1] == top)
    evaluations = sum(min(n * times, there) * seeds for times, seeds in HALVING)
    return Plan(0, evaluations, evaluations, evaluations * top)


def confirm(
    best: Sequence[Finalist],
    n: int,
    objective: Objective,
    run: RunPaths,
    inner_loop: InnerLoop,
    on_task: bool = False,
) -> list[dict[str, Any]]:
    """Evaluate the best trials on fresh seeds, fewer of them round by round.

    Runs live in `confirm/<k>/trials/<trial>/` of the run's folder and continue there
    when interrupted. With `on_task` each of them trains one agent on the task.

    Args:
        best: `candidates(n)`, best first. Those at a lower budget than the first are
            left out.
        n: how many are left in the last round.
        objective: what is minimized.
        run: the search's folder.
        inner_loop: what trains agents.
        on_task: whether the objective is another than the search's.

    Returns:
        A row each, as stored, the best of the last round first: `optimism` is the mean
        fresh loss minus the loss in the search.
    """
    order = [c for c in best if on_task or c.budget == best[0].budget]
    losses: dict[str, list[float]] = {trial_name(c.config_id): [] for c in order}

    def again(finalist: Finalist) -> None:
        found = losses[trial_name(finalist.config_id)]
        record = replace(
            objective,
            run_seed=seeding.integer_seed(objective.run_seed, "confirm", len(found)),
        ).evaluate(
            finalist.config_id,
            finalist.configuration,
            1.0 if on_task else finalist.budget,
            RunPaths(run.root / "confirm" / str(len(found))),
            inner_loop,
        )
        seed, loss = len(found), record.loss
        log.info("confirm %s, seed %d: loss %.4f", record.trial, seed, loss)
        found.append(loss)

    def fresh_loss(finalist: Finalist) -> float:
        return float(np.mean(losses[trial_name(finalist.config_id)]))

    for times, seeds in ON_TASK if on_task else HALVING:
        left = order[: n * times]
        log.info("the %d best again, on %d fresh seed(s) each", len(left), seeds)
        for finalist in left * seeds:
            again(finalist)
        order[: len(left)] = sorted(left, key=fresh_loss)
    rows = [
        {
            "trial": trial_name(finalist.config_id),
            "budget": finalist.budget,
            "loss": finalist.loss,
            "fresh_losses": losses[trial_name(finalist.config_id)],
            "optimism": fresh_loss(finalist) - finalist.loss,
            **({"on_task": True} if on_task else {}),
        }
        for finalist in order
    ]
    write_json(run.confirmation, rows)
    return rows


def confirmation_table(rows: Iterable[dict[str, Any]]) -> Table:
    """Loss in the run, losses on fresh seeds, and how optimistic the first was."""
    numbers = ("budget", "loss in the run", "fresh losses", "mean", "optimism")
    rows = list(rows)
    on_task = any("on_task" in row for row in rows)
    title = "On the task, fresh seeds" if on_task else "On fresh seeds"
    return table(
        title + (f"; the best is {rows[0]['trial']}" if rows else ""),
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
