"""The paper's update (Ferreira et al. 2022, Algorithm 1).

Differences from the authors' code: tied ranks are averaged. `antithetic` and `single`
sampling are additions.
"""

from __future__ import annotations

import numpy as np

from se_hpo.nes.score_transforms import transform_scores
from se_hpo.nes.strategies import State, Strategy, weighted_sum


class NES(Strategy):
    """psi <- psi (1 - weight_decay) + a sum_i w_i eps_i.

    The step size a is `step_size`, or a P-th of it; the weights w come from
    `score_transform`, and with `sampling` from one or both signs of a direction.
    """

    @property
    def n_signs(self) -> int:
        """+eps, and -eps unless sampling is `single`."""
        return 1 if self.config.sampling == "single" else 2

    def update(
        self,
        state: State,
        perturbations: np.ndarray,
        scores: np.ndarray,
        baseline: float,
    ) -> tuple[State, np.ndarray]:
        """One step; all there is to remember is the center."""
        config = self.config
        weights = self.direction_weights(scores, baseline)
        step_size = config.step_size
        if config.divide_step_by_population:
            step_size /= config.population
        step = step_size * weighted_sum(weights, perturbations)
        psi = (state["psi"] * (1.0 - config.weight_decay) + step).astype(np.float32)
        return {"psi": psi}, weights

    def direction_weights(self, scores: np.ndarray, baseline: float) -> np.ndarray:
        """Signed weight of every direction: `P x signs` scores -> `P`.

        `mirrored_best`: each pair counts with its better sign (a tie keeps +), as the
        authors do. `antithetic`: all 2P members are transformed together and a
        direction gets the difference of its pair (Salimans et al. 2017). `single`:
        +eps only.
        """
        name, sampling = self.config.score_transform, self.config.sampling
        if sampling == "antithetic":
            both = transform_scores(name, scores.T.ravel(), baseline).reshape(2, -1)
            return both[0] - both[1]
        if sampling == "single":
            return transform_scores(name, scores[:, 0], baseline)
        signs = np.where(scores[:, 1] > scores[:, 0], -1.0, 1.0)
        return signs * transform_scores(name, scores.max(axis=1), baseline)
