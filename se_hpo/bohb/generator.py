"""Config generators for hpbandster: BOHB's model, and plain random draws.

Falkner et al. (2018), section 4: of the largest budget with enough results, one density
of the good configurations and one of the rest; the proposal is the sample of the good
one at which their ratio is largest. Replaces hpbandster's generator, which falls back
to random draws silently, gives unseen choices an infinite density, knows neither
constants nor ordinals and uses NumPy's global generator.

The n-th proposal is a function of (seed, n, results so far) alone. Resuming a run needs
its results in order and `n_proposals`, and no state of a random generator.
"""

from __future__ import annotations

import logging
import math
import numbers
from dataclasses import dataclass, field
from typing import Any

import ConfigSpace
import numpy as np
from hpbandster.core.base_config_generator import base_config_generator

from se_hpo import seeding
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.kde import ProductKernel, fit_kernel, impute
from se_hpo.errors import UserError

logger = logging.getLogger(__name__)

# hpbandster asks for size + 1 points whatever the size. A product kernel does with
# fewer, and waiting for more costs: see experiments/bench_bohb.py.
_MOST_MIN_POINTS = 8
_LOG_FLOOR = math.log(1e-32)  # densities below this one count as equally absent


class RandomGenerator(base_config_generator):
    """Draws from the space's prior, for Hyperband and random search."""

    def __init__(
        self,
        configspace: ConfigSpace.ConfigurationSpace,
        seed: int,
        start_from_default: bool = False,
        **kwargs: Any,
    ) -> None:
        """Start without proposals.

        Args:
            configspace: what to search; copied.
            seed: root of every random number.
            start_from_default: propose the space's default configuration first.
            **kwargs: for hpbandster's base class.
        """
        super().__init__(logger=logger, **kwargs)
        self.start_from_default = start_from_default
        self.encoding = SpaceEncoding(configspace)
        self.seed = seed
        self.n_proposals = 0
        """Proposals made so far; set it when a run is replayed."""

    def get_config(self, budget: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """Propose a configuration of builtin values, and how it was found.

        Args:
            budget: not used; hpbandster says for which rung it asks.

        Returns:
            The configuration without inactive hyperparameters, and
            `{"model_based_pick": bool, "model_budget": float | None}`.
        """
        rng = seeding.generator(self.seed, "proposal", self.n_proposals)
        self.n_proposals += 1
        if self.start_from_default and self.n_proposals == 1:
            return self.encoding.default(), _info(None)
        return self._propose(rng, explore=rng.random(), prior_seed=_seed32(rng))

    def _propose(
        self, rng: np.random.Generator, explore: float, prior_seed: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.encoding.sample(prior_seed), _info(None)


class BOHBGenerator(RandomGenerator):
    """BOHB's model-based proposals, mixed with random ones.

    A random proposal is the one that `RandomGenerator` would have made in its place.
    """

    def __init__(
        self,
        configspace: ConfigSpace.ConfigurationSpace,
        seed: int,
        min_points_in_model: int | None = None,
        top_n_percent: float = 15,
        num_samples: int = 64,
        random_fraction: float = 1 / 3,
        bandwidth_factor: float = 3,
        min_bandwidth: float = 1e-3,
        **kwargs: Any,
    ) -> None:
        """Start without results.

        Args:
            configspace: what to search; copied.
            seed: root of every random number.
            min_points_in_model: results that each of the two densities needs; default:
                one more than there are hyperparameters that can vary, at most 8.
            top_n_percent: share of results that counts as good.
            num_samples: candidates per proposal.
            random_fraction: share of proposals drawn from the prior.
            bandwidth_factor: widening of numbers' kernels when sampling candidates.
            min_bandwidth: narrowest kernel.
            **kwargs: for `RandomGenerator`.

        Raises:
            UserError: a setting outside its range.
        """
        super().__init__(configspace, seed, **kwargs)
        size = len(self.encoding.names)
        if min_points_in_model is None:
            min_points_in_model = min(size + 1, _MOST_MIN_POINTS)
        self.min_points = min_points_in_model
        self.top_n_percent = top_n_percent
        self.num_samples = num_samples
        self.random_fraction = random_fraction
        self.bandwidth_factor = bandwidth_factor
        self.min_bandwidth = min_bandwidth
        self._check_settings()
        self._results: dict[float, _Results] = {}

    def _check_settings(self) -> None:
        rules = {
            "min_points_in_model >= 2": self.min_points >= 2 or not self.encoding.names,
            "0 < top_n_percent < 100": 0 < self.top_n_percent < 100,
            "num_samples >= 1": self.num_samples >= 1,
            "0 <= random_fraction <= 1": 0 <= self.random_fraction <= 1,
            "0 < bandwidth_factor <= 10": 0 < self.bandwidth_factor <= 10,
            "0 < min_bandwidth <= 0.25": 0 < self.min_bandwidth <= 0.25,
        }
        for rule, ok in rules.items():
            if not ok:
                raise UserError(f"BOHB's model needs {rule}")

    def new_result(self, job: Any, update_model: bool = True) -> None:
        """Register a finished evaluation; the model is fitted when next asked.

        Args:
            job: hpbandster's job; a result of None or a loss that is not finite counts
                as worst.
            update_model: part of hpbandster's interface, without effect here.
        """
        super().new_result(job)
        loss: Any = None if job.result is None else job.result.get("loss")
        results = self._results.setdefault(float(job.kwargs["budget"]), _Results())
        results.vectors.append(self.encoding.encode(job.kwargs["config"]))
        known = isinstance(loss, numbers.Real) and math.isfinite(loss)
        results.losses.append(float(loss) if known else math.inf)

    def _propose(
        self, rng: np.random.Generator, explore: float, prior_seed: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        budget = self.model_budget()
        if budget is not None and explore >= self.random_fraction:
            model = self._model(budget)
            for candidate in self._ranked_candidates(model, rng):
                if (configuration := self.encoding.decode(candidate)) is not None:
                    return configuration, _info(budget)
            logger.info("all %d candidates are forbidden", self.num_samples)
        return super()._propose(rng, explore, prior_seed)

    def model_budget(self) -> float | None:
        """The largest budget with enough results for both densities, if any."""
        if not self.encoding.names:
            return None
        ready = [
            b for b, r in self._results.items() if len(r.losses) >= 2 * self.min_points
        ]
        return max(ready, default=None)

    def _ranked_candidates(self, model: _Model, rng: np.random.Generator) -> np.ndarray:
        """Samples of the good density, best ratio of good to bad first."""
        points = model.good.sample(rng, self.num_samples, self.bandwidth_factor)
        good, bad = model.good.log_density(points), model.bad.log_density(points)
        gain = np.maximum(good, _LOG_FLOOR) - np.maximum(bad, _LOG_FLOOR)
        return points[np.lexsort((-good, -gain))]

    def _model(self, budget: float) -> _Model:
        """The two densities at `budget`, fitted anew only after new results."""
        results = self._results[budget]
        n = len(results.losses)
        if results.model is None or results.model.n != n:
            rng = seeding.generator(self.seed, "impute", f"{budget:g}", n)
            order = np.argsort(results.losses, kind="stable")
            vectors = np.array(results.vectors)[order]
            n_good = max(self.min_points, int(self.top_n_percent * n) // 100)
            good, bad = (
                fit_kernel(
                    impute(part, self.encoding.levels, rng),
                    self.encoding.levels,
                    self.min_bandwidth,
                )
                for part in (vectors[:n_good], vectors[n_good:])
            )
            results.model = _Model(good, bad, n)
        return results.model


@dataclass(frozen=True)
class _Model:
    good: ProductKernel
    bad: ProductKernel
    n: int
    """Results it was fitted to."""


@dataclass
class _Results:
    """What is known at one budget, in order of arrival."""

    vectors: list[np.ndarray] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    model: _Model | None = None


def _info(model_budget: float | None) -> dict[str, Any]:
    return {"model_based_pick": model_budget is not None, "model_budget": model_budget}


def _seed32(rng: np.random.Generator) -> int:
    """A seed that ConfigSpace's RandomState takes."""
    return int(rng.integers(2**32, dtype=np.uint64))
