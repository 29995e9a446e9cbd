"""The update of `openai_es`, computed by hand."""

import numpy as np

from se_hpo.config.nes_config import NESConfig
from se_hpo.nes.strategies.openai_es import OpenAIES

PSI = np.array([1.0, 2.0], np.float32)
DIRECTIONS = np.array([[0.1, -0.2], [0.3, 0.0]], np.float32)
PAIRS = np.stack([DIRECTIONS, -DIRECTIONS], axis=1)
CONFIG = NESConfig(strategy="openai_es", population=2, noise_std=0.1, weight_decay=0.1)


class Plain:
    """psi + a g with a = 1."""

    def init(self, n):
        return {}

    def step(self, state, gradient):
        return {}, gradient


def test_the_gradient_is_that_of_antithetic_pairs_with_centered_ranks():
    strategy = OpenAIES(CONFIG, Plain())
    # all four: 1, 5, 3, 2 -> centered ranks -1/2, 1/2, 1/6, -1/6
    scores = [[1.0, 5.0], [3.0, 2.0]]
    state, update = strategy.tell(strategy.init(PSI), PAIRS, scores, 0.0)
    np.testing.assert_allclose(update.weights, [-1.0, 1 / 3])
    gradient = (-1.0 * DIRECTIONS[0] + 1 / 3 * DIRECTIONS[1]) / 0.1 / (2 * 2 * 0.1)
    np.testing.assert_allclose(state["psi"], 0.9 * PSI + gradient, rtol=1e-6)


def test_the_first_step_of_adam_has_the_step_size_in_every_coordinate():
    config = NESConfig(strategy="openai_es", population=2, noise_std=0.1, step_size=0.5)
    strategy = OpenAIES(config)
    # ranks 1/2, -1/2, 1/6, -1/6: the gradient's signs are + and -
    scores = [[5.0, 1.0], [3.0, 2.0]]
    state, _ = strategy.tell(strategy.init(PSI), PAIRS, scores, 0.0)
    np.testing.assert_allclose(state["psi"], [1.5, 1.5], rtol=1e-6)
