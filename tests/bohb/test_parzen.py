"""The Parzen estimator: densities by hand, evidence of all budgets, legal proposals."""

import json
import math

import numpy as np
import pytest
from ConfigSpace import Categorical, Configuration, ConfigurationSpace, Float

from se_hpo import seeding
from se_hpo.bohb.density import ProductKernel, fit_parzen
from se_hpo.bohb.evidence import Results, pooled
from se_hpo.bohb.parzen import MODELS, ParzenGenerator
from se_hpo.bohb.proposals import BOHBGenerator
from se_hpo.errors import UserError
from tests.bohb.test_proposals import drive, loss_of, result, search, synthetic_space
from tests.helpers.rich_space import rich_space


def known(*pairs):
    return Results([np.array([x]) for x, _ in pairs], [loss for _, loss in pairs])


def test_widths_depend_on_the_number_of_observations_alone():
    levels = np.array([0, 4])
    near = fit_parzen(np.array([[0.5, 1.0]] * 6), levels, 1e-3)
    far = fit_parzen(np.array([[i / 5, i % 4] for i in range(6)]), levels, 1e-3)
    assert near.bandwidth.tolist() == far.bandwidth.tolist()
    # a choice counts 1 + 1/6 where it was seen and 1/6 for each of the three others
    assert near.bandwidth == pytest.approx([0.2 * 6 ** (-1 / 6), (3 / 6) / (1 + 4 / 6)])


def test_the_uniform_kernel_weighs_as_one_observation_and_all_sums_to_one():
    kernel = fit_parzen(np.array([[1.0], [1.0], [2.0]]), np.array([5]), 1e-3)
    density = np.exp(kernel.log_density(np.arange(5.0)[:, None]))
    assert density.sum() == pytest.approx(1.0)
    other = (1 / 3) / (1 + 5 / 3)
    assert density[4] == pytest.approx(0.25 * (3 * other + 1 / 5))


def test_marginals_are_those_of_each_column_with_the_uniform_kernel():
    data = np.array([[0.2, 0.0], [0.6, 2.0]])
    kernel = fit_parzen(data, np.array([0, 3]), 1e-3)
    one, two = (
        fit_parzen(data[:, j : j + 1], np.array([k]), 1e-3)
        for j, k in enumerate((0, 3))
    )
    points = np.array([[0.3, 2.0], [0.9, 1.0]])
    h = kernel.bandwidth[0]
    one = ProductKernel(one.data, one.levels, np.array([h]), prior=1.0)
    apart = one.log_density(points[:, :1]) + two.log_density(points[:, 1:])
    assert kernel.log_marginals(points) == pytest.approx(apart)


def test_crossed_samples_have_columns_of_several_observations():
    data = np.array([[0.0, 0.0], [1.0, 1.0]])
    kernel = ProductKernel(data, np.array([2, 2]), np.array([1e-9, 1e-9]))
    draw = seeding.generator(0, "test", "crossed")
    mixed = kernel.sample(draw, 4000, 1.0, crossed=0.5)
    assert (mixed[:, 0] != mixed[:, 1]).mean() == pytest.approx(0.25, abs=0.03)
    whole = kernel.sample(draw, 100, 1.0)
    assert (whole[:, 0] == whole[:, 1]).all()


def test_one_sample_in_n_plus_one_knows_of_no_observation():
    kernel = fit_parzen(np.full((9, 1), 0.5), np.array([0]), 1e-3)
    x = kernel.sample(seeding.generator(0, "test"), 20_000, 1.0)[:, 0]
    assert x.min() >= 0
    assert x.max() <= 1
    beyond = np.abs(x - 0.5) > 0.45  # three standard deviations and more
    assert beyond.mean() == pytest.approx(0.1 * 0.1, abs=0.005)


def test_every_configuration_counts_once_with_the_loss_it_would_have_at_the_top():
    results = {
        9.0: known((0.1, 0.3)),
        1.0: known((0.1, 0.5), (0.2, 0.6), (0.3, 0.7), (0.4, 0.8)),
        3.0: known((0.1, 0.4), (0.2, 0.5)),
    }
    vectors, losses = pooled(results)
    # 1 -> 3: twice -0.1 and once nothing; 3 -> 9: once -0.1 and once nothing
    low, high = -0.2 / 3, -0.1 / 2
    assert dict(zip(vectors[:, 0].tolist(), losses, strict=True)) == pytest.approx(
        {0.1: 0.3, 0.2: 0.5 + high, 0.3: 0.7 + low + high, 0.4: 0.8 + low + high}
    )


def test_failures_stay_worst_and_move_nobody_else():
    huge = float(np.finfo(float).max)
    results = {
        1.0: known((0.1, 0.5), (0.2, math.inf), (0.3, 0.7), (0.4, huge)),
        3.0: known((0.1, math.inf), (0.3, huge)),
    }
    vectors, losses = pooled(results)
    found = dict(zip(vectors[:, 0].tolist(), losses, strict=True))
    assert found == {0.1: math.inf, 0.2: math.inf, 0.3: huge, 0.4: huge}


def test_the_model_has_a_say_after_six_configurations_at_any_budget():
    space = ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)})
    generator = ParzenGenerator(space, seed=1)
    for i in range(5):
        budget = 3.0 if i % 2 else 1.0
        result(generator, {"x": i / 9, "y": 0.5}, i / 9, budget)
    result(generator, {"x": 0.0, "y": 0.5}, 0.0, 9.0)  # promoted: no other one
    assert generator.model_budget() is None
    result(generator, {"x": 1.0, "y": 0.5}, 1.0, 1.0)
    assert generator.model_budget() == 9.0


def test_proposals_are_legal_builtin_and_mostly_of_the_model():
    space = rich_space()
    picks = drive(ParzenGenerator(space, seed=1), 120)
    assert 85 <= sum(info["model_based_pick"] for _, info in picks) <= 110
    for config, _ in picks:
        Configuration(space, values=config)  # raises where inactive or forbidden
        json.dumps(config)


def test_a_replayed_generator_goes_on_as_if_undisturbed():
    whole = ParzenGenerator(rich_space(), seed=5)
    picks = drive(whole, 60)
    resumed = ParzenGenerator(rich_space(), seed=5)
    for config, _ in picks[:40]:
        result(resumed, json.loads(json.dumps(config)), loss_of(config))
    resumed.n_proposals = 40
    assert drive(resumed, 20) == picks[40:]


def test_promoted_trials_teach_it_more_than_one_budget_does():
    regrets = {
        name: np.median(
            [search(kind(synthetic_space(), s), "cycle", s) for s in range(8)]
        )
        for name, kind in MODELS.items()
    }
    assert regrets["parzen"] < regrets["kde"]


def test_a_space_of_constants_alone_works():
    picks = drive(
        ParzenGenerator(ConfigurationSpace({"k": 3}), seed=1), 15, lambda c: 0.5
    )
    assert not any(info["model_based_pick"] for _, info in picks)


def test_many_choices_and_few_results_leave_no_choice_out():
    cs = ConfigurationSpace()
    cs.add(Categorical("c", list("abcdefghijkl")), Float("x", (0.0, 1.0)))
    picks = drive(ParzenGenerator(cs, seed=3), 80, lambda c: c["x"] + (c["c"] != "h"))
    assert {c["c"] for c, _ in picks} == set("abcdefghijkl")
    assert sum(c["c"] == "h" for c, _ in picks[40:]) > 12  # of 40; by chance 3


def test_the_good_ones_are_a_tenth_but_neither_few_nor_many():
    generator = ParzenGenerator(ConfigurationSpace({"x": (0.0, 1.0)}), seed=1)
    assert [generator._n_good(n) for n in (6, 30, 31, 200, 1000)] == [3, 3, 4, 20, 25]


@pytest.mark.parametrize("setting", ["min_points_in_model", "top_n_percent"])
def test_settings_outside_their_range_are_user_errors(setting):
    with pytest.raises(UserError, match=setting):
        ParzenGenerator(ConfigurationSpace({"x": (0.0, 1.0)}), seed=1, **{setting: 0})


def test_the_old_model_has_its_old_name():
    assert MODELS["kde"] is BOHBGenerator
