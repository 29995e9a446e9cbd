"""Config generator that draws from the prior, for Hyperband and random search."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import ConfigSpace
import numpy as np
from hpbandster.core.base_config_generator import base_config_generator

from se_hpo import seeding
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.bohb.tried import Tried

logger = logging.getLogger(__name__)

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
        """Start without proposals.

        Args:
            configspace: what to search; copied.
            seed: root of every random number.
            start_from_default: propose the space's default configuration first, after
                those of `start_from`.
            start_from: configurations to propose before all others.
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
        """Propose a configuration of builtin values, and how it was found.

        Args:
            budget: of the rung it is for; without floats in the space, one that was not
                tried there is preferred.

        Returns:
            The configuration without inactive hyperparameters, and
            `{"model_based_pick": bool, "model_budget": float | None}`.
        """
        number = self.n_proposals
        rng = seeding.generator(self.seed, "proposal", number)
        self.n_proposals += 1
        if number < len(self.first):
            proposal = dict(self.first[number]), proposal_info(None)
        else:
            explore, prior_seed = rng.random(), _seed32(rng)
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


def _seed32(rng: np.random.Generator) -> int:
    """A seed that ConfigSpace's RandomState takes."""
    return int(rng.integers(2**32, dtype=np.uint64))
