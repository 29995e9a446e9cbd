"""Proposals of a tree-structured Parzen estimator that learns from every budget.

What BOHB's own model (`proposals.BOHBGenerator`) does less well:

- It sees the results at one budget alone. Here every configuration counts, with the
  loss it would have at the largest budget: its own at the largest it has come to, and
  the differences that others have shown from there on (`evidence.pooled`).
- Its bandwidths follow the spread of the good configurations, so that a few good ones
  that lie together by chance keep all proposals there. Here they depend on the number
  of observations alone (`density.fit_parzen`), a uniform kernel keeps every region
  and choice possible, and the good set stays small.
- A product kernel in many dimensions sees little beyond each observation's neighbours.
  Here half of the candidates are crossed from several good configurations, as in
  evolution, and half of a candidate's value is what its hyperparameters are worth one
  by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import ConfigSpace
import numpy as np

from se_hpo.bohb.cost_model import CostModel
from se_hpo.bohb.density import ProductKernel, fit_parzen
from se_hpo.bohb.evidence import Model, log_ratio, pooled
from se_hpo.bohb.proposals import RANDOM_FRACTION, BOHBGenerator
from se_hpo.errors import UserError, did_you_mean

_MOST_GOOD = 25
_CROSSED = 0.5
_ONE_BY_ONE = 0.5
_RANDOM_FRACTION = 0.1


class ParzenGenerator(BOHBGenerator):
    """As `BOHBGenerator`, with other densities, of configurations at all budgets."""

    def __init__(
        self,
        configspace: ConfigSpace.ConfigurationSpace,
        seed: int,
        min_points_in_model: int = 3,
        top_n_percent: float = 10,
        random_fraction: float = _RANDOM_FRACTION,
        bandwidth_factor: float = 1,
        prefer_cheap: bool = False,
        **kwargs: Any,
    ) -> None:
        """Start without results; arguments as `BOHBGenerator`'s, with other defaults.

        `min_points_in_model` are configurations at any budget, the good ones at most 25
        (or that many). With `prefer_cheap` the proposal is the candidate of largest
        expected improvement per second, of those `cpu_seconds` that results have.

        Raises:
            UserError: a setting outside its range.
        """
        super().__init__(
            configspace,
            seed,
            min_points_in_model=min_points_in_model,
            top_n_percent=top_n_percent,
            random_fraction=random_fraction,
            bandwidth_factor=bandwidth_factor,
            **kwargs,
        )
        self._cost = CostModel(self.encoding.levels) if prefer_cheap else None

    def new_result(self, job: Any, update_model: bool = True) -> None:
        """Register a finished evaluation, and what it cost."""
        super().new_result(job, update_model)
        info = (job.result or {}).get("info")
        if self._cost is not None and isinstance(info, Mapping):
            budget = float(job.kwargs["budget"])
            vector = self._results[budget].vectors[-1]
            self._cost.add(vector, budget, info.get("cpu_seconds"))

    def _candidates(self, model: Model, rng: np.random.Generator) -> np.ndarray:
        return model.good.sample(
            rng, self.num_samples, self.bandwidth_factor, crossed=_CROSSED
        )

    def _value(self, model: Model, points: np.ndarray) -> np.ndarray:
        """The ratio of densities, or expected improvement per second."""
        joint = log_ratio(model, points)
        single = model.good.log_marginals(points) - model.bad.log_marginals(points)
        ratio: np.ndarray = joint + _ONE_BY_ONE * (single - joint)
        if self._cost is None:
            return ratio
        good = self.top_n_percent / 100
        improvement = -np.logaddexp(np.log(good), np.log(1 - good) - ratio)
        return improvement - self._cost.log_cost(points)

    def model_budget(self) -> float | None:
        """The largest budget with a result, once there are enough at all budgets."""
        ready = self.encoding.names and self._has_enough()
        return max(self._results) if ready else None

    def _has_enough(self) -> bool:
        """Whether there are as many configurations as both densities need."""
        different: set[bytes] = set()
        for vector in (v for r in self._results.values() for v in r.vectors):
            different.add(vector.tobytes())
            if len(different) >= 2 * self.min_points:
                return True
        return False

    def _evidence(self, budget: float) -> tuple[np.ndarray, np.ndarray]:
        return pooled(self._results)

    def _n_good(self, n: int) -> int:
        tenth = -int(-self.top_n_percent * n // 100)
        return max(self.min_points, min(tenth, _MOST_GOOD))

    def _kernel(self, vectors: np.ndarray) -> ProductKernel:
        return fit_parzen(vectors, self.encoding.levels, self.min_bandwidth)


MODELS: dict[str, type[BOHBGenerator]] = {
    "parzen": ParzenGenerator,
    "kde": BOHBGenerator,
}
"""By the name in `run.json`; the first is that of new runs."""
RANDOM_FRACTIONS = {"parzen": _RANDOM_FRACTION, "kde": RANDOM_FRACTION}
"""Their defaults."""


def find_model(name: str) -> type[BOHBGenerator]:
    """What proposes configurations.

    Raises:
        UserError: there is no model of that name.
    """
    if name not in MODELS:
        raise UserError(f"model = {name!r}: {did_you_mean(name, MODELS)}")
    return MODELS[name]
