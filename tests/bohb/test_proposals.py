"""Proposals are legal, builtin, seeded, and better than random ones."""

import json
import math
import types

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    Configuration,
    ConfigurationSpace,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
)
from hpbandster.core.dispatcher import Job

from se_hpo import seeding
from se_hpo.bohb import proposals as generator_module
from se_hpo.bohb.brackets import hyperband_brackets
from se_hpo.bohb.density import fit_kernel
from se_hpo.bohb.proposals import BOHBGenerator, RandomGenerator
from se_hpo.errors import UserError
from tests.helpers.rich_space import rich_space


def rng(*path):
    return seeding.generator(0, "test", *path)


def result(generator, config, loss, budget=1.0):
    job = Job((0, 0, 0), config=config, budget=budget)
    job.result = None if loss is None else {"loss": loss, "info": {}}
    generator.new_result(job)


def loss_of(config):
    """Small where lr is large, momentum is active and near 0.9, size is 64."""
    loss = 0.2 * abs(math.log10(config["lr"]) + 1) + (config["size"] != 64) * 0.2
    return loss + abs(config.get("momentum", 0.0) - 0.9)


def drive(generator, n, loss=loss_of, budget=1.0):
    """Propose and evaluate n times, one after the other."""
    picks = []
    for _ in range(n):
        config, info = generator.get_config(budget)
        picks.append((config, info))
        result(generator, config, loss(config), budget)
    return picks


def test_model_based_picks_are_legal_builtin_and_really_happen():
    space = rich_space()
    picks = drive(BOHBGenerator(space, seed=1), 120)
    based = [config for config, info in picks if info["model_based_pick"]]
    assert 50 <= len(based) <= 100
    for config, info in picks:
        Configuration(space, values=config)  # raises where inactive or forbidden
        assert type(info["model_based_pick"]) is bool
        assert info["model_budget"] == (1.0 if info["model_based_pick"] else None)
        json.dumps(config)
    assert any("momentum" in c for c in based)
    assert all(c["constant"] == 7 and c["text"] == "fixed" for c in based)


def test_model_based_picks_are_better_than_random_ones():
    picks = drive(BOHBGenerator(rich_space(), seed=2), 150)
    based = [loss_of(c) for c, info in picks if info["model_based_pick"]]
    random = [loss_of(c) for c, info in picks if not info["model_based_pick"]]
    assert np.mean(based) < 0.7 * np.mean(random)


def test_the_same_seed_proposes_the_same_and_another_does_not():
    one = drive(BOHBGenerator(rich_space(), seed=3), 60)
    assert one == drive(BOHBGenerator(rich_space(), seed=3), 60)
    assert one != drive(BOHBGenerator(rich_space(), seed=4), 60)


def test_the_global_generator_is_neither_read_nor_moved():
    np.random.seed(0)  # noqa: NPY002
    one = drive(BOHBGenerator(rich_space(), seed=3), 40)
    before = np.random.get_state()  # noqa: NPY002
    two = drive(BOHBGenerator(rich_space(), seed=3), 40)
    after = np.random.get_state()  # noqa: NPY002
    assert one == two
    assert before[2:] == after[2:]
    assert (before[1] == after[1]).all()


def test_a_replayed_generator_goes_on_as_if_undisturbed():
    whole = BOHBGenerator(rich_space(), seed=5)
    picks = drive(whole, 80)
    resumed = BOHBGenerator(rich_space(), seed=5)
    for config, _ in picks[:50]:
        result(resumed, json.loads(json.dumps(config)), loss_of(config))
    resumed.n_proposals = 50
    assert drive(resumed, 30) == picks[50:]


def test_the_users_space_is_left_alone():
    space = rich_space()
    space.seed(9)
    expected = space.sample_configuration(3)
    space.seed(9)
    drive(BOHBGenerator(space, seed=1), 30)
    assert space.sample_configuration(3) == expected


def test_random_picks_are_those_of_the_random_generator():
    picks = drive(BOHBGenerator(rich_space(), seed=6), 60)
    plain = drive(RandomGenerator(rich_space(), seed=6), 60)
    assert all(not info["model_based_pick"] for _, info in plain)
    random = [i for i, (_, info) in enumerate(picks) if not info["model_based_pick"]]
    assert len(random) > 15
    assert all(picks[i][0] == plain[i][0] for i in random)


def test_the_next_best_candidate_stands_in_for_a_forbidden_one(monkeypatch):
    generator = BOHBGenerator(rich_space(), seed=7, random_fraction=0)
    drive(generator, 60)
    twin = BOHBGenerator(rich_space(), seed=7, random_fraction=0)
    drive(twin, 60)
    assert drive(generator, 1) == drive(twin, 1)

    decode, asked = generator.encoding.decode, []

    def refuse_two(vector):
        asked.append(vector)
        return None if len(asked) <= 2 else decode(vector)

    monkeypatch.setattr(generator.encoding, "decode", refuse_two)
    config, info = generator.get_config(1.0)
    model = twin._model(1.0)
    ratio = model.good.log_density(np.array(asked)) - model.bad.log_density(
        np.array(asked)
    )
    assert info["model_based_pick"]
    assert len(asked) == 3
    assert list(ratio) == sorted(ratio, reverse=True)
    assert config == decode(asked[2])


def test_only_when_all_candidates_are_forbidden_the_pick_is_random(monkeypatch):
    generator = BOHBGenerator(rich_space(), seed=7, random_fraction=0)
    drive(generator, 60)
    monkeypatch.setattr(generator.encoding, "decode", lambda vector: None)
    config, info = generator.get_config(1.0)
    assert info == {"model_based_pick": False, "model_budget": None}
    plain = RandomGenerator(rich_space(), seed=7)
    plain.n_proposals = 60
    assert config == plain.get_config(1.0)[0]


def test_most_of_a_space_may_be_forbidden():
    cs = ConfigurationSpace()
    cs.add([Categorical("a", list("abcdef")), Categorical("b", list("abcdef"))])
    cs.add(Float("x", (0.0, 1.0)))
    cs.add(
        *[
            ForbiddenAndConjunction(
                ForbiddenEqualsClause(cs["a"], a),
                ForbiddenInClause(cs["b"], [b for b in "abcdef" if b != a]),
            )
            for a in "abcdef"
        ]
    )
    picks = drive(BOHBGenerator(cs, seed=1), 80, loss=lambda c: c["x"])
    assert all(c["a"] == c["b"] for c, _ in picks)
    assert sum(info["model_based_pick"] for _, info in picks) > 30


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -math.inf, "nothing"])
def test_results_without_a_finite_loss_count_as_worst(bad):
    cs = ConfigurationSpace({"x": (0.0, 1.0)})
    generator = BOHBGenerator(cs, seed=1, random_fraction=0)
    for i in range(40):
        x = i / 39
        result(generator, {"x": x}, bad if x < 0.5 else x)
    picks = [generator.get_config(1.0)[0]["x"] for _ in range(20)]
    assert np.median(picks) == pytest.approx(0.5, abs=0.12)


def test_a_result_that_is_no_builtin_float_is_understood():
    generator = BOHBGenerator(ConfigurationSpace({"x": (0.0, 1.0)}), seed=1)
    result(generator, {"x": 0.5}, np.float32(0.25))
    assert generator._results[1.0].losses == [0.25]


def test_the_largest_budget_with_enough_results_is_modelled():
    cs = ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)})
    generator = BOHBGenerator(cs, seed=1)
    assert generator.model_budget() is None
    for budget, count in ((1.0, 6), (3.0, 5), (9.0, 2)):
        for i in range(count):
            result(generator, {"x": i / 9, "y": 0.5}, i / 9, budget)
    assert generator.model_budget() == 1.0
    result(generator, {"x": 0.9, "y": 0.5}, 0.9, 3.0)
    assert generator.model_budget() == 3.0


def test_constants_do_not_count_for_the_least_number_of_points():
    cs = ConfigurationSpace({"x": (0.0, 1.0), "k": 3, "l": "text"})
    assert BOHBGenerator(cs, seed=1).min_points == 2


def test_a_space_of_constants_alone_works():
    generator = BOHBGenerator(ConfigurationSpace({"k": 3}), seed=1)
    picks = drive(generator, 10, loss=lambda c: 0.5)
    assert {c["k"] for c, _ in picks} == {3}
    assert not any(info["model_based_pick"] for _, info in picks)


def test_ten_thousand_results_are_fitted_once_when_a_proposal_needs_them(monkeypatch):
    fits = []

    def counting(data, levels, min_bandwidth):
        fits.append(len(data))
        return fit_kernel(data, levels, min_bandwidth)

    monkeypatch.setattr(generator_module, "fit_kernel", counting)
    generator = BOHBGenerator(rich_space(), seed=1, random_fraction=0)
    config = generator.encoding.sample(0)
    draw = rng("many")
    for _ in range(10_000):
        values = {**config, "lr": float(10 ** draw.uniform(-5, -0.5))}
        result(generator, values, loss_of(values))
    assert fits == []
    picks = [generator.get_config(1.0) for _ in range(3)]
    assert fits == [1500, 8500]
    assert all(info["model_based_pick"] for _, info in picks)
    assert all(0.02 < c["lr"] <= 1 / 3 for c, _ in picks)


@pytest.mark.parametrize(
    "setting",
    [
        {"min_points_in_model": 0},
        {"top_n_percent": 0},
        {"top_n_percent": 100},
        {"num_samples": 0},
        {"random_fraction": 1.5},
        {"bandwidth_factor": 0},
        {"min_bandwidth": 0},
    ],
)
def test_settings_outside_their_range_are_user_errors(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        BOHBGenerator(ConfigurationSpace({"x": (0.0, 1.0)}), seed=1, **setting)


def search(generator, which, seed, total=700):
    """Noise-free loss of the winner of a Hyperband run that spends `total`."""
    noise = rng("noise", seed)
    best, spent = (math.inf, math.inf), 0.0
    for bracket in hyperband_brackets(1, 27, 3, n_brackets=500, which=which):
        trials = []
        rungs = zip(bracket.num_configs, bracket.budgets, strict=True)
        for count, budget in rungs:
            while len(trials) < count:
                trials.append((0.0, generator.get_config(budget)[0]))
            trials = sorted(trials[:count], key=lambda trial: trial[0])
            for i, (_, config) in enumerate(trials):
                clean = synthetic(config)
                seen = clean + 0.1 / budget + 0.1 / budget**0.5 * noise.normal()
                result(generator, config, seen, budget)
                trials[i] = (seen, config)
                if budget == 27:
                    best = min(best, (seen, clean))
                if (spent := spent + budget) >= total:
                    return best[1]
            trials.sort(key=lambda trial: trial[0])
    raise AssertionError("too few brackets")


def synthetic(config):
    numbers = sum((config[f"x{i}"] - 0.2 * i) ** 2 for i in range(5))
    return numbers + 0.1 * sum(config[f"c{i}"] != "abcd"[i] for i in range(4))


def synthetic_space():
    cs = ConfigurationSpace()
    cs.add([Float(f"x{i}", (0.0, 1.0)) for i in range(5)])
    cs.add([Categorical(f"c{i}", list("abcd")) for i in range(4)])
    return cs


def test_bohb_beats_random_search_on_a_noisy_function_over_ten_seeds():
    pairs = [
        (
            search(BOHBGenerator(synthetic_space(), seed), "cycle", seed),
            search(RandomGenerator(synthetic_space(), seed), "top", seed),
        )
        for seed in range(10)
    ]
    bohb, random = np.array(pairs).T
    assert np.median(bohb) < 0.6 * np.median(random)
    assert (bohb < random).sum() >= 8


def test_a_job_needs_nothing_but_what_hpbandster_gives_it():
    generator = RandomGenerator(ConfigurationSpace({"x": (0.0, 1.0)}), seed=1)
    job = types.SimpleNamespace(
        id=(0, 0, 0), exception="Traceback", result=None, kwargs={}
    )
    generator.new_result(job)  # logs the failure, learns nothing


@pytest.mark.parametrize("name", ["nes_cartpole", "nes_acrobot", "smoke"])
@pytest.mark.parametrize("kind", [RandomGenerator, BOHBGenerator])
def test_the_default_configuration_comes_first_and_shifts_nothing(name, kind):
    from se_hpo.search_spaces.loading import load_space

    space = load_space(name)
    built = space.configuration_space()
    with_default = kind(built, seed=1, start_from_default=True)
    without = kind(built, seed=1)
    first, info = with_default.get_config(1.0)
    assert first == dict(built.get_default_configuration())
    assert all(type(value) in (int, float, str, bool) for value in first.values())
    assert not info["model_based_pick"]
    space.resolve(first)
    without.get_config(1.0)
    assert with_default.get_config(1.0) == without.get_config(1.0)
