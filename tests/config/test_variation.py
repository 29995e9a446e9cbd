import dataclasses
from collections import Counter

import numpy as np
import pytest

from se_hpo.agents.config import VARIATIONS
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.config.variation import varied_fields, vary_agent, vary_within
from se_hpo.registries import AGENTS

BASE = DDQNConfig(batch_size=128, lr=1e-3, hidden_size=48, hidden_layers=2)


def draws(base=BASE, n=3000, seed=0):
    rng = np.random.default_rng(seed)
    return [vary_agent(base, rng) for _ in range(n)]


@pytest.mark.parametrize("name", ["lr", "batch_size", "hidden_size"])
def test_values_are_log_uniform_from_a_third_to_three_times_the_base(name):
    base, values = getattr(BASE, name), np.array([getattr(c, name) for c in draws()])
    low = base / 3 if name == "lr" else int(base / 3)
    assert low <= values.min() < 1.02 * low
    assert 0.98 * 3 * base < values.max() <= 3 * base
    position = np.log(values / base) / np.log(3)
    quarters = np.histogram(position, [-1.03, -0.5, 0, 0.5, 1])[0] / len(values)
    np.testing.assert_allclose(quarters, 0.25, atol=0.04)


def test_layers_are_one_less_to_one_more_equally_often():
    counts = Counter(c.hidden_layers for c in draws())
    assert sorted(counts) == [1, 2, 3]
    assert all(abs(n / 3000 - 1 / 3) < 0.03 for n in counts.values())


def test_one_layer_keeps_the_papers_double_weight_of_one():
    base = dataclasses.replace(BASE, hidden_layers=1)
    counts = Counter(c.hidden_layers for c in draws(base))
    assert sorted(counts) == [1, 2]
    assert abs(counts[1] / 3000 - 2 / 3) < 0.03


def test_nothing_else_varies_and_the_type_is_kept():
    base = DuelingDDQNConfig(gamma=0.9, feature_size=17)
    varied = vary_agent(base, np.random.default_rng(0))
    assert type(varied) is DuelingDDQNConfig
    changed = {
        f.name
        for f in dataclasses.fields(base)
        if getattr(base, f.name) != getattr(varied, f.name)
    }
    assert changed <= {"lr", "batch_size", "hidden_size", "hidden_layers"}


def test_same_generator_same_agent():
    assert draws(n=5, seed=3) == draws(n=5, seed=3) != draws(n=5, seed=4)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_smallest_sizes_stay_at_least_one(size):
    base = dataclasses.replace(BASE, batch_size=size, hidden_size=size)
    values = draws(base, n=300)
    assert {c.batch_size for c in values} == set(range(1, 3 * size + 1))
    assert {c.hidden_size for c in values} == set(range(1, 3 * size + 1))
    assert all(type(c.batch_size) is int and type(c.lr) is float for c in values)


# Wide: activations, too


def drawn(base, seed, variation):
    return vary_agent(base, np.random.default_rng(seed), variation)


def test_wide_draws_one_of_three_activations_equally_often():
    base = dataclasses.replace(BASE, activation="prelu")
    counts = Counter(drawn(base, seed, "wide").activation for seed in range(3000))
    assert sorted(counts) == ["leaky_relu", "relu", "tanh"]
    assert all(abs(n / 3000 - 1 / 3) < 0.04 for n in counts.values())


@pytest.mark.parametrize("name", [n for n in AGENTS if not n.startswith("sb3:")])
def test_wide_draws_all_else_as_without_it(name):
    """So the first draws, and the bytes of what was drawn before, are the same."""
    base = AGENTS[name].config()
    for seed in range(20):
        wide, paper = (drawn(base, seed, variation) for variation in VARIATIONS[::-1])
        assert paper == vary_agent(base, np.random.default_rng(seed))
        if hasattr(base, "activation"):
            assert paper.activation == base.activation
            wide = dataclasses.replace(wide, activation=base.activation)
        assert wide == paper


def test_what_is_drawn_is_named():
    assert varied_fields(BASE) == varied_fields(BASE, "paper")
    assert varied_fields(BASE, "wide") == (*varied_fields(BASE), "activation")
    tabular = AGENTS["q_learning"].config()
    assert varied_fields(tabular, "wide") == varied_fields(tabular)


def test_the_paper_s_draws_are_those_of_ever():
    """Numbers from before there was anything else: sets must go on as they were."""
    config = vary_agent(BASE, np.random.default_rng(0), "paper")
    assert (config.hidden_layers, config.batch_size, config.hidden_size) == (3, 45, 16)
    assert config.lr == pytest.approx(0.0006030046984179812, rel=1e-12)


def test_agents_that_cost_too_much_are_drawn_again_and_the_others_are_as_ever():
    base = DDQNConfig(hidden_size=64, hidden_layers=1, batch_size=64)

    def cost(agent):
        hidden = agent.hidden_size
        weights = hidden * (6 + (agent.hidden_layers - 1) * hidden)
        return weights * agent.batch_size

    def draw(seed, most):
        return vary_within(base, np.random.default_rng(seed), "wide", most)

    free = [draw(seed, 0) for seed in range(300)]
    bound = [draw(seed, 20) for seed in range(300)]
    assert free == [
        vary_agent(base, np.random.default_rng(seed), "wide") for seed in range(300)
    ]
    assert max(map(cost, free)) > 100 * cost(base)
    assert max(map(cost, bound)) <= 20 * cost(base)
    assert max(agent.hidden_layers for agent in bound) == 2
    for one, other in zip(free, bound, strict=True):
        assert cost(one) > 20 * cost(base) or one == other
