import copy

import numpy as np
import pytest
import torch
from torch import nn

from se_hpo.agents import AGENTS, DivergedError, make_agent, register_agent
from se_hpo.agents.adam import Adam
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.mlp import MLP
from se_hpo.agents.replay import ReplayBuffer
from se_hpo.training.environments import Step
from se_hpo.training.torch_engine import train_agent

QUICK = {
    "batch_size": 32,
    "gamma": 0.5,
    "lr": 0.01,
    "tau": 0.2,
    "activation": "tanh",
    "hidden_size": 16,
    "hidden_layers": 1,
    "eps_min": 1.0,  # explore always
    "init_episodes": 0,
}
CONFIGS = [
    DDQNConfig(**QUICK),
    DuelingDDQNConfig(**QUICK, feature_size=8),
    DuelingDDQNConfig(**QUICK, feature_size=8, advantage_mean="batch"),
]
IDS = ["ddqn", "dueling", "dueling_batch"]


class Probe:
    """An environment with known Q-values."""

    n_actions = 1

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def reset(self):
        self.state = np.zeros(1, np.float32)
        return self.state


class OneStep(Probe):
    def step(self, action):
        return Step(self.state, 1.0, 1.0, True, True)


class ObservationDependent(Probe):
    def reset(self):
        self.state = self.rng.choice([-1.0, 1.0], size=1).astype(np.float32)
        return self.state

    def step(self, action):
        return Step(self.state, float(self.state[0]), 1.0, True, True)


class TwoSteps(Probe):
    def step(self, action):
        first = self.state[0] == 0
        self.state = np.ones(1, np.float32)
        last = not first
        return Step(self.state, float(last), float(last), last, last)


class ActionDependent(Probe):
    n_actions = 2

    def step(self, action):
        return Step(self.state, 1.0 if action else -1.0, 1.0, True, True)


class PolicyDependent(ObservationDependent):
    n_actions = 2

    def step(self, action):
        right = action == (self.state[0] > 0)
        return Step(self.state, 1.0 if right else -1.0, 1.0, True, True)


class FractionalDone(Probe):
    """Never terminal; the raw done of 0.4 discounts, also where the episode is cut."""

    def reset(self):
        self.steps = 0
        return super().reset()

    def step(self, action):
        self.steps += 1
        return Step(self.state, 1.0, 0.4, self.steps == 5, False)


PROBES = [
    (OneStep, {0: [1]}),
    (ObservationDependent, {-1: [-1], 1: [1]}),
    (TwoSteps, {0: [0.5], 1: [1]}),
    (ActionDependent, {0: [-1, 1]}),
    (PolicyDependent, {-1: [1, -1], 1: [-1, 1]}),
    (FractionalDone, {0: [1 / (1 - 0.5 * 0.6)]}),
]


@pytest.mark.parametrize("config", CONFIGS[:2], ids=IDS[:2])
@pytest.mark.parametrize(("probe", "expected"), PROBES)
def test_agents_learn_the_q_values_of_probe_environments(probe, expected, config):
    env = probe()
    agent = make_agent(config, 1, env.n_actions, seed=1)
    limit = AgentConfig(max_env_steps=350, init_episodes=0)
    log = train_agent(agent, env, limit, lambda returns: None)
    assert log.stop_reason == "max_env_steps"
    for observation, values in expected.items():
        with torch.no_grad():
            learned = agent.q(torch.full((1, 1), float(observation)))[0]
        np.testing.assert_allclose(learned, values, atol=0.08)


def random_batches(n_batches, batch_size, obs_size, n_actions):
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(batch_size, obs_size, generator=generator),
            torch.randn(batch_size, obs_size, generator=generator),
            torch.randn(batch_size, 1, generator=generator),
            torch.rand(batch_size, 1, generator=generator) * 1.5 - 0.2,
            torch.randint(n_actions, (batch_size, 1), generator=generator),
        )
        for _ in range(n_batches)
    ]


def q_by_hand(network, states, config):
    """Q-values one sample at a time, from the parameters alone."""

    def mlp(parameters, x):
        *hidden, weight, bias = parameters
        for w, b in zip(hidden[::2], hidden[1::2], strict=True):
            x = torch.tanh(w @ x + b)
        return weight @ x + bias

    p = list(network.parameters())
    if type(config) is DDQNConfig:
        return torch.stack([mlp(p, x) for x in states])
    features, value, advantage = p[:-8], p[-8:-4], p[-4:]
    v, a = [], []
    for x in states:
        v.append(mlp(value, mlp(features, x)))
        a.append(mlp(advantage, mlp(features, x)))
    v, a = torch.stack(v), torch.stack(a)
    if config.advantage_mean == "batch":
        return v + a - sum(a.flatten()) / a.numel()
    return torch.stack(
        [vi + ai - sum(ai) / len(ai) for vi, ai in zip(v, a, strict=True)]
    )


@pytest.mark.parametrize("hidden_layers", [1, 3])
@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_update_equals_one_written_a_second_way(config, hidden_layers, monkeypatch):
    config = config.__class__(**{**vars(config), "hidden_layers": hidden_layers})
    agent = make_agent(config, 3, 2, seed=5)
    online, target = copy.deepcopy(agent.q), copy.deepcopy(agent.q)
    adam = torch.optim.Adam(online.parameters(), lr=config.lr)
    for p in online.parameters():
        p.grad = None
    for batch in random_batches(4, 9, 3, 2):
        monkeypatch.setattr(agent.replay, "sample", lambda n, batch=batch: batch)
        agent.update()

        states, next_states, rewards, dones, actions = batch
        q_next = q_by_hand(online, next_states, config)
        q_next_target = q_by_hand(target, next_states, config)
        q = q_by_hand(online, states, config)
        loss = torch.zeros(())
        for i in range(len(states)):
            best = 0 if q_next[i, 0] >= q_next[i, 1] else 1
            y = (
                rewards[i, 0]
                + config.gamma * (1 - dones[i, 0]) * q_next_target[i, best]
            )
            loss = loss + (q[i, actions[i, 0]] - y.detach()) ** 2 / len(states)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            for ours, theirs in zip(
                target.parameters(), online.parameters(), strict=True
            ):
                ours.copy_((1 - config.tau) * ours + config.tau * theirs)

    for ours, theirs in [(agent.q, online), (agent.q_target, target)]:
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert not torch.equal(agent.adam.parameters, agent.target_parameters)


def test_adam_equals_torchs():
    generator = torch.Generator().manual_seed(0)
    ours = MLP(3, 2, 5, 2, "prelu", generator)
    theirs = copy.deepcopy(ours)
    adam = Adam(ours, lr=0.01)
    reference = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(50):
        x = torch.randn(7, 3, generator=generator)
        adam.minimize(ours(x).square().mean())
        reference.zero_grad()
        theirs(x).square().mean().backward()
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert ours.activation.weight.item() != 0.25  # the slope is trained


def test_target_network_starts_equal_and_shares_nothing():
    agent = make_agent(CONFIGS[0], 3, 2, seed=0)
    assert torch.equal(agent.adam.parameters, agent.target_parameters)
    agent.adam.parameters.add_(1)
    assert not torch.equal(agent.adam.parameters, agent.target_parameters)


def test_replay_keeps_the_newest_transitions():
    buffer = ReplayBuffer(4, 2, np.random.default_rng(0))
    for i in range(11):
        state = np.array([i, i + 0.5], np.float32)
        buffer.add(state, i % 3, i * 10.0, state + 1, -0.25)
        assert len(buffer) == min(i + 1, 4)
    state, next_state, reward, done, action = buffer.sample(500)
    assert set(state[:, 0].tolist()) == {7, 8, 9, 10}
    assert torch.equal(next_state, state + 1)
    assert torch.equal(reward[:, 0], state[:, 0] * 10)
    assert torch.equal(action[:, 0], state[:, 0].long() % 3)
    assert (done == -0.25).all()
    assert [t.shape for t in (state, reward, done, action)] == [
        (500, 2),
        (500, 1),
        (500, 1),
        (500, 1),
    ]


def test_replay_samples_uniformly_with_replacement():
    buffer = ReplayBuffer(100, 1, np.random.default_rng(0))
    for i in range(10):
        buffer.add(np.array([i], np.float32), 0, 0.0, np.zeros(1, np.float32), 0.0)
    states = torch.cat([buffer.sample(50)[0] for _ in range(200)])
    counts = torch.bincount(states[:, 0].long(), minlength=10)
    assert counts.min() > 850 and counts.max() < 1150
    assert len(buffer.sample(50)[0]) == 50  # more than it holds


def test_epsilon_starts_at_eps_init_and_decays_once_per_episode():
    config = DDQNConfig(eps_init=0.5, eps_min=0.2, eps_decay=0.6)
    agent = make_agent(config, 1, 2, seed=0)
    epsilons = []
    for episode in range(4):
        agent.start_episode(episode)
        epsilons.append(agent.epsilon)
    np.testing.assert_allclose(epsilons, [0.5, 0.3, 0.2, 0.2])


def test_first_episode_uses_eps_init_even_below_eps_min():
    agent = make_agent(DDQNConfig(eps_init=0.0, eps_min=0.4), 1, 2, seed=0)
    agent.start_episode(0)
    assert agent.epsilon == 0.0
    agent.start_episode(1)
    assert agent.epsilon == 0.4


def test_exploration_takes_random_actions_as_often_as_epsilon_says():
    agent = make_agent(DDQNConfig(eps_init=0.3), 1, 3, seed=0)
    state = np.ones(1, np.float32)
    greedy = agent.act_greedily(state)
    actions = np.array([agent.act(state) for _ in range(2000)])
    assert set(actions) == {0, 1, 2}
    assert abs((actions != greedy).mean() - 0.3 * 2 / 3) < 0.03


def test_greedy_action_has_the_highest_value():
    agent = make_agent(CONFIGS[0], 2, 3, seed=0)
    for x in np.random.default_rng(0).standard_normal((50, 2)).astype(np.float32):
        with torch.no_grad():
            assert agent.act_greedily(x) == agent.q(torch.tensor(x)).argmax()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_end_the_agent(bad):
    agent = make_agent(CONFIGS[0], 1, 2, seed=0)
    state = np.zeros(1, np.float32)
    agent.remember(state, 0, bad, state, 1.0)
    with pytest.raises(DivergedError):
        agent.update()
    agent.adam.parameters.fill_(bad)
    with pytest.raises(DivergedError):
        agent.act_greedily(state)


def test_large_finite_values_are_no_divergence():
    agent = make_agent(CONFIGS[0], 1, 2, seed=0)
    agent.adam.parameters.zero_()
    agent.q.layers[-1][1].data.fill_(3e38)
    assert agent.act_greedily(np.zeros(1, np.float32)) == 0


def test_dueling_values_do_not_change_with_a_shift_of_the_advantages():
    for mean in ("sample", "batch"):
        config = DuelingDDQNConfig(**QUICK, advantage_mean=mean)
        agent = make_agent(config, 2, 3, seed=0)
        state = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            before = agent.q(state)
            agent.q.advantage.layers[-1][1].add_(5.0)
            torch.testing.assert_close(agent.q(state), before, atol=1e-5, rtol=0)


def test_dueling_sizes():
    config = DuelingDDQNConfig(hidden_size=7, hidden_layers=2, feature_size=5)
    q = make_agent(config, 4, 3, seed=0).q
    shapes = [
        tuple(w.shape) for m in (q.features, q.value, q.advantage) for w, _ in m.layers
    ]
    assert shapes == [(7, 4), (7, 7), (5, 7), (5, 5), (1, 5), (5, 5), (3, 5)]


def test_same_seed_same_agent_and_another_seed_another():
    a, b, c = (make_agent(CONFIGS[0], 2, 2, seed) for seed in (1, 1, 2))
    assert torch.equal(a.adam.parameters, b.adam.parameters)
    assert not torch.equal(a.adam.parameters, c.adam.parameters)


def test_global_generators_are_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    env = OneStep()
    agent = make_agent(CONFIGS[1], 1, 1, seed=0)
    train_agent(agent, env, AgentConfig(max_env_steps=20), lambda returns: None)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_an_agent_of_ones_own_can_be_registered(monkeypatch):
    monkeypatch.setitem(AGENTS, "mine", AGENTS["ddqn"])  # undone afterwards

    class MyConfig(AgentConfig):
        pass

    class MyAgent(nn.Module):
        def __init__(self, config, obs_size, n_actions, seed):
            super().__init__()
            self.sizes = obs_size, n_actions, seed

    register_agent("mine", MyConfig, MyAgent)
    assert make_agent(MyConfig(), 4, 2, 9).sizes == (4, 2, 9)
