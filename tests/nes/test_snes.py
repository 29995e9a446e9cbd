"""SNES by hand: utilities, one update of center and deviations, ties."""

import math

import numpy as np
import pytest

from se_hpo.config.nes_config import NESConfig
from se_hpo.nes.strategies import make_strategy
from se_hpo.nes.strategies.snes import utilities


def snes(**values):
    return make_strategy(NESConfig(strategy="snes", **values))


def test_utilities_are_those_of_the_papers():
    # L = 4: ln 3 - ln k for k = 1, 2; 0 for k = 3, 4 (ln 3 - ln 3 = 0); minus 1/4.
    by_rank = np.array([math.log(3), math.log(1.5), 0, 0])
    by_rank = by_rank / by_rank.sum() - 0.25
    found = utilities(np.array([5.0, -1.0, 7.0, 2.0]))
    np.testing.assert_allclose(found, by_rank[[1, 3, 0, 2]], atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 65])
def test_they_sum_to_0_and_the_best_has_most(n):
    scores = np.random.default_rng(n).permutation(n).astype(float)
    found = utilities(scores)
    assert found.sum() == pytest.approx(0, abs=1e-12)
    assert np.argmax(found) == np.argmax(scores)
    order = found[np.argsort(-scores)]
    assert (np.diff(order) < 1e-12).all()


def test_tied_members_share_the_mean_of_their_utilities():
    alone = utilities(np.array([4.0, 3.0, 2.0, 1.0]))
    found = utilities(np.array([9.0, 5.0, 5.0, 5.0]))
    np.testing.assert_allclose(found[0], alone[0])
    np.testing.assert_allclose(found[1:], alone[1:].mean())
    np.testing.assert_allclose(utilities(np.full(7, 3.0)), 0, atol=1e-16)


def test_one_update_of_three_parameters_by_hand():
    """Two members: u = 1/2 and -1/2, as ln 2 / ln 2 - 1/2 and 0 - 1/2."""
    strategy = snes(population=2, step_size=0.5, weight_decay=0.1)
    psi = np.array([1.0, 2.0, -4.0], np.float32)
    sigma = np.array([0.1, 0.2, 0.4])
    state = {"psi": psi, "sigma": sigma}
    eps = np.array([[1.0, 2.0, 0.0], [-1.0, 1.0, 3.0]])
    perturbations = (sigma * eps)[:, None].astype(np.float32)
    new, update = strategy.tell(state, perturbations, np.array([[8.0], [3.0]]), 99.0)
    np.testing.assert_allclose(update.weights, [0.5, -0.5])
    # sum u eps = (1, 0.5, -1.5); sum u (eps^2 - 1) = (0, 1.5, -4.5)
    moved = 0.5 * sigma * [1.0, 0.5, -1.5]
    np.testing.assert_allclose(new["psi"], 0.9 * psi + moved, rtol=1e-6)
    eta = (3 + math.log(3)) / (5 * math.sqrt(3))
    grown = sigma * np.exp(eta / 2 * np.array([0.0, 1.5, -4.5]))
    np.testing.assert_allclose(new["sigma"], grown, rtol=1e-6)
    assert new["psi"].dtype == np.float32 and new["sigma"].dtype == np.float64


def test_members_lie_around_the_center_with_the_deviation_of_each_parameter():
    strategy = snes(population=4000, noise_std=0.3)
    state = strategy.init(np.zeros(3, np.float32))
    np.testing.assert_array_equal(state["sigma"], [0.3] * 3)
    state["sigma"] = np.array([0.01, 1.0, 5.0])
    found = strategy.ask(state, np.random.default_rng(0))[:, 0]
    np.testing.assert_allclose(found.std(axis=0), state["sigma"], rtol=0.05)
    assert (np.abs(found.mean(axis=0)) < 0.1 * state["sigma"]).all()


def test_where_all_members_are_equal_nothing_moves():
    strategy = snes(population=6)
    state = strategy.init(np.ones(4, np.float32))
    perturbations = strategy.ask(state, np.random.default_rng(0))
    new, update = strategy.tell(state, perturbations, np.full((6, 1), 9.0), 0.0)
    np.testing.assert_allclose(new["psi"], 1, atol=1e-7)
    np.testing.assert_allclose(new["sigma"], state["sigma"])
    assert update.step_norm < 1e-6


def test_deviations_shrink_towards_an_optimum_and_grow_away_from_it():
    sigmas = []
    for target in (0.0, 100.0):
        strategy = snes(population=20, noise_std=0.5)
        state = strategy.init(np.zeros(3, np.float32))
        for g in range(40):
            perturbations = strategy.ask(state, np.random.default_rng(g))
            members = state["psi"] + perturbations
            scores = -np.sum((members - target) ** 2, axis=-1)
            state, _ = strategy.tell(state, perturbations, scores, 0.0)
        sigmas.append(state["sigma"].max())
    assert sigmas[0] < 0.1 < 1.0 < sigmas[1]
