"""TD3 for continuous actions, torch; its updates by autograd: tests/training."""

import dataclasses

import numpy as np
import pytest
import torch

from se_hpo import seeding
from se_hpo.agents import DivergedError, make_agent
from se_hpo.agents.mlp import MLP
from se_hpo.agents.td3_config import TD3Config
from se_hpo.errors import UserError
from se_hpo.training.environments import Step
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job, train_agent
from tests.helpers.td3_agents import agent_bytes, random_batch, seeded

QUICK = TD3Config(
    batch_size=32, hidden_size=16, init_episodes=0, lr=0.01, tau=0.2, gamma=0.5
)
ONES = np.ones(3, np.float32)


def made(obs_size=3, n_actions=2, seed=0, **changes):
    return make_agent(dataclasses.replace(QUICK, **changes), obs_size, n_actions, seed)


def test_target_by_hand():
    """Q1 = a0 + 2 a1, Q2 half of it; tanh of the target actor's output is (0.9, 0)."""
    agent = made(1, 2, hidden_size=1, hidden_layers=1, gamma=0.9)
    agent.actor_target_parameters.zero_()
    agent.critics_target_parameters.zero_()
    with torch.no_grad():
        agent.actor_target.layers[-1][1].copy_(torch.tensor([np.arctanh(0.9), 0.0]))
        pair = (agent.critics_target.q1, 1), (agent.critics_target.q2, 0.5)
        for critic, factor in pair:
            critic.layers[0][0].copy_(torch.tensor([[0.0, 1.0, 2.0]]))
            critic.layers[1][0].fill_(factor)
    one = torch.ones(1, 1)
    batch = (one, one, one, 0.4 * one, torch.zeros(1, 2))
    # a' = (0.9 + clip(2) = 1.4, clipped to 1; 0 + 0.3), Q2 = 0.5 x 1.6 is the smaller.
    target = agent._target(batch, torch.tensor([[10.0, 1.5]]))
    assert target.item() == pytest.approx(1 + 0.9 * 0.6 * 0.8)


def test_actor_and_targets_move_only_in_every_policy_delayth_update():
    agent, generator = made(policy_delay=3), seeded()
    vectors = {
        "critics": agent.critics_adam.parameters,
        "actor": agent.actor_adam.parameters,
        "actor_target": agent.actor_target_parameters,
        "critics_target": agent.critics_target_parameters,
    }
    for update in range(1, 7):
        before = {name: v.clone() for name, v in vectors.items()}
        agent.update_on(random_batch(generator), torch.randn(9, 2, generator=generator))
        moved = {n for n, v in vectors.items() if not torch.equal(v, before[n])}
        assert moved == (set(vectors) if update % 3 == 0 else {"critics"})


def test_update_draws_batch_and_noise_as_specified():
    ours, again = made(seed=4), made(seed=4)
    for agent in (ours, again):
        rng = np.random.default_rng(0)
        for _ in range(40):
            state, next_state = rng.standard_normal((2, 3)).astype(np.float32)
            agent.remember(state, agent.act(state), 1.0, next_state, 0.1)
    noise_rng = seeding.generator(4, "update noise")
    for _ in range(2):
        ours.update()
        noise = torch.from_numpy(noise_rng.standard_normal((32, 2), np.float32))
        again.update_on(again.replay.sample(32), noise)
        assert agent_bytes(ours) == agent_bytes(again)


def test_networks_are_drawn_for_actor_then_first_then_second_critic():
    agent = made(4, 3, seed=7)
    generator = seeded(seeding.integer_seed(7, "network"))
    sizes = (agent.actor, 4, 3), (agent.critics.q1, 7, 1), (agent.critics.q2, 7, 1)
    for mlp, inputs, outputs in sizes:
        again = MLP(inputs, outputs, 16, 2, "relu", generator)
        for p, q in zip(mlp.parameters(), again.parameters(), strict=True):
            assert torch.equal(p, q)


def test_first_episodes_are_uniformly_random():
    agent = made(init_episodes=2)
    for episode in (0, 1):
        agent.start_episode(episode)
        actions = np.array([agent.act(ONES) for _ in range(2000)])
        assert actions.dtype == np.float32
        deciles = np.quantile(actions, np.linspace(0, 1, 11), axis=0)
        np.testing.assert_allclose(deciles[:, 0], np.linspace(-1, 1, 11), atol=0.1)
        assert abs(np.corrcoef(actions.T)[0, 1]) < 0.1
    agent.start_episode(2)
    assert np.std([agent.act(ONES) for _ in range(200)], axis=0).max() < 0.15


def test_exploring_adds_clipped_noise_of_the_configured_size():
    agent = made(action_std=0.3)
    middle = agent.act_greedily(ONES)
    assert np.abs(middle).max() < 0.9
    actions = np.array([agent.act(ONES) for _ in range(4000)])
    assert np.abs(actions).max() <= 1
    inside = np.median(actions, axis=0)
    np.testing.assert_allclose(inside, middle, atol=0.03)
    spread = np.quantile(actions, [0.3085, 0.6915], axis=0)  # +- half a deviation
    np.testing.assert_allclose(np.diff(spread, axis=0)[0], 0.3, rtol=0.1)


def test_tests_are_deterministic_and_within_bounds():
    agent = made(n_actions=4)
    before = agent.exploration_rng.bit_generator.state
    for x in np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32):
        first, second = agent.act_greedily(100 * x), agent.act_greedily(100 * x)
        assert first.dtype == np.float32 and first.shape == (4,)
        assert np.array_equal(first, second) and np.abs(first).max() <= 1
    assert agent.exploration_rng.bit_generator.state == before


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_end_the_agent(bad):
    agent = made()
    agent.remember(ONES, np.zeros(2, np.float32), bad, ONES, 1.0)
    with pytest.raises(DivergedError, match="critics' loss"):
        agent.update()
    agent = made()
    agent.actor_adam.parameters[-1] = bad
    for act in (agent.act, agent.act_greedily):
        with pytest.raises(DivergedError, match="actor's output"):
            act(ONES)


class Near:
    """One step; the reward is minus the squared distance to half the observation."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def reset(self):
        self.state = self.rng.uniform(-1, 1, 2).astype(np.float32)
        return self.state

    def step(self, action):
        reward = -float(np.square(action - self.state / 2).sum())
        return Step(self.state, reward, 1.0, True, True)


def test_it_learns_where_the_reward_is_best():
    agent = made(2, 2, init_episodes=100, policy_delay=1)
    config = dataclasses.replace(agent.config, max_env_steps=700)
    train_agent(agent, Near(), config, lambda log: None)
    for state in np.random.default_rng(1).uniform(-1, 1, (20, 2)).astype(np.float32):
        np.testing.assert_allclose(agent.act_greedily(state), state / 2, atol=0.15)


@pytest.mark.parametrize("repeat", [1, 3])
def test_same_job_same_bytes_and_another_seed_others(repeat):
    config = dataclasses.replace(
        QUICK, action_repeat=repeat, max_env_steps=60, test_episodes=1
    )
    a, b, c = (
        run_job(TrainingJob("MountainCarContinuous-v0", config, s)) for s in (1, 1, 2)
    )
    assert a.test_returns.tobytes() == b.test_returns.tobytes()
    assert a.episode_returns.tobytes() == b.episode_returns.tobytes()
    assert a.episode_returns.tobytes() != c.episode_returns.tobytes()
    assert (a.env_steps, a.test_env_steps) == (60, 999)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy_delay", 0),
        ("action_std", -0.1),
        ("policy_std", float("nan")),
        ("policy_std_clip", float("inf")),
        ("policy_delay", 1.5),
        ("lr", 0.0),
        ("action_repeat", 0),
    ],
)
def test_bad_configurations_are_refused_in_one_line_that_names_the_field(name, value):
    with pytest.raises(UserError, match=name) as error:
        TD3Config(**{name: value})
    assert "\n" not in str(error.value)
