"""Hand-computed weights of every score transform, ties included."""

import numpy as np
import pytest

from se_hpo.config.nes_config import SCORE_TRANSFORMS
from se_hpo.errors import UserError
from se_hpo.nes.score_transforms import TRANSFORMS, transform_scores

SCORES = np.array([10.0, 40.0, 20.0, 30.0])
# NES utilities for P = 4: max(0, ln 3 - ln rank), ranks 4, 1, 3, 2
U1, U2 = np.log(3.0), np.log(1.5)


def weights(name, scores=SCORES, baseline=20.0):
    return transform_scores(name, np.asarray(scores, float), baseline)


def test_registry_and_configuration_name_the_same_transforms():
    assert tuple(TRANSFORMS) == SCORE_TRANSFORMS


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", [0, 1, 1 / 3, 2 / 3]),
        ("rank", [0, 1, 1 / 3, 2 / 3]),
        ("centered_rank", [-0.5, 0.5, -1 / 6, 1 / 6]),
        ("nes_unnormalized", [0, 1, 0, U2 / U1]),
        ("single_best", [0, 1, 0, 0]),
        ("single_better", [0, 1, 0, 0]),
        ("all_better", [0, 1, 0, 0.5]),
        ("all_better_sum", [0, 2 / 3, 0, 1 / 3]),
    ],
)
def test_weights_of_four_distinct_scores_match_the_formula(name, expected):
    np.testing.assert_allclose(weights(name), expected, atol=1e-8)


def test_nes_weights_are_zero_sum_with_best_one():
    total = U1 + U2
    v = np.array([0, U1, 0, U2]) / total - 0.25
    np.testing.assert_allclose(weights("nes"), v / v.max(), atol=1e-12)
    assert abs(weights("nes").sum()) < 1e-12


def test_published_weights_of_population_sixteen():
    scores = np.arange(16, 0, -1.0)
    unnormalized = weights("nes_unnormalized", scores)
    published = [1, 0.685, 0.5, 0.369, 0.268, 0.185, 0.114, 0.054] + [0] * 8
    np.testing.assert_allclose(unnormalized, published, atol=6e-4)
    normalized = weights("nes", scores)
    np.testing.assert_allclose(
        normalized[:5], [1, 0.606, 0.376, 0.213, 0.086], atol=1e-3
    )
    np.testing.assert_allclose(normalized[-8:], -0.247, atol=1e-3)


def test_tied_scores_share_the_mean_rank():
    scores = [5.0, 5.0, 1.0]
    np.testing.assert_allclose(weights("rank", scores), [0.75, 0.75, 0])
    np.testing.assert_allclose(weights("centered_rank", scores), [0.25, 0.25, -0.5])
    u = np.maximum(0, np.log(2.5) - np.log([1.5, 1.5, 3.0]))
    np.testing.assert_allclose(weights("nes_unnormalized", scores), u / u.max())


@pytest.mark.parametrize("name", SCORE_TRANSFORMS)
def test_ties_do_not_depend_on_the_order_of_members(name):
    scores = np.array([3.0, 7.0, 3.0, 9.0, 1.0])
    shuffled = [4, 2, 0, 3, 1]
    np.testing.assert_allclose(
        weights(name, scores)[shuffled], weights(name, scores[shuffled])
    )


@pytest.mark.parametrize("name", SCORE_TRANSFORMS)
def test_equal_scores_give_finite_equal_or_single_weights(name):
    w = weights(name, [9.0] * 6, baseline=9.0)
    assert np.isfinite(w).all()
    if name == "single_best":
        assert w.tolist() == [1, 0, 0, 0, 0, 0]
    else:
        assert len(set(w.tolist())) == 1


@pytest.mark.parametrize("name", ["single_better", "all_better", "all_better_sum"])
def test_no_member_better_than_the_center_means_no_move(name):
    assert not weights(name, baseline=40.0).any()
    assert not weights(name, baseline=40.0 - 5e-7).any(), "within the tolerance"
    assert weights(name, baseline=39.0).sum() == pytest.approx(1.0)


def test_nes_without_the_mean_moves_even_when_all_members_are_worse():
    assert weights("nes_unnormalized", baseline=1e6).any()


@pytest.mark.parametrize("name", SCORE_TRANSFORMS)
def test_a_population_of_one_gives_a_finite_weight(name):
    assert np.isfinite(weights(name, [3.0])).all()


@pytest.mark.parametrize("bad", [[], [1.0, np.nan], [np.inf, 1.0], [[1.0, 2.0]]])
def test_scores_that_are_no_finite_vector_are_refused(bad):
    with pytest.raises(UserError, match="finite"):
        transform_scores("rank", np.asarray(bad), 0.0)


def test_unknown_name_gets_a_suggestion():
    with pytest.raises(UserError, match="did you mean 'single_better'"):
        transform_scores("single_beter", SCORES, 0.0)
