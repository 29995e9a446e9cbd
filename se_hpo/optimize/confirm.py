"""Rerun the best trials on fresh seeds: how optimistic was the winner's loss?

The lowest of many noisy losses is biased downwards. Fresh seeds are not: their mean is
what the configuration is worth.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from rich.table import Table

from se_hpo import seeding
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.results.trials import Finalist
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, trial_name
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)

SEEDS = 3  # fresh runs per trial


@dataclass(frozen=True)
class Confirmation:
    """What fresh seeds said of a finalist."""

    finalist: Finalist
    losses: tuple[float, ...]
    """Loss of each fresh run."""

    @property
    def optimism(self) -> float:
        """Mean fresh loss minus the loss that made the trial a finalist."""
        return float(np.mean(self.losses)) - self.finalist.loss


def confirm(
    finalists: Iterable[Finalist],
    objective: Objective,
    run: RunPaths,
    inner_loop: InnerLoop,
) -> list[Confirmation]:
    """Evaluate each finalist at its budget on `SEEDS` fresh seeds.

    Runs live in `confirm/<k>/trials/<trial>/` of the run's folder and continue there
    when interrupted.
    """
    confirmations = []
    for finalist in finalists:
        losses = []
        for k in range(SEEDS):
            fresh = seeding.integer_seed(objective.run_seed, "confirm", k)
            record = replace(objective, run_seed=fresh).evaluate(
                finalist.config_id,
                finalist.configuration,
                finalist.budget,
                RunPaths(run.root / "confirm" / str(k)),
                inner_loop,
            )
            name = trial_name(finalist.config_id)
            log.info("confirm %s, seed %d: loss %.4f", name, k, record.loss)
            losses.append(record.loss)
        confirmations.append(Confirmation(finalist, tuple(losses)))
    write_json(run.confirmation, [_row(c) for c in confirmations])
    return confirmations


def _row(confirmation: Confirmation) -> dict[str, object]:
    finalist = confirmation.finalist
    return {
        "trial": trial_name(finalist.config_id),
        "budget": finalist.budget,
        "loss": finalist.loss,
        "fresh_losses": list(confirmation.losses),
        "optimism": confirmation.optimism,
    }


def confirmation_table(confirmations: Iterable[Confirmation]) -> Table:
    """Loss in the run, losses on fresh seeds, and how optimistic the first was."""
    table = Table(title="On fresh seeds", title_justify="left", title_style="bold")
    table.add_column("trial", no_wrap=True)
    for name in ("budget", "loss in the run", "fresh losses", "mean", "optimism"):
        table.add_column(name, justify="right")
    for confirmation in confirmations:
        finalist = confirmation.finalist
        table.add_row(
            trial_name(finalist.config_id),
            f"{finalist.budget:g}",
            f"{finalist.loss:.4f}",
            ", ".join(f"{loss:.4f}" for loss in confirmation.losses),
            f"{np.mean(confirmation.losses):.4f}",
            f"{confirmation.optimism:+.4f}",
        )
    return table
