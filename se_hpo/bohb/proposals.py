"""Config generators for hpbandster: BOHB's model, and plain random draws.

Falkner et al. (2018), section 4: of the largest budget with enough results, one density
of the good configurations and one of the rest; the proposal is the sample of the good
one at which their ratio is largest. Replaces hpbandster's generator, which falls back
to random draws silently, gives unseen choices an infinite density, knows neither
constants nor ordinals and uses NumPy's global generator.

In spaces without floats a configuration that was proposed for a budget, or has a result
there, is not proposed for it again while there is another; later on the least often
tried of the model's candidates is.

The n-th proposal is a function of (seed, n, results and proposals so far) alone.
Resuming a run needs its results in order, what it proposed, and `n_proposals`, and no
state of a random generator.
"""

from __future__ import annotations

import logging
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import ConfigSpace
import numpy as np
from hpbandster.core.base_config_generator import base_config_generator

from se_hpo import seeding
from se_hpo.bohb.density import ProductKernel, fit_kernel, impute
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.evidence import Model, Results, log_ratio
from se_hpo.bohb.tried import Tried
from se_hpo.errors import UserError

logger = logging.getLogger(__name__)

# hpbandster asks for size + 1 points whatever the size. A product kernel does with
# fewer, and waiting for more costs: see experiments/bench_bohb.py.
RANDOM_FRACTION = 1 / 3
_MOST_MIN_POINTS = 8


Proposal = tuple[dict[str, Any], dict[str, Any]]
"""A configuration, and how it was found."""


class RandomGenerator(base_config_generator):
    """Draws from the space's prior, for Hyperband and random search."""

    def __init__(
        self,
        configspace: ConfigSpace.ConfigurationSpace,
        seed: int,
        start_from_default: bool = False,
        start_from: Sequence[Mapping[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        """Start without proposals in a copy of the space.

        Args:
            configspace: what to search.
            seed: root of every random number.
            start_from_default: propose the space's default configuration before others.
            start_from: configurations to propose even before that one.
            **kwargs: for hpbandster's base class.

        Raises:
            UserError: one of `start_from` does not fit the space.
        """
        super().__init__(logger=logger, **kwargs)
        self.encoding = SpaceEncoding(configspace)
        self.first = [self.encoding.check(c) for c in start_from]
        default = [self.encoding.default()] if start_from_default else []
        self.first += [c for c in default if c not in self.first]
        self.seed = seed
        self.n_proposals = 0
        """Proposals made so far; set it when a run is replayed."""
        self.tried = Tried(self.encoding)
        """What was proposed or finished at each budget; likewise."""

    def get_config(self, budget: float) -> Proposal:
        """Propose a configuration for a budget, and say how it was found.

        Returns:
            Builtin values without inactive hyperparameters, and
            `{"model_based_pick": bool, "model_budget": float | None}`.
        """
        number = self.n_proposals
        rng = seeding.generator(self.seed, "proposal", number)
        self.n_proposals += 1
        if number < len(self.first):
            proposal = dict(self.first[number]), proposal_info(None)
        else:
            explore, prior_seed = (
                rng.random(),
                int(rng.integers(2**32, dtype=np.uint64)),
            )
            proposal = self._propose(rng, explore, prior_seed, budget)
        self.tried.propose(proposal[0], budget)
        return proposal

    def new_result(self, job: Any, update_model: bool = True) -> None:
        """Register a finished evaluation; without effect on random draws."""
        super().new_result(job, update_model)
        if "config" in job.kwargs:
            self.tried.finish(job.kwargs["config"], job.kwargs["budget"])

    def _propose(
        self, rng: np.random.Generator, explore: float, prior_seed: int, budget: float
    ) -> Proposal:
        is_new = self.tried.novelty(budget)
        drawn = self.encoding.sample(prior_seed, wanted=is_new)
        left = [] if is_new(drawn) else self.tried.left(budget)
        if left:  # what is hardly ever drawn
            drawn = left[int(rng.integers(len(left)))][1]
        return drawn, proposal_info(None)


def proposal_info(model_budget: float | None) -> dict[str, Any]:
    """How a configuration was found; `model_budget`: by the model of that budget."""
    return {"model_based_pick": model_budget is not None, "model_budget": model_budget}


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
        random_fraction: float = RANDOM_FRACTION,
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
        self._results: dict[float, Results] = {}

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

        A result of None or a loss that is not finite counts as worst.
        """
        super().new_result(job, update_model)
        loss: Any = None if job.result is None else job.result.get("loss")
        results = self._results.setdefault(float(job.kwargs["budget"]), Results())
        results.vectors.append(self.encoding.encode(job.kwargs["config"]))
        known = isinstance(loss, numbers.Real) and math.isfinite(loss)
        results.losses.append(float(loss) if known else math.inf)

    def _propose(
        self, rng: np.random.Generator, explore: float, prior_seed: int, budget: float
    ) -> Proposal:
        model_budget = self.model_budget()
        if model_budget is not None and explore >= self.random_fraction:
            model = self._model(model_budget)
            best = self._best(self._ranked_candidates(model, rng), model, budget)
            if best is not None:
                return best, proposal_info(model_budget)
            logger.info("all %d candidates are forbidden", self.num_samples)
        return super()._propose(rng, explore, prior_seed, budget)

    def _best(
        self, candidates: np.ndarray, model: Model, budget: float
    ) -> dict[str, Any] | None:
        """The first that is allowed and untried, else the best that is left to try.

        If nothing is left it is the least often tried; None if none is allowed.
        """
        is_new, tried = self.tried.novelty(budget), []
        for candidate in candidates:
            configuration = self.encoding.decode(candidate)
            if configuration is not None and is_new(configuration):
                return configuration
            if configuration is not None:
                tried.append(configuration)
        if tried and (left := self.tried.left(budget)):
            gain = self._value(model, np.array([vector for vector, _ in left]))
            return left[int(np.argmax(gain))][1]
        return min(tried, key=self.tried.times(budget), default=None)

    def model_budget(self) -> float | None:
        """The largest budget with enough results for both densities, if any."""
        if not self.encoding.names:
            return None
        ready = [
            b for b, r in self._results.items() if len(r.losses) >= 2 * self.min_points
        ]
        return max(ready, default=None)

    def _ranked_candidates(self, model: Model, rng: np.random.Generator) -> np.ndarray:
        """Samples of the good density, best ratio of good to bad first."""
        points = self._candidates(model, rng)
        good = model.good.log_density(points)
        return points[np.lexsort((-good, -self._value(model, points)))]

    def _model(self, budget: float) -> Model:
        """The two densities at `budget`, fitted anew only after new results."""
        results = self._results[budget]
        n = sum(len(r.losses) for r in self._results.values())
        if results.model is None or results.model.n != n:
            vectors, losses = self._evidence(budget)
            rng = seeding.generator(self.seed, "impute", f"{budget:g}", len(losses))
            vectors = vectors[np.argsort(losses, kind="stable")]
            n_good = self._n_good(len(losses))
            good, bad = (
                self._kernel(impute(part, self.encoding.levels, rng))
                for part in (vectors[:n_good], vectors[n_good:])
            )
            results.model = Model(good, bad, n)
        return results.model

    def _candidates(self, model: Model, rng: np.random.Generator) -> np.ndarray:
        return model.good.sample(rng, self.num_samples, self.bandwidth_factor)

    def _value(self, model: Model, points: np.ndarray) -> np.ndarray:
        """What is proposed first: the points where this is largest."""
        return log_ratio(model, points)

    def _evidence(self, budget: float) -> tuple[np.ndarray, np.ndarray]:
        """Vectors that the model is fitted to, and their losses."""
        known = self._results[budget]
        return np.array(known.vectors), np.array(known.losses)

    def _n_good(self, n: int) -> int:
        """How many of `n` results count as good."""
        return max(self.min_points, int(self.top_n_percent * n) // 100)

    def _kernel(self, vectors: np.ndarray) -> ProductKernel:
        return fit_kernel(vectors, self.encoding.levels, self.min_bandwidth)
