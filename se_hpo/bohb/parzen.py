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

from collections.abc import Mapping, Sequence
from typing import Any

import ConfigSpace
import numpy as np

from se_hpo.bohb.cost_model import CostModel
from se_hpo.bohb.density import ProductKernel, fit_parzen
from se_hpo.bohb.evidence import Model, log_ratio, pooled
from se_hpo.bohb.prior import Observation, Prior, past_jobs
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
        prior: Sequence[Observation] = (),
        **kwargs: Any,
    ) -> None:
        """Start without own results; arguments as `BOHBGenerator`'s, other defaults.

        `min_points_in_model` are configurations at any budget, the good ones at most 25
        (or that many). With `prefer_cheap` the proposal is the candidate of largest
        expected improvement per second, of those `cpu_seconds` that results have.
        `prior` is what an earlier run of this space observed: alone it proposes until
        there are results enough, then its say fades (see `prior.Prior`).

        Raises:
            UserError: a setting outside its range, or a prior that does not fit the
                space or is too small for two densities.
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
        self._prior = self._learned(configspace, prior) if prior else None

    def _learned(
        self, space: ConfigSpace.ConfigurationSpace, observations: Sequence[Observation]
    ) -> Prior:
        """The model that a generator has of these observations."""
        earlier = ParzenGenerator(space, self.seed, self.min_points, self.top_n_percent)
        for number, job in enumerate(past_jobs(observations), 1):
            try:
                job.kwargs["config"] = self.encoding.check(job.kwargs["config"])
            except UserError as error:
                raise UserError(
                    f"prior, number {number} does not fit the space: {error}"
                ) from error
            earlier.new_result(job)
        if (budget := earlier.model_budget()) is None:
            raise UserError(
                f"prior: {len(observations)} results are too few, densities need "
                f"{2 * self.min_points} different configurations"
            )
        return Prior(earlier._model(budget), budget)

    def new_result(self, job: Any, update_model: bool = True) -> None:
        """Register a finished evaluation, and what it cost."""
        super().new_result(job, update_model)
        info = (job.result or {}).get("info")
        if self._cost is not None and isinstance(info, Mapping):
            budget = float(job.kwargs["budget"])
            vector = self._results[budget].vectors[-1]
            self._cost.add(vector, budget, info.get("cpu_seconds"))

    def _candidates(self, model: Model, rng: np.random.Generator) -> np.ndarray:
        """Samples of the good density, and of the prior's as far as it has a say."""
        of_prior = int(self._prior_weight(model) * self.num_samples / 2)
        size, widening = self.num_samples - of_prior, self.bandwidth_factor
        points = model.good.sample(rng, size, widening, crossed=_CROSSED)
        if self._prior is None or not of_prior:
            return points
        good = self._prior.model.good
        more = good.sample(rng, of_prior, widening, crossed=_CROSSED)
        return np.concatenate([points, more])

    def _value(self, model: Model, points: np.ndarray) -> np.ndarray:
        """The ratio of densities, or expected improvement per second."""
        ratio = _blended_ratio(model, points)
        if self._prior is not None and (weight := self._prior_weight(model)):
            ratio = ratio + weight * _blended_ratio(self._prior.model, points)
        if self._cost is None:
            return ratio
        good = self.top_n_percent / 100
        improvement = -np.logaddexp(np.log(good), np.log(1 - good) - ratio)
        return improvement - self._cost.log_cost(points)

    def model_budget(self) -> float | None:
        """The largest budget with a result, once there are enough at all budgets.

        Before that the prior's, if there is one.
        """
        if self.encoding.names and self._has_enough():
            return max(self._results)
        return None if self._prior is None else self._prior.budget

    def _model(self, budget: float) -> Model:
        if self._prior is not None and not self._has_enough():
            return self._prior.model
        return super()._model(budget)

    def _prior_weight(self, model: Model) -> float:
        """Of the prior beside a model of own results."""
        if self._prior is None or model is self._prior.model:
            return 0.0
        return self._prior.weight(model.n)

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


def _blended_ratio(model: Model, points: np.ndarray) -> np.ndarray:
    """Log ratio of the densities, mixed with that of their columns one by one: `m`."""
    joint = log_ratio(model, points)
    single = model.good.log_marginals(points) - model.bad.log_marginals(points)
    ratio: np.ndarray = joint + _ONE_BY_ONE * (single - joint)
    return ratio


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
