"""The benchmark as a function: its noise, its cost, and what it refuses."""

import numpy as np
import pytest

from se_hpo.benchmarks import NESBenchmark
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.errors import UserError


@pytest.fixture(scope="module")
def benchmark() -> NESBenchmark:
    return NESBenchmark()


@pytest.fixture(scope="module")
def configurations(benchmark):
    encoding = SpaceEncoding(benchmark.space)
    return [encoding.sample(seed) for seed in range(200)]


def test_it_was_made_of_300_configurations_with_two_seeds_each(benchmark):
    groups, counts = np.unique(benchmark.runs.groups, return_counts=True)
    assert len(groups) >= 300
    assert counts.min() >= 2


def test_the_same_seed_is_one_run_seen_at_every_budget(benchmark, configurations):
    one = configurations[0]
    for budget in (3, 9, 27):
        first = benchmark.evaluate(one, budget, seed=5)
        assert first == benchmark.evaluate(one, budget, seed=5)
        assert first.loss != benchmark.evaluate(one, budget, seed=6).loss
    costs = [benchmark.evaluate(one, b, seed=5).cost for b in (3, 9, 27)]
    assert costs[0] * 9 == pytest.approx(costs[2]) == pytest.approx(costs[1] * 3)


def test_losses_over_seeds_lie_around_the_mean_loss(benchmark, configurations):
    for one in configurations[:5]:
        mean = benchmark.mean_loss(one, 27)
        losses = [benchmark.evaluate(one, 27, seed).loss for seed in range(200)]
        assert np.mean(losses) == pytest.approx(mean, abs=0.03)
        assert 0.005 < np.std(losses) < 0.2


def test_recorded_configurations_are_told_apart_as_they_were(benchmark):
    runs = benchmark.runs
    predicted = [benchmark.mean_loss(c, 27) for c in runs.configurations]
    assert np.corrcoef(predicted, runs.losses[:, -1])[0, 1] > 0.8


def test_configurations_differ_in_loss_and_in_cost(benchmark, configurations):
    losses = [benchmark.mean_loss(c, 27) for c in configurations]
    costs = [benchmark.evaluate(c, 27, 0).cost for c in configurations]
    assert max(losses) - min(losses) > 0.2
    assert max(costs) > 10 * min(costs)


def test_a_configuration_of_another_space_is_refused(benchmark):
    with pytest.raises(UserError):
        benchmark.evaluate({"x": 1.0}, 9, 0)


@pytest.mark.parametrize("budget", [0, 28, 2.5, float("nan")])
def test_a_budget_outside_the_recorded_generations_is_refused(
    benchmark, configurations, budget
):
    with pytest.raises(UserError, match="a whole number from 1 to 27"):
        benchmark.evaluate(configurations[0], budget, 0)
