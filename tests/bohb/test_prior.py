"""An earlier run as a prior: it proposes first, fades, and changes nothing else."""

import json

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from se_hpo import seeding
from se_hpo.bohb.parzen import ParzenGenerator
from se_hpo.bohb.prior import BETA
from tests.bohb.test_proposals import drive, loss_of, result
from tests.helpers.rich_space import rich_space


def space():
    return ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)})


def bowl(centre):
    return lambda c: (c["x"] - centre) ** 2 + (c["y"] - centre) ** 2


def observed(loss, n=60, seed=3, space=space, scale=1.0):
    picks = drive(ParzenGenerator(space(), seed=seed), n, loss)
    return [(config, 1.0, scale * loss(config)) for config, _ in picks]


def distances(generator, n, centre, loss):
    picks = drive(generator, n, loss)
    return [bowl(centre)(config) ** 0.5 for config, _ in picks]


def test_alone_it_proposes_until_there_are_own_results_enough():
    prior = observed(bowl(0.8))
    generator = ParzenGenerator(space(), seed=1, prior=prior, random_fraction=0)
    first = distances(generator, 5, 0.8, bowl(0.8))
    assert max(first) < 0.25
    assert generator.model_budget() == 1.0


def test_its_losses_are_never_compared_with_own_ones():
    picks = [
        drive(
            ParzenGenerator(space(), seed=1, prior=observed(bowl(0.8), scale=scale)),
            40,
            bowl(0.8),
        )
        for scale in (1.0, 1024.0)
    ]
    assert picks[0] == picks[1]


def test_its_weight_is_whole_for_ten_results_and_falls_as_one_over_n():
    prior = ParzenGenerator(space(), seed=1, prior=observed(bowl(0.5)))._prior
    assert [prior.weight(n) for n in (0, 6, BETA, 2 * BETA, 100 * BETA)] == [
        *(1.0, 1.0, 1.0),
        *(0.5, 0.01),
    ]


def test_own_results_overrule_a_prior_that_misleads():
    own = bowl(0.2)
    generator = ParzenGenerator(space(), seed=1, prior=observed(bowl(0.9)))
    found = distances(generator, 100, 0.2, own)
    assert np.median(found[:6]) > 0.5
    assert np.median(found[70:]) < 0.2


def test_without_one_nothing_is_drawn_otherwise():
    plain = drive(ParzenGenerator(rich_space(), seed=4), 50)
    assert drive(ParzenGenerator(rich_space(), seed=4, prior=()), 50) == plain


def test_a_replayed_generator_with_a_prior_goes_on_as_if_undisturbed():
    prior = [
        (config, budget, abs(config["lr"] - 0.1))
        for budget in (1.0, 3.0)
        for config, _ in drive(ParzenGenerator(rich_space(), seed=9), 20)
    ]
    whole = ParzenGenerator(rich_space(), seed=5, prior=prior)
    picks = drive(whole, 40)
    stored = json.loads(json.dumps(prior))
    for cut in (3, 25):
        resumed = ParzenGenerator(rich_space(), seed=5, prior=stored)
        twin = drive(ParzenGenerator(rich_space(), seed=5, prior=prior), cut)
        assert twin == picks[:cut]
        for config, _ in picks[:cut]:
            result(resumed, json.loads(json.dumps(config)), loss_of(config))
        resumed.n_proposals = cut
        assert drive(resumed, 40 - cut) == picks[cut:]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_failures_of_the_earlier_run_count_as_worst(bad):
    draw = seeding.generator(0, "test", "prior")
    good = [({"x": float(x), "y": 0.5}, 1.0, 0.1) for x in draw.random(10) / 5 + 0.8]
    failed = [({"x": float(x), "y": 0.5}, 1.0, bad) for x in draw.random(40) / 2]
    generator = ParzenGenerator(space(), 1, prior=failed + good, random_fraction=0)
    assert np.median([generator.get_config(1.0)[0]["x"] for _ in range(20)]) > 0.7
