"""PPO of the torch engine: its update, what it learns from, probe environments."""

import dataclasses
import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest

from se_hpo.agents import DivergedError, make_agent
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.ppo import PPO, Transitions, discounted_sums
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.errors import UserError
from se_hpo.training.environments import Step
from se_hpo.training.torch_engine import train_agent
from tests.helpers.ppo_oracle import ACTIONS, OBS, Oracle, random_orders, random_rows

QUICK = PPOConfig(
    rollout_steps=64,
    update_episodes=64,
    batch_size=16,
    epochs=4,
    lr=0.01,
    hidden_size=16,
    gamma=0.5,
)
KINDS = list(product(["standard", "authors"], [False, True]))
every_kind = pytest.mark.parametrize(("variant", "continuous"), KINDS)


def configured(**changes):
    return dataclasses.replace(QUICK, **changes)


def transitions(rows):
    return Transitions(*map(torch.from_numpy, rows))


# The update


@every_kind
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("steps", [45, 48, 1])
def test_learning_equals_autograd_written_a_second_way(
    variant, continuous, activation, steps
):
    config = configured(
        variant=variant, activation=activation, ent_coef=0.03, epochs=3, lr=3e-3
    )
    oracle = Oracle(config, continuous, seed=steps)
    agent = PPO(config, OBS, ACTIONS, 0, continuous)
    agent.adam.parameters.copy_(torch.from_numpy(oracle.start))
    for seed in range(2):  # the second time with Adam's moments
        rows = random_rows(steps, continuous, seed)
        orders = random_orders(config, steps, seed)
        oracle.learn(rows, orders)
        agent.learn_from(transitions(rows), [torch.from_numpy(o) for o in orders])
    moved = np.abs(oracle.flat() - oracle.start).max()
    assert moved > 1e-3
    np.testing.assert_allclose(agent.adam.parameters, oracle.flat(), atol=moved / 500)


def test_advantages_by_hand():
    """V = 10 s; gamma 1/2, lambda 1/2; worked out on paper."""
    config = configured(gae_lambda=0.5, hidden_layers=1, hidden_size=1)
    agent = PPO(dataclasses.replace(config, activation="relu"), 1, 2, 0)
    (w, b), (out, shift) = agent.policy.critic.layers
    for parameter, value in ((w, 1.0), (b, 0.0), (out, 10.0), (shift, 0.0)):
        parameter.data.fill_(value)
    # Two steps to a time limit in state 2; one to a raw done of 0.4, which ends the
    # episode; one that the rollout cuts in state 3.
    state, next_state = torch.tensor([[0.0, 1, 1, 2], [1, 2, 4, 3]])[:, :, None]
    done, last = torch.tensor([0, 0, 0.4, 0]), torch.tensor([False, True, True, False])
    reward, action = torch.ones(4), torch.zeros(4, dtype=torch.int64)
    samples = agent.samples(Transitions(state, action, reward, next_state, done, last))
    errors = [1 + 5 - 0, 1 + 10 - 10, 1 + 0.3 * 40 - 10, 1 + 15 - 20]
    expected = [errors[0] + 0.25 * errors[1], *errors[1:]]
    np.testing.assert_allclose(samples.advantage, expected, rtol=1e-6)
    values = [0, 10, 10, 20]
    np.testing.assert_allclose(samples.target, np.add(expected, values), rtol=1e-6)
    np.testing.assert_allclose(samples.log_probability.exp(), [0.5] * 4, atol=0.02)


def test_the_authors_targets_by_hand():
    agent = PPO(configured(variant="authors"), 1, 2, 0)
    state, last = torch.zeros(3, 1), torch.tensor([False, True, True])
    reward, action = torch.tensor([1.0, 4, 6]), torch.zeros(3, dtype=torch.int64)
    samples = agent.samples(
        Transitions(state, action, reward, state, torch.zeros(3), last)
    )
    returns = np.array([3.0, 4, 6])  # the time limit counts as an end
    expected = (returns - returns.mean()) / (returns.std(ddof=1) + 1e-5)
    np.testing.assert_allclose(samples.target, expected, rtol=1e-5)


def test_the_trace_ends_with_the_episode_and_a_raw_done_weighs_it():
    sums = discounted_sums(torch.tensor([1.0, 2, 4]), torch.tensor([0.5, -1, 9]))
    assert sums.tolist() == [1 + 0.5 * (2 - 4), 2 - 4, 4]


def test_the_gradient_is_shortened_to_its_largest_norm():
    rows, norms = random_rows(16, False, 0), []
    for most in (0.0, 0.1):
        agent = PPO(configured(max_grad_norm=most, epochs=1), OBS, ACTIONS, 0)
        agent.learn_from(transitions(rows), [torch.arange(16)])
        norms.append(agent.adam.gradients.norm().item())
    assert norms[0] > 0.2
    assert norms[1] == pytest.approx(0.1, rel=1e-4)


# What is learned from


def walk(agent, steps, obs_size=1, end_every=0):
    """Steps of one endless episode, or of episodes of the given length."""
    learned, state = [], np.zeros(obs_size, np.float32)
    for step in range(1, steps + 1):
        before = agent.adam.parameters.clone()
        action = agent.act(state)
        agent.remember(state, action, 1.0, state, 0.0)
        agent.update()
        if end_every and step % end_every == 0:
            agent.end_episode(truncated=True)
        if not torch.equal(before, agent.adam.parameters):
            learned.append(step)
    return learned


@pytest.mark.parametrize("end_every", [0, 7, 64])
def test_it_learns_whenever_the_rollout_is_full_wherever_episodes_end(end_every):
    agent = PPO(QUICK, 1, 2, 0)
    assert walk(agent, 200, end_every=end_every) == [64, 128, 192]


def test_the_authors_learn_from_whole_episodes():
    agent = PPO(configured(variant="authors", update_episodes=3), 1, 2, 0)
    assert walk(agent, 100, end_every=7) == [21, 42, 63, 84]


@pytest.mark.parametrize("variant", ["standard", "authors"])
def test_the_first_episodes_only_fill_the_rollout(variant):
    config = configured(variant=variant, init_episodes=2, rollout_steps=5)
    agent = PPO(dataclasses.replace(config, update_episodes=1), 1, 2, 0)
    state, start = np.zeros(1, np.float32), agent.adam.parameters.clone()
    for episode in (0, 1):  # without updates, as the inner loop does it
        agent.start_episode(episode)
        for _ in range(5):
            agent.remember(state, agent.act(state), 1.0, state, 0.0)
        agent.end_episode(truncated=False)
    assert torch.equal(agent.adam.parameters, start)
    assert len(agent._steps) == 10
    agent.start_episode(2)
    assert walk(agent, 5, end_every=5) == ([1] if variant == "standard" else [5])
    assert len(agent._steps) == (4 if variant == "standard" else 0)


def test_the_last_step_of_a_rollout_may_end_its_episode():
    agent = PPO(configured(rollout_steps=4, batch_size=4), 1, 2, 0)
    assert walk(agent, 12, end_every=2) == [4, 8, 12]
    agent.end_episode(truncated=False)  # nothing there: no error
    assert agent._last == []


def test_states_may_be_written_over_after_they_were_remembered():
    agent, state = PPO(configured(rollout_steps=9), 1, 2, 0), np.zeros(1, np.float32)
    for i in range(3):
        state[:] = i
        agent.remember(state, 0, 0.0, state, 0.0)
    assert [float(step[0][0]) for step in agent._steps] == [0, 1, 2]


# Acting


@pytest.mark.parametrize("variant", ["standard", "authors"])
def test_discrete_actions_are_samples_of_the_softmax(variant):
    agent = PPO(configured(variant=variant), 1, 3, 0)
    agent.policy.actor.layers[-1][1].data[:] = torch.tensor([0.0, 1.0, -1.0])
    agent.policy.actor.layers[-1][0].data.zero_()
    state = np.ones(1, np.float32)
    counts = np.bincount([agent.act(state) for _ in range(4000)], minlength=3)
    likely = torch.tensor([0.0, 1.0, -1.0]).double().softmax(0).numpy()
    assert chisquare(counts, 4000 * likely).pvalue > 1e-3
    assert agent.act_greedily(state) == 1


def test_a_continuous_action_is_clipped_but_remembered_as_it_was_drawn():
    agent, state = PPO(QUICK, 1, 2, 3, True), np.zeros(1, np.float32)
    taken = []
    for _ in range(1000):
        action = agent.act(state)
        assert action.dtype == np.float32 and np.abs(action).max() <= 1
        agent.remember(state, action.copy(), 0.0, state, 0.0)
        taken.append(action)
    raw = np.array([step[1] for step in agent._steps])
    np.testing.assert_array_equal(raw.clip(-1, 1), taken)
    assert (np.abs(raw) > 1).mean() > 0.25
    mean = agent.policy.center(torch.zeros(1)).detach().numpy()
    assert kstest((raw - mean).ravel(), "norm").pvalue > 1e-3
    np.testing.assert_array_equal(agent.act_greedily(state), mean.clip(-1, 1))


def test_an_action_of_another_stands_for_itself():
    agent, state = PPO(QUICK, 1, 2, 3, True), np.zeros(1, np.float32)
    agent.act(state)
    other = np.array([0.25, -1.0], np.float32)
    agent.remember(state, other, 0.0, state, 0.0)
    np.testing.assert_array_equal(agent._steps[0][1], other)


def test_the_authors_means_are_bounded_and_their_spread_has_floors():
    agent = PPO(configured(variant="authors", action_std=0.3), 1, 2, 3, True)
    agent.policy.actor.layers[-1][1].data.fill_(50.0)
    state = np.zeros(1, np.float32)
    assert agent.act_greedily(state).tolist() == [1, 1]
    np.testing.assert_allclose(agent.policy.std(0.01).detach(), [0.3, 0.3], rtol=1e-6)
    agent.policy.spread.data.fill_(-1.0)
    agent.act(state)
    assert 0 < np.abs(agent._raw - 1).max() < 0.01
    log_density, _ = agent.policy.log_probability(torch.zeros(1, 1), torch.ones(1, 2))
    expected = -2 * math.log(0.01 * math.sqrt(2 * math.pi))
    assert log_density.item() == pytest.approx(expected, rel=1e-5)


# Networks


def test_weights_are_orthogonal_with_the_gains_of_stable_baselines3():
    agent = PPO(PPOConfig(hidden_size=20), 4, 3, 0, True)
    for mlp, gain in ((agent.policy.actor, 0.01), (agent.policy.critic, 1.0)):
        for (weight, bias), scale in zip(
            mlp.layers, [math.sqrt(2), math.sqrt(2), gain], strict=True
        ):
            w = weight.detach() / scale
            product = w @ w.T if len(w) <= w.shape[1] else w.T @ w
            torch.testing.assert_close(product, torch.eye(len(product)))
            assert not bias.any()
    assert agent.policy.spread.tolist() == [0, 0, 0]


@every_kind
def test_same_seed_same_agent_and_another_seed_another(variant, continuous):
    config = configured(variant=variant, update_episodes=5)
    a, b, c = (PPO(config, 2, 2, seed, continuous) for seed in (1, 1, 2))
    assert all(walk(x, 100, 2, 9) for x in (a, b, c))
    assert torch.equal(a.adam.parameters, b.adam.parameters)
    assert not torch.equal(a.adam.parameters, c.adam.parameters)


# What is not finite


@every_kind
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_ends_the_agent(variant, continuous, bad):
    config = configured(variant=variant, rollout_steps=2, update_episodes=1)
    agent, state = PPO(config, 1, 2, 0, continuous), np.zeros(1, np.float32)
    action = agent.act(state)
    with pytest.raises(DivergedError):
        for reward in (0.0, bad):
            agent.remember(state, action, reward, state, 1.0)
            agent.update()
        agent.end_episode(truncated=False)
    agent.adam.parameters.fill_(bad)
    for act in (agent.act, agent.act_greedily):
        if continuous and variant == "authors" and math.isinf(bad) and act != agent.act:
            continue  # tanh of infinity is 1
        with pytest.raises(DivergedError):
            act(state)


def test_large_finite_outputs_are_no_divergence():
    agent = PPO(QUICK, 1, 3, 0)
    agent.policy.actor.layers[-1][1].data.fill_(3e38)
    agent.policy.actor.layers[-1][0].data.zero_()
    assert agent.act_greedily(np.zeros(1, np.float32)) == 0
    agent.act(np.zeros(1, np.float32))


@pytest.mark.parametrize(
    "field",
    [
        {"rollout_steps": 0},
        {"epochs": 0},
        {"gae_lambda": 1.1},
        {"clip_range": -0.1},
        {"max_grad_norm": float("nan")},
        {"action_std": 0.0},
        {"variant": "author"},
        {"update_episodes": 0},
    ],
)
def test_what_cannot_be_is_refused_with_its_name(field):
    with pytest.raises(UserError, match=f"PPOConfig.{next(iter(field))}"):
        PPOConfig(**field)


# Probe environments


class Bandit:
    """Right in one state is wrong in the other; rewards are 1 and -1."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def reset(self):
        self.state = self.rng.choice([-1.0, 1.0], size=1).astype(np.float32)
        return self.state

    def step(self, action):
        right = self.is_right(action)
        return Step(self.state, 1.0 if right else -1.0, 1.0, True, True)

    def is_right(self, action):
        return action == (self.state[0] > 0)


class Credit(Bandit):
    """Only the second step is rewarded, for what was done in the first.

    The state shows it no more, so the critic of the first step must tell.
    """

    def reset(self):
        self.first = True
        return super().reset()

    def step(self, action):
        if self.first:
            self.first, self.right = False, self.is_right(action)
            self.state = np.full(1, 3.0 if self.right else -3.0, np.float32)
            return Step(self.state, 0.0, 0.0, False, False)
        return Step(self.state, 1.0 if self.right else -1.0, 1.0, True, True)


class Aim(Bandit):
    """A continuous action is the better the nearer to half the state."""

    def step(self, action):
        miss = float(np.abs(action - 0.5 * self.state).max())
        return Step(self.state, -miss, 1.0, True, True)


@pytest.mark.parametrize("variant", ["standard", "authors"])
@pytest.mark.parametrize("env", [Bandit, Credit])
def test_it_learns_what_is_right_in_each_state(env, variant):
    config = configured(variant=variant, gamma=0.9, max_env_steps=1500)
    agent = make_agent(config, 1, 2, seed=1)
    train_agent(agent, env(), config, lambda returns: None)
    for state in (-1.0, 1.0):
        assert agent.act_greedily(np.full(1, state, np.float32)) == (state > 0)


@pytest.mark.parametrize("variant", ["standard", "authors"])
def test_it_learns_where_to_aim(variant):
    config = configured(
        variant=variant, action_std=0.5, lr=3e-3, epochs=10, max_env_steps=3000
    )
    agent = PPO(config, 1, 2, 1, continuous=True)
    train_agent(agent, Aim(), config, lambda returns: None)
    for state in (-1.0, 1.0):
        aim = agent.act_greedily(np.full(1, state, np.float32))
        np.testing.assert_allclose(aim, state / 2, atol=0.15)
    raw = agent.policy.std(0.01).detach().numpy()
    assert raw.max() < 0.4  # it has become sure


class Endless(Bandit):
    """A reward of 1 a step, cut by a time limit; its value is 1 / (1 - gamma)."""

    def reset(self):
        self.steps, self.state = 0, np.zeros(1, np.float32)
        return self.state

    def step(self, action):
        self.steps += 1
        return Step(self.state, 1.0, 0.0, self.steps == 5, False)


def test_a_time_limit_is_no_end():
    config = configured(gamma=0.8, max_env_steps=3000)
    agent = make_agent(config, 1, 2, seed=1)
    train_agent(agent, Endless(), config, lambda returns: None)
    assert agent.policy.value(torch.zeros(1, 1)).item() == pytest.approx(5, abs=0.3)
