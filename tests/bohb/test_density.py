"""Kernels, bandwidths, samples and imputation, by hand."""

import math

import numpy as np
import pytest

from se_hpo import seeding
from se_hpo.bohb.density import ProductKernel, fit_kernel, impute, truncated_normal


def rng(*path):
    return seeding.generator(0, "test", *path)


def test_log_density_is_the_mean_of_products_computed_by_hand():
    data = np.array([[0.2, 0.0], [0.6, 2.0]])
    kernel = ProductKernel(data, np.array([0, 3]), np.array([0.1, 0.3]))

    def normal(z):
        return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    # at (0.3, 2): the first observation has another choice, the second the same
    first = normal((0.3 - 0.2) / 0.1) / 0.1 * (0.3 / 2)
    second = normal((0.3 - 0.6) / 0.1) / 0.1 * (1 - 0.3)
    got = kernel.log_density(np.array([[0.3, 2.0]]))
    assert got == pytest.approx([math.log((first + second) / 2)])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_numbers_and_tried_pairs_of_choices_have_the_density_hpbandster_gives_them():
    from statsmodels.nonparametric.api import KDEMultivariate

    draw = rng("statsmodels")
    data = np.hstack([draw.random((12, 3)), draw.integers(2, size=(12, 2))])
    points = np.hstack([draw.random((9, 3)), draw.integers(2, size=(9, 2))])
    theirs = KDEMultivariate(data=data, var_type="cccuu", bw="normal_reference")
    ours = fit_kernel(data, np.array([0, 0, 0, 2, 2]), min_bandwidth=1e-3)
    assert ours.bandwidth == pytest.approx(theirs.bw)
    assert ours.log_density(points) == pytest.approx(np.log(theirs.pdf(points)))


def test_a_choice_nobody_tried_has_a_density_and_all_choices_sum_to_one():
    kernel = ProductKernel(
        np.array([[0.0], [0.0], [1.0]]), np.array([4]), np.array([0.4])
    )
    density = np.exp(kernel.log_density(np.arange(4.0)[:, None]))
    assert density[3] == pytest.approx(0.4 / 3)
    assert density.sum() == pytest.approx(1.0)


def test_far_away_points_keep_finite_log_densities():
    kernel = ProductKernel(np.full((5, 20), 0.5), np.zeros(20, int), np.full(20, 1e-3))
    value = kernel.log_density(np.ones((1, 20)))
    assert np.isfinite(value)
    assert value < -1e6


def test_bandwidths_follow_the_normal_reference_rule():
    data = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    kernel = fit_kernel(data, np.array([0, 2]), min_bandwidth=1e-3)
    factor = 1.06 * 4 ** (-1 / 6)
    assert kernel.bandwidth == pytest.approx([0.5 * factor, math.sqrt(3 / 16) * factor])


def test_bandwidths_stay_between_the_floor_and_a_uniform_kernel():
    same = fit_kernel(np.zeros((6, 2)), np.array([0, 5]), min_bandwidth=1e-3)
    assert same.bandwidth == pytest.approx([1e-3, 1e-3])
    spread = fit_kernel(np.array([[0.0], [1.0]]), np.array([2]), min_bandwidth=1e-3)
    assert spread.bandwidth[0] <= 0.5


def test_the_order_in_which_choices_are_declared_does_not_matter():
    data = rng("order").integers(12, size=(30, 1)).astype(float)
    relabelled = rng("relabel").permutation(12)[data.astype(int)].astype(float)
    levels = np.array([12])
    assert fit_kernel(data, levels, 1e-3).bandwidth == pytest.approx(
        fit_kernel(relabelled, levels, 1e-3).bandwidth
    )


def test_samples_are_legal_and_follow_the_kernel():
    kernel = ProductKernel(
        np.array([[1.0, 2.0]]), np.array([0, 4]), np.array([0.1, 0.3])
    )
    points = kernel.sample(rng("sample"), 4000, widening=3)
    assert points[:, 0].min() >= 0
    assert points[:, 0].max() <= 1
    # half a normal of deviation 0.3 at the upper end: mean distance 0.3 sqrt(2 / pi)
    assert 1 - points[:, 0].mean() == pytest.approx(0.239, abs=0.02)
    shares = np.bincount(points[:, 1].astype(int), minlength=4) / 4000
    assert shares == pytest.approx([0.1, 0.1, 0.7, 0.1], abs=0.03)


def test_the_truncated_normal_is_redrawn_not_clipped():
    x = truncated_normal(rng("truncated"), np.zeros(2000), 0.5)
    assert ((x > 0) & (x < 1)).all()


def test_inactive_entries_are_imputed_from_active_ones():
    data = np.array([[0.1, np.nan, np.nan], [0.2, 3.0, np.nan], [0.3, 5.0, np.nan]])
    filled = impute(data, np.array([0, 6, 2]), rng("impute"))
    assert filled[1:, :2] == pytest.approx(data[1:, :2])
    assert filled[0, 1] in (3.0, 5.0)
    assert set(filled[:, 2]) <= {0.0, 1.0}  # never active: any choice
    assert np.isnan(data[0, 1])  # the input is left alone
