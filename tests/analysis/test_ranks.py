"""Rank correlations against scipy and simulation."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from se_hpo.analysis.estimates import Bootstrap
from se_hpo.analysis.ranks import (
    MEASURES,
    fisher_interval,
    rank_correlation,
    weighted_ranks,
)

pytestmark = pytest.mark.filterwarnings("error")

SCIPY = {"spearman": scipy.stats.spearmanr, "kendall": scipy.stats.kendalltau}
WITH_TIES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=40
)
HOW = Bootstrap(n_resamples=200)


def value(x: np.ndarray, y: np.ndarray, measure: str) -> float:
    return rank_correlation(x, y, measure, HOW).value


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs=WITH_TIES)
def test_equals_scipy_with_ties(measure: str, pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    found = value(x, y, measure)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(SCIPY[measure](x, y).statistic)


@pytest.mark.parametrize("measure", MEASURES)
@given(pairs=WITH_TIES, seed=st.integers(0, 99))
def test_weights_mean_copies(
    measure: str, pairs: list[tuple[int, int]], seed: int
) -> None:
    x, y = np.array(pairs, dtype=float).T
    copies = np.random.default_rng(seed).integers(0, 3, len(x))
    weighted = MEASURES[measure](x, y, copies[None, :].astype(float))[0]
    x, y = np.repeat(x, copies), np.repeat(y, copies)
    if len(set(x)) < 2 or len(set(y)) < 2:
        assert math.isnan(weighted)
    else:
        assert weighted == pytest.approx(SCIPY[measure](x, y).statistic)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=30))
def test_ranks_are_scipys(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    ranks = weighted_ranks(x, np.ones((1, len(x))))[0]
    assert ranks.tolist() == scipy.stats.rankdata(x).tolist()


@pytest.mark.parametrize("measure", MEASURES)
@given(seed=st.integers(0, 50))
def test_only_the_order_of_values_counts(measure: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 15))
    r = value(x, y, measure)
    assert value(np.exp(x), y**3, measure) == pytest.approx(r)
    assert value(-x, y, measure) == pytest.approx(-r)
    order = rng.permutation(15)
    assert value(x[order], y[order], measure) == pytest.approx(r)


@pytest.mark.parametrize("measure", MEASURES)
def test_fishers_interval_covers_the_truth_about_as_often_as_it_says(
    measure: str,
) -> None:
    rng = np.random.default_rng(0)
    rho = 0.6
    truth = {
        "spearman": 6 / math.pi * math.asin(rho / 2),
        "kendall": 2 / math.pi * math.asin(rho),
    }[measure]
    covered = 0
    for _ in range(400):
        x, e = rng.normal(size=(2, 20))
        found = rank_correlation(
            x, rho * x + math.sqrt(1 - rho**2) * e, measure, Bootstrap(confidence=0.9)
        )
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.85 <= covered / 400 <= 0.96


def test_fishers_interval_by_hand() -> None:
    found = fisher_interval(0.5, 28, "spearman", 0.95)
    half = 1.959964 * math.sqrt((1 + 0.125) / 25)
    expected = [math.tanh(math.atanh(0.5) + s * half) for s in (-1, 1)]
    assert [found.low, found.high] == pytest.approx(expected)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_perfect_order_of_few_is_not_certain(measure: str) -> None:
    x = np.arange(6.0)
    up, down = (rank_correlation(x, y, measure, HOW) for y in (x, -x))
    assert up.value == up.high == 1.0
    assert up.low is not None and 0.0 < up.low < 0.9
    assert (down.value, down.low, down.high) == (-1.0, -1.0, pytest.approx(-up.low))


@pytest.mark.parametrize(
    ("x", "y", "note"),
    [
        ([], [], "0 pairs: too few"),
        ([1, 2], [1, 2], "2 pairs: too few"),
        ([1, 2, math.nan, 4], [1, math.nan, 3, 4], "2 pairs: too few"),
        ([5, 5, 5], [1, 2, 3], "the first of the two is the same"),
        ([1, 2, 3], [5, 5, 5], "the second of the two is the same"),
    ],
)
def test_what_has_no_correlation_says_why(
    x: list[float], y: list[float], note: str
) -> None:
    found = rank_correlation(np.array(x), np.array(y), "kendall", HOW)
    assert math.isnan(found.value) and found.low is None
    assert note in found.note


def test_missing_values_are_left_out_pair_by_pair() -> None:
    x = np.array([1.0, 2.0, 3.0, math.nan, 5.0])
    y = np.array([1.0, 3.0, 2.0, 9.0, math.inf])
    assert value(x, y, "spearman") == pytest.approx(0.5)


def test_clusters_that_repeat_pairs_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=20)
    y = x + rng.normal(size=20)
    one = rank_correlation(x, y, "spearman", HOW, np.arange(20))
    five = rank_correlation(
        np.repeat(x, 5), np.repeat(y, 5), "spearman", HOW, np.repeat(np.arange(20), 5)
    )
    assert one.low is not None and five.low is not None
    assert five.low == pytest.approx(one.low, abs=0.02)
    assert five.high == pytest.approx(one.high, abs=0.02)
