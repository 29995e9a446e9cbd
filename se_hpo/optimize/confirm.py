"""Rerun the best trials on fresh seeds: which is best, and how good is it really?

The lowest of many noisy losses is biased downwards, and what has it is often not the
best. So the best trials run again, by sequential halving (Karnin et al. 2013) over
fresh seeds: all on one, the better half on more, until as many as were asked for have
six. Their mean is what a configuration is worth. Of agents that were trained on SEs it
is what they are worth on the task. The best there is the run's incumbent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

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

T = TypeVar("T")

Rounds = Sequence[tuple[int, int]]
"""Trials of a round, as a multiple of those asked for, and new seeds of each."""
HALVING: Rounds = ((4, 1), (2, 2), (1, 3))
ON_TASK: Rounds = ((1, 3),)


def candidates(n: int, rounds: Rounds = HALVING) -> int:
    """How many of the best trials begin, where `n` are asked for."""
    return n * rounds[0][0]


def confirmation(n: int, brackets: Iterable[Bracket]) -> Plan:
    """What it costs to confirm `n` trials, all evaluations at the highest budget."""
    brackets = list(brackets)
    top = max(bracket.budgets[-1] for bracket in brackets)
    there = sum(b.num_configs[-1] for b in brackets if b.budgets[-1] == top)
    evaluations = sum(min(n * times, there) * seeds for times, seeds in HALVING)
    return Plan(0, evaluations, evaluations, evaluations * top)


def sequential_halving(
    best: Iterable[T],
    n: int,
    fresh_losses: Callable[[list[T], int], Iterable[float]],
    rounds: Rounds = HALVING,
) -> list[tuple[T, list[float]]]:
    """Evaluate the best on fresh seeds, fewer of them round by round.

    Args:
        best: what begins, best first.
        n: how many are left in the last round.
        fresh_losses: of each of some of them, with the k-th seed.
        rounds: how many, and how often.

    Returns:
        Each with its fresh losses: those of the last round first, the best of them
        first.
    """
    order: list[tuple[T, list[float]]] = [(item, []) for item in best]
    for times, seeds in rounds:
        left = order[: n * times]
        log.info("the %d best again, on %d fresh seed(s) each", len(left), seeds)
        for _ in range(seeds if left else 0):
            found = fresh_losses([item for item, _ in left], len(left[0][1]))
            for (_, losses), loss in zip(left, found, strict=True):
                losses.append(loss)
        order[: len(left)] = sorted(left, key=lambda entry: float(np.mean(entry[1])))
    return order


def confirm(
    best: Sequence[Finalist],
    n: int,
    objective: Objective,
    run: RunPaths,
    inner_loop: InnerLoop,
    on_task: bool = False,
) -> list[dict[str, Any]]:
    """Choose between the best trials by sequential halving over fresh seeds.

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
        A row each, as stored, in the order of `sequential_halving`: `optimism` is the
        mean fresh loss minus the loss in the search.
    """

    def fresh_losses(left: list[Finalist], k: int) -> Iterator[float]:
        seed = seeding.integer_seed(objective.run_seed, "confirm", k)
        again = replace(objective, run_seed=seed)
        paths = RunPaths(run.root / "confirm" / str(k))
        for trial in left:
            budget = 1.0 if on_task else trial.budget
            record = again.evaluate(
                trial.config_id, trial.configuration, budget, paths, inner_loop
            )
            log.info("confirm %s, seed %d: loss %.4f", record.trial, k, record.loss)
            yield record.loss

    begin = [trial for trial in best if on_task or trial.budget == best[0].budget]
    rounds = ON_TASK if on_task else HALVING
    rows = [
        {
            "trial": trial_name(trial.config_id),
            "budget": trial.budget,
            "loss": trial.loss,
            "fresh_losses": losses,
            "optimism": float(np.mean(losses)) - trial.loss,
            **({"on_task": True} if on_task else {}),
        }
        for trial, losses in sequential_halving(begin, n, fresh_losses, rounds)
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
