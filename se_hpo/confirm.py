"""Rerun the best trials on fresh seeds: how optimistic was the winner's loss?

The lowest of many noisy losses is biased downwards. Fresh seeds are not: their mean is
what the configuration is worth.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from se_hpo import seeding
from se_hpo.inner_loop import InnerLoop
from se_hpo.objective import Objective
from se_hpo.paths import ConfigId, RunPaths, trial_name

log = logging.getLogger(__name__)

SEEDS = 3  # fresh runs per trial


@dataclass(frozen=True)
class Finalist:
    """A trial to confirm."""

    config_id: ConfigId
    configuration: dict[str, object]
    budget: float
    loss: float
    """As the optimization saw it."""


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
    return confirmations
