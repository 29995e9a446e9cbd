"""Separable natural evolution strategies (Wierstra et al. 2014; Schaul et al. 2011).

A search distribution N(mu, diag(sigma^2)) of the parameters. Of L members
z_k = mu + sigma eps_k, eps_k ~ N(0, I), with ranks k = 1 the best:

    u_k = max(0, ln(L/2 + 1) - ln k) / sum_j max(0, ln(L/2 + 1) - ln j) - 1/L
    mu <- mu + a sigma sum_k u_k eps_k
    sigma <- sigma exp(eta/2 sum_k u_k (eps_k^2 - 1)),   eta = (3 + ln n) / (5 sqrt n)

for n parameters. a is `step_size` (1 in the papers), sigma starts at `noise_std`; tied
members share the mean of their utilities.
"""

from __future__ import annotations

import math

import numpy as np

from se_hpo.nes.strategies import State, Strategy


def utilities(scores: np.ndarray) -> np.ndarray:
    """U of each of `L` members, float64; their sum is 0.

    >>> utilities(np.array([1.0, 3.0, 2.0, 2.0])).round(3).tolist()
    [-0.25, 0.48, -0.115, -0.115]
    """
    n = len(scores)
    by_rank = np.maximum(0.0, math.log(n / 2 + 1) - np.log(np.arange(1, n + 1)))
    by_rank = by_rank / by_rank.sum() - 1 / n
    _, place, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    sums = np.diff(np.concatenate(([0.0], np.cumsum(by_rank)[ends - 1])))
    return np.asarray((sums / counts)[place.reshape(n)])


class SNES(Strategy):
    """A deviation per parameter; no pairs of signs."""

    @property
    def n_signs(self) -> int:
        """+eps alone."""
        return 1

    def init(self, psi: np.ndarray) -> State:
        """The center, and the deviation of every parameter: `n`, float64."""
        return {"psi": psi, "sigma": np.full(len(psi), self.config.noise_std)}

    def ask(self, state: State, rng: np.random.Generator) -> np.ndarray:
        """What to add to the center: sigma eps, float32: `P x 1 x n`."""
        shape = (self.config.population, 1, len(state["psi"]))
        noise = rng.standard_normal(shape, dtype=np.float32)
        return noise * state["sigma"].astype(np.float32)

    def update(
        self,
        state: State,
        perturbations: np.ndarray,
        scores: np.ndarray,
        baseline: float,
    ) -> tuple[State, np.ndarray]:
        """One step of center and deviations; the baseline is not needed."""
        config, sigma, n = self.config, state["sigma"], len(state["psi"])
        weights = utilities(scores[:, 0])
        eps = perturbations[:, 0].astype(np.float64) / sigma
        # Sums, no BLAS products: those differ in the last bit between machines.
        step = config.step_size * sigma * (weights[:, None] * eps).sum(axis=0)
        spread = (weights[:, None] * (eps**2 - 1)).sum(axis=0)
        eta = (3 + math.log(n)) / (5 * math.sqrt(n))
        psi = (state["psi"] * (1.0 - config.weight_decay) + step).astype(np.float32)
        return {"psi": psi, "sigma": sigma * np.exp(eta / 2 * spread)}, weights
