"""What an earlier run says of a configuration: a belief that fades.

Hvarfner et al. (2022, piBO) multiply the acquisition function by a prior to the power
of beta / n, n evaluations into the search. Here the prior is the ratio of good to bad
density of the earlier run. So losses of two runs are never compared: the earlier one
may be of another task, with other budgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from se_hpo.bohb.evidence import Model

BETA = 10
"""So many own results weigh as much as the earlier run."""

Observation = tuple[Mapping[str, Any], float, float]
"""A configuration, the budget it was evaluated with, and its loss."""


@dataclass(frozen=True)
class Prior:
    """The densities of an earlier run."""

    model: Model
    budget: float
    """Its largest."""

    def weight(self, n: int) -> float:
        """The power of its ratio after `n` own results: 1 up to `BETA` of them."""
        return BETA / max(n, BETA)


@dataclass(frozen=True)
class PastJob:
    """An observation as a generator's `new_result` takes it."""

    kwargs: dict[str, Any]
    result: dict[str, Any]
    id: tuple[int, int, int] = (0, 0, 0)
    exception: None = None


def past_jobs(observations: Iterable[Observation]) -> Iterable[PastJob]:
    """Observations in their order."""
    for configuration, budget, loss in observations:
        values = {"config": dict(configuration), "budget": float(budget)}
        yield PastJob(values, {"loss": loss, "info": {}})
