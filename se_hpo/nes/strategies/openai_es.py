"""OpenAI's evolution strategy (Salimans et al. 2017, https://arxiv.org/abs/1703.03864).

Algorithm 1 moves along an estimate of the gradient of the expected score,

    g = 1 / (m sigma) sum_j F_j eps_j,    psi <- psi + a g,    eps_j ~ N(0, I),

over m perturbations. Section 2.1 makes of it: pairs psi +- sigma eps (antithetic
sampling), so m = 2P and g = 1 / (2P sigma) sum_i (F_i+ - F_i-) eps_i; ranks of all
m scores between -1/2 and 1/2 in place of the scores F (fitness shaping); weight decay;
and Adam in place of psi + a g, as in the authors' configurations.

Differences from the authors' code: tied ranks are averaged, and weight decay shrinks
psi itself, as for `nes`, in place of a term of the gradient.
"""

from __future__ import annotations

import numpy as np

from se_hpo.config.nes_config import NESConfig
from se_hpo.nes.optimizers import Adam, Optimizer
from se_hpo.nes.score_transforms import centered_rank
from se_hpo.nes.strategies import State, Strategy, weighted_sum


class OpenAIES(Strategy):
    """Ascent along g, its step from `optimizer`: Adam with `step_size` as a."""

    def __init__(self, config: NESConfig, optimizer: Optimizer | None = None) -> None:
        super().__init__(config)
        self.optimizer = optimizer or Adam(config.step_size)

    def init(self, psi: np.ndarray) -> State:
        """The center, and what the optimizer remembers."""
        return {"psi": psi, **self.optimizer.init(len(psi))}

    def update(
        self,
        state: State,
        perturbations: np.ndarray,
        scores: np.ndarray,
        baseline: float,
    ) -> tuple[State, np.ndarray]:
        """One step; the baseline cancels out in every pair."""
        config = self.config
        plus, minus = centered_rank(scores.T.ravel(), baseline).reshape(2, -1)
        weights = plus - minus
        # A perturbation is sigma eps: hence the square.
        scale = 2 * config.population * config.noise_std**2
        gradient = weighted_sum(weights, perturbations) / scale
        memory, step = self.optimizer.step(state, gradient)
        psi = (state["psi"] * (1.0 - config.weight_decay) + step).astype(np.float32)
        return {"psi": psi, **memory}, weights
