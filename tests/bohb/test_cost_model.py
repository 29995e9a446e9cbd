"""What a configuration costs is learned, and weighed where that is asked for."""

import math

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float
from hpbandster.core.dispatcher import Job

from se_hpo.bohb.cost_model import CostModel
from se_hpo.bohb.parzen import ParzenGenerator

LEVELS = np.array([0, 2])


def test_cost_that_a_number_and_a_choice_multiply_is_learned_across_budgets():
    model = CostModel(LEVELS)
    draw = np.random.default_rng(1)
    for i in range(200):
        x, choice, budget = draw.random(), float(draw.integers(2)), 3.0 ** (i % 2)
        seconds = budget * math.exp(2 * x + choice)
        model.add(np.array([x, choice]), budget, seconds)
    low, high, other = model.log_cost(np.array([[0.0, 0], [1, 0], [0, 1]]))
    assert high - low == pytest.approx(2, abs=0.2)
    assert other - low == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("seconds", [None, 0, -1.0, math.nan, math.inf, True, "3"])
def test_what_is_no_number_of_seconds_teaches_nothing(seconds):
    model = CostModel(LEVELS)
    model.add(np.array([0.5, 1.0]), 1.0, seconds)
    assert model.log_cost(np.array([[0.1, 0.0]])).tolist() == [0.0]


def test_inactive_hyperparameters_cost_nothing_more():
    model = CostModel(LEVELS)
    for x, seconds in ((math.nan, 1.0), (0.1, 2.0), (0.9, 3.0)):
        model.add(np.array([x, 1.0]), 1.0, seconds)
    assert np.isfinite(model.log_cost(np.array([[math.nan, math.nan]]))).all()


def drive(prefer_cheap, n=60):
    """Seconds and losses of a search where half of the good region is 20 x cheaper."""
    cs = ConfigurationSpace()
    cs.add(Float("x", (0.0, 1.0)), Categorical("big", [False, True]))
    generator = ParzenGenerator(cs, seed=1, prefer_cheap=prefer_cheap)
    seconds, losses = [], []
    for _ in range(n):
        config, _ = generator.get_config(1.0)
        job = Job((0, 0, 0), config=config, budget=1.0)
        seconds.append(20.0 if config["big"] else 1.0)
        losses.append(abs(config["x"] - 0.3))
        job.result = {"loss": losses[-1], "info": {"cpu_seconds": seconds[-1]}}
        generator.new_result(job)
    return sum(seconds), min(losses)


def test_preferring_cheap_ones_costs_less_and_finds_as_much():
    (cheap, found), (plain, _) = drive(True), drive(False)
    assert cheap < 0.7 * plain
    assert found < 0.02
