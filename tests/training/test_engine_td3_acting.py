"""Discrete TD3 of the native engine: noise and actions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest, norm
from torch import nn

from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from tests.helpers.engine_jobs import needs_testing, testing
from tests.helpers.engine_td3_oracle import ACTIONS, ISAS, OBS, Net, native

pytestmark = needs_testing


@pytest.mark.parametrize("isa", ISAS)
def test_noise_is_the_inverse_distribution_function_of_uniform_numbers(isa):
    name = isa.replace("-", "_")
    ends = np.array([2.0**-24, 3 * 2.0**-24, 1 - 2.0**-24, 1 - 3 * 2.0**-24, 0.5])
    u = np.concatenate([ends, testing.uniform(200_001, 3)]).astype(np.float32)
    x = u.astype(np.float64)
    for kind, exact in (("gumbel", -np.log(-np.log(x))), ("normal", norm.ppf(x))):
        got = testing.noise(kind, u, name)
        np.testing.assert_allclose(got, exact, rtol=2e-6, atol=1e-6)


def test_uniform_numbers_are_uniform_and_never_0_or_1():
    u = testing.uniform(200_001, 4)
    assert u.min() > 0
    assert u.max() < 1
    assert kstest(u, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.01


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("hard", [False, True])
def test_exploring_samples_the_softmax_of_the_logits(hard, isa):
    config = TD3DiscreteConfig(hidden_size=8, gumbel_hard=hard, action_std=0.0)
    agent = native(config, isa, seed=1)
    agent.begin_episode(config.init_episodes)
    net = Net(OBS, ACTIONS, config)
    nn.init.normal_(net.steps[-1].bias, 0, 1)
    flat = np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])
    agent.set("actor", flat, flat)
    obs = np.linspace(-1, 1, OBS).astype(np.float32)
    logits = net(torch.from_numpy(obs)[None])[0].detach()
    assert agent.exploit(obs) == int(logits.argmax())
    counts = np.zeros(ACTIONS)
    for _ in range(4000):
        action, vector = agent.explore(obs)
        assert int(np.argmax(vector)) == action
        assert sum(vector) == pytest.approx(1, abs=1e-6)
        assert not hard or sorted(vector) == [0, 0, 1]
        counts[action] += 1
    likely = logits.double().softmax(0).numpy()
    assert chisquare(counts, 4000 * likely).pvalue > 1e-3


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("scale", [1e6, 1e10, 1e12])
def test_huge_logits_still_give_distributions(scale, isa):
    # The largest logit minus itself can round to above 0.
    config = TD3DiscreteConfig(
        hidden_size=8, action_std=0.0, gumbel_temperature=0.7, gumbel_anneal_updates=0
    )
    agent = native(config, isa, seed=1)
    agent.begin_episode(config.init_episodes)
    net = Net(OBS, ACTIONS, config)
    obs = np.linspace(-1, 1, OBS).astype(np.float32)
    for bias in np.random.default_rng(0).standard_normal((50, ACTIONS)):
        nn.init.zeros_(net.steps[-1].weight)
        net.steps[-1].bias.data[:] = torch.from_numpy(scale * bias)
        flat = np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])
        agent.set("actor", flat, flat)
        action, vector = agent.explore(obs)
        assert action == bias.argmax()
        assert min(vector) >= 0
        assert sum(vector) == pytest.approx(1, abs=1e-6)


def test_the_noise_of_exploring_has_the_configured_size():
    config = TD3DiscreteConfig(hidden_size=8, gumbel_hard=True, action_std=0.05)
    agent = native(config, ISAS[0])
    agent.begin_episode(config.init_episodes)
    vectors = np.array([agent.explore(np.ones(OBS))[1] for _ in range(3000)])
    assert kstest((vectors - vectors.round()).ravel() / 0.05, "norm").pvalue > 1e-3


def test_random_one_hot_actions_come_first():
    config = TD3DiscreteConfig(hidden_size=8, init_episodes=2)
    agent = native(config, ISAS[0])
    for episode, random in ((0, True), (1, True), (2, False)):
        agent.begin_episode(episode)
        taken = [agent.explore(np.full(OBS, 100.0)) for _ in range(300)]
        counts = np.bincount([action for action, _ in taken], minlength=ACTIONS)
        one_hot = all(vector == list(np.eye(ACTIONS)[a]) for a, vector in taken)
        assert one_hot == random
        assert not random or chisquare(counts).pvalue > 1e-3
