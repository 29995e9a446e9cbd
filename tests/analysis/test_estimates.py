"""Statistics and intervals against scipy, closed forms and hand-made values."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from se_hpo.analysis import estimates
from se_hpo.analysis.estimates import Bootstrap, Clusters
from se_hpo.errors import UserError

pytestmark = pytest.mark.filterwarnings("error")

OfSample = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Values, weights (resamples, values) -> one number per resample."""

SCORES = hnp.arrays(
    float, st.integers(1, 60), elements=st.floats(-500, 500, allow_subnormal=False)
)
STATISTICS = [estimates.mean, estimates.interquartile_mean, estimates.worst_decile]


def plain(statistic: OfSample, values: np.ndarray) -> float:
    return float(statistic(values, np.ones((1, len(values))))[0])


@given(SCORES)
def test_interquartile_mean_is_scipys_trimmed_mean(values: np.ndarray) -> None:
    expected = scipy.stats.trim_mean(values, 0.25)
    assert plain(estimates.interquartile_mean, values) == pytest.approx(expected)


@given(SCORES)
def test_worst_decile_is_the_mean_of_the_lowest_tenth_rounded_up(
    values: np.ndarray,
) -> None:
    lowest = np.sort(values)[: math.ceil(len(values) / 10)]
    assert plain(estimates.worst_decile, values) == pytest.approx(lowest.mean())


def test_interquartile_mean_by_hand() -> None:
    values = np.array([9.0, 200.0, 100.0, 120.0, 110.0, 0.0, 200.0, 130.0])
    assert plain(estimates.interquartile_mean, values) == 115.0  # of 100 110 120 130


@given(hnp.arrays(float, st.integers(2, 30), elements=st.floats(-500, 500)))
def test_std_is_the_sample_standard_deviation(values: np.ndarray) -> None:
    assert plain(estimates.std, values) == pytest.approx(
        np.std(values, ddof=1), abs=1e-6
    )


@pytest.mark.parametrize("statistic", STATISTICS)
@given(values=SCORES, seed=st.integers(0, 99))
def test_weights_mean_copies(
    statistic: OfSample, values: np.ndarray, seed: int
) -> None:
    weights = np.random.default_rng(seed).integers(0, 4, len(values))
    weights[0] += 1
    weighted = statistic(values, weights[None, :].astype(float))
    copied = plain(statistic, np.repeat(values, weights))
    assert weighted[0] == pytest.approx(copied)


@pytest.mark.parametrize("statistic", STATISTICS)
@given(values=SCORES, place=st.integers(0, 59), more=st.floats(0, 100))
def test_a_better_agent_never_lowers_the_statistic(
    statistic: OfSample, values: np.ndarray, place: int, more: float
) -> None:
    better = values.copy()
    better[place % len(values)] += more
    assert plain(statistic, better) >= plain(statistic, values) - 1e-9


def test_a_resample_holds_whole_clusters() -> None:
    labels = np.array(["a", "b", "b", "a", "c"])
    weights = Clusters(labels, Bootstrap(n_resamples=50)).weights
    assert weights.shape == (50, 5)
    assert (weights[:, 0] == weights[:, 3]).all()
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 4]].sum(axis=1) == 3).all()


def test_the_interval_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(100.0, 20.0, 200)
    found = Clusters(np.arange(200), Bootstrap()).estimate(
        partial(estimates.mean, values)
    )
    assert found.low is not None and found.high is not None
    expected = 2 * 1.96 * values.std(ddof=1) / math.sqrt(200)
    assert found.high - found.low == pytest.approx(expected, rel=0.1)
    assert found.low < found.value < found.high
    assert found.note == ""


def test_copies_within_a_cluster_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).normal(size=30)
    alone = Clusters(np.arange(30), Bootstrap()).estimate(
        partial(estimates.mean, values)
    )
    tenfold = Clusters(np.repeat(np.arange(30), 10), Bootstrap()).estimate(
        partial(estimates.mean, np.repeat(values, 10))
    )
    assert (tenfold.low, tenfold.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize(("n_ses", "at_least"), [(5, 0.85), (10, 0.86), (20, 0.86)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(
    n_ses: int, at_least: float
) -> None:
    rng = np.random.default_rng(2)
    how = Bootstrap(n_resamples=400, confidence=0.9)
    covered = 0
    for _ in range(400):
        ses = rng.normal(0.0, 1.0, n_ses)
        values = np.repeat(ses, 5) + rng.normal(0.0, 1.0, 5 * n_ses)
        found = Clusters(np.repeat(np.arange(n_ses), 5), how).estimate(
            partial(estimates.mean, values)
        )
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.0 <= found.high
    assert at_least <= covered / 400 <= 0.94


@given(st.integers(0, 20))
@settings(max_examples=10)
def test_order_of_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = rng.normal(size=24), np.repeat(list("fabecd"), 4)
    order = rng.permutation(24)
    how = Bootstrap(n_resamples=100)
    one, two = (
        Clusters(c, how).estimate(partial(estimates.interquartile_mean, v))
        for v, c in ((values, labels), (values[order], labels[order]))
    )
    assert (one.value, one.low, one.high) == pytest.approx(
        (two.value, two.low, two.high)
    )


def test_the_seed_decides_the_interval_and_a_higher_confidence_widens_it() -> None:
    values, labels = np.arange(12.0), np.arange(12)

    def interval(how: Bootstrap) -> tuple[float | None, float | None]:
        found = Clusters(labels, how).estimate(partial(estimates.mean, values))
        return found.low, found.high

    assert interval(Bootstrap(3)) == interval(Bootstrap(3)) != interval(Bootstrap(4))
    ends = [interval(Bootstrap(confidence=c)) for c in (0.5, 0.9, 0.99)]
    for (low, high), (lower, higher) in pairwise(ends):
        assert lower < low < high < higher


@pytest.mark.parametrize(
    ("n_clusters", "interval", "note"),
    [
        (0, False, "no agents"),
        (1, False, "one SE: no interval"),
        (2, False, "two SEs: no interval"),
        (3, True, "only 3 SEs: intervals are too narrow"),
        (5, True, ""),
    ],
)
def test_few_ses_are_said_to_be_few(n_clusters: int, interval: bool, note: str) -> None:
    values = np.arange(2.0 * n_clusters)
    clusters = Clusters(np.repeat(np.arange(n_clusters), 2), Bootstrap())
    found = clusters.estimate(partial(estimates.mean, values))
    assert found.note == note
    assert (found.low is not None) == interval
    assert math.isnan(found.value) == (n_clusters == 0)


@pytest.mark.parametrize(
    "changes", [{"n_resamples": 0}, {"confidence": 1.0}, {"confidence": 0.0}]
)
def test_settings_of_the_bootstrap_are_checked(changes: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        Bootstrap(**changes)


def test_probability_of_improvement_counts_ties_half() -> None:
    better = estimates.improvement(np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 2.0]))
    assert better.tolist() == [1.0, 0.5, 0.0]
