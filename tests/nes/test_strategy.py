"""The NES update, computed by hand, and the bookkeeping around it."""

from dataclasses import replace

import numpy as np
import pytest

from se_hpo.config.nes_config import NESConfig
from se_hpo.nes.nes_state import NESState
from se_hpo.nes.strategies.nes import NES

CONFIG = NESConfig(population=2, noise_std=0.1, step_size=0.5, score_transform="rank")
PSI = np.array([1.0, 2.0], np.float32)
STATE = NESState({"psi": PSI}, best_psi=PSI)
DIRECTIONS = np.array([[0.1, -0.2], [0.3, 0.0]], np.float32)


def updated(config, scores, baseline=0.0):
    scores = np.array(scores)
    signs = np.array([1, -1], np.float32)[: scores.shape[1], None]
    perturbations = signs * DIRECTIONS[:, None]
    state, _ = NES(config).tell({"psi": PSI}, perturbations, scores, baseline)
    return state["psi"]


def test_mirrored_best_moves_along_the_better_sign_of_the_best_pair():
    # pair scores: max(1, 5) = 5 with -eps, max(3, 2) = 3 with +eps; ranks 1 and 2
    psi = updated(CONFIG, [[1.0, 5.0], [3.0, 2.0]])
    np.testing.assert_allclose(psi, PSI + 0.5 * -DIRECTIONS[0], rtol=1e-6)


def test_mirrored_best_keeps_plus_on_a_tie():
    weights = NES(CONFIG).direction_weights(np.array([[4.0, 4.0], [1.0, 0.0]]), 0.0)
    assert weights.tolist() == [1.0, 0.0]


def test_antithetic_moves_along_the_difference_of_the_pair():
    config = replace(CONFIG, sampling="antithetic", score_transform="centered_rank")
    # all four: 1, 5, 3, 2 -> centered ranks -1/2, 1/2, 1/6, -1/6
    psi = updated(config, [[1.0, 5.0], [3.0, 2.0]])
    step = 0.5 * (-1.0 * DIRECTIONS[0] + (1 / 3) * DIRECTIONS[1])
    np.testing.assert_allclose(psi, PSI + step, rtol=1e-6)


def test_single_sampling_uses_plus_only():
    config = replace(CONFIG, sampling="single")
    psi = updated(config, [[1.0], [3.0]])
    np.testing.assert_allclose(psi, PSI + 0.5 * DIRECTIONS[1], rtol=1e-6)
    assert NES(config).ask({"psi": PSI}, np.random.default_rng(3)).shape == (2, 1, 2)


def test_weight_decay_shrinks_before_the_step():
    psi = updated(replace(CONFIG, weight_decay=0.1), [[1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(psi, 0.9 * PSI + 0.5 * DIRECTIONS[1], rtol=1e-6)


def test_step_can_be_divided_by_the_population():
    config = replace(CONFIG, divide_step_by_population=True)
    psi = updated(config, [[1.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(psi, PSI + 0.25 * DIRECTIONS[1], rtol=1e-6)


def test_baseline_stops_a_better_transform_from_moving():
    config = replace(CONFIG, score_transform="all_better_sum")
    np.testing.assert_array_equal(updated(config, [[1.0, 0], [3.0, 0]], 9.0), PSI)


def test_the_second_of_a_pair_is_the_negated_first():
    pairs = NES(CONFIG).ask({"psi": PSI}, np.random.default_rng(3))
    np.testing.assert_array_equal(pairs[:, 1], -pairs[:, 0])


def test_directions_have_the_noise_std_and_depend_on_the_generator_only():
    config = replace(CONFIG, population=200)
    state = {"psi": np.zeros(500, np.float32)}
    first = NES(config).ask(state, np.random.default_rng(3))
    assert first.dtype == np.float32
    assert first.std() == pytest.approx(0.1, rel=0.01)
    again = NES(config).ask(state, np.random.default_rng(3))
    np.testing.assert_array_equal(first, again)


def test_best_center_is_kept_and_first_solving_generation_noted():
    state = STATE.with_center_scores(np.array([100.0, 300.0]), solved_return=195.0)
    assert (state.best_score, state.solved_at) == (200.0, 1)
    moved = replace(state, strategy={"psi": PSI + 1}, generation=1)
    later = moved.with_center_scores(np.array([150.0]), solved_return=195.0)
    np.testing.assert_array_equal(later.best_psi, PSI)
    assert (later.generation, later.best_score, later.solved_at) == (1, 200.0, 1)


def test_overflow_gives_a_nonfinite_center_without_a_warning(recwarn):
    big = replace(CONFIG, step_size=1e38)
    state = {"psi": np.full(2, 3e38, np.float32)}
    perturbations = np.full((2, 2, 2), 10.0, np.float32)
    state, _ = NES(big).tell(state, perturbations, [[3.0, 0], [1.0, 0]], 0.0)
    assert not np.isfinite(state["psi"]).all()
    assert not recwarn.list
