"""Discrete TD3 of the torch engine: networks, action vectors, whole trainings."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from se_hpo import seeding
from se_hpo.agents import DivergedError, make_agent
from se_hpo.agents.actor_critic import gumbel_noise, gumbel_softmax
from se_hpo.agents.mlp import MLP
from se_hpo.agents.replay import ReplayBuffer
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training.environments import Step
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job, train_agent
from tests.helpers.td3_agents import (
    QUICK,
    agent_bytes,
    configured,
    random_batch,
    random_noise,
    seeded,
)

# Networks


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
def test_layer_norm_lies_between_linear_and_activation_but_not_in_the_first_layer(
    hidden_layers,
):
    mlp = MLP(4, 2, 7, hidden_layers, "tanh", seeded(), layer_norm=True)
    for norm in mlp.norms[1:hidden_layers]:
        for p in norm:  # neither 1 nor 0, so that they tell
            p.data.uniform_(0.5, 2.0, generator=seeded(1))
    modules = [nn.Linear(4, 7), nn.Tanh()]
    for _ in range(hidden_layers - 1):
        modules += [nn.Linear(7, 7), nn.LayerNorm(7), nn.Tanh()]
    reference = nn.Sequential(*modules, nn.Linear(7, 2))
    ours, theirs = list(mlp.parameters()), list(reference.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    for p, q in zip(ours, theirs, strict=True):
        q.data.copy_(p.data)
    x = torch.randn(5, 4, generator=seeded(2))
    torch.testing.assert_close(mlp(x), reference(x))
    torch.testing.assert_close(mlp(x[0]), reference(x[0]))


def test_without_layer_norm_networks_are_plain():
    plain, normalized = (
        make_agent(configured(layer_norm=on), 3, 2, seed=1) for on in (False, True)
    )
    assert all(norm is None for norm in plain.actor.norms)
    extra = 2 * QUICK.hidden_size
    sizes = [len(a.actor_adam.parameters) for a in (plain, normalized)]
    assert sizes[1] - sizes[0] == extra
    sizes = [len(a.critics_adam.parameters) for a in (plain, normalized)]
    assert sizes[1] - sizes[0] == 2 * extra


def test_sizes_of_actor_and_critics():
    agent = make_agent(configured(hidden_size=7), 4, 3, seed=0)
    for mlp, shapes in [
        (agent.actor, [(7, 4), (7, 7), (3, 7)]),
        (agent.critics.q1, [(7, 7), (7, 7), (1, 7)]),
        (agent.critics_target.q2, [(7, 7), (7, 7), (1, 7)]),
    ]:
        assert [tuple(w.shape) for w, _ in mlp.layers] == shapes


def test_weights_are_drawn_for_actor_then_first_then_second_critic():
    agent = make_agent(QUICK, 4, 3, seed=7)
    generator = seeded(seeding.integer_seed(7, "network"))
    for mlp in (agent.actor, agent.critics.q1, agent.critics.q2):
        in_size, out_size = mlp.layers[0][0].shape[1], mlp.layers[-1][0].shape[0]
        again = MLP(in_size, out_size, 16, 2, "tanh", generator, layer_norm=True)
        for p, q in zip(mlp.parameters(), again.parameters(), strict=True):
            assert torch.equal(p, q)


def test_targets_start_equal_and_share_nothing():
    agent = make_agent(QUICK, 3, 2, seed=0)
    for adam, target in [
        (agent.actor_adam, agent.actor_target_parameters),
        (agent.critics_adam, agent.critics_target_parameters),
    ]:
        assert torch.equal(adam.parameters, target)
        adam.parameters.add_(1)
        assert not torch.equal(adam.parameters, target)


# Action vectors


def test_soft_vectors_by_hand():
    logits = torch.tensor([0.0, math.log(3)])
    zero = torch.zeros(2)
    torch.testing.assert_close(
        gumbel_softmax(logits, zero, 1.0, hard=False), torch.tensor([0.25, 0.75])
    )
    torch.testing.assert_close(
        gumbel_softmax(logits, zero, 0.5, hard=False), torch.tensor([0.1, 0.9])
    )
    noise = torch.tensor([math.log(9), 0.0])
    torch.testing.assert_close(
        gumbel_softmax(logits, noise, 1.0, hard=False), torch.tensor([0.75, 0.25])
    )


def test_hard_vectors_are_one_hot_with_the_gradient_of_the_soft_ones():
    generator = seeded(3)
    noise = random_noise(generator, 50, 4).target_gumbel
    slope = torch.randn(50, 4, generator=generator)
    gradients = []
    for hard in (False, True):
        logits = torch.randn(50, 4, generator=seeded(4)).requires_grad_()
        vectors = gumbel_softmax(logits, noise, 0.7, hard)
        (vectors * slope).sum().backward()
        gradients.append(logits.grad)
    assert set(vectors.flatten().tolist()) == {0.0, 1.0}  # exactly
    assert torch.equal(vectors.sum(dim=1), torch.ones(50))
    assert torch.equal(vectors.argmax(1), (logits + noise).argmax(1))
    assert gradients[0].abs().max() > 0.01
    torch.testing.assert_close(*gradients)


def test_gumbel_noise_makes_the_argmax_a_sample_of_the_softmax():
    logits = torch.tensor([0.0, 1.0, -1.0])
    noise = gumbel_noise(np.random.default_rng(0), (20_000, 3))
    assert noise.dtype == torch.float32 and torch.isfinite(noise).all()
    vectors = gumbel_softmax(logits, noise, 0.3, hard=True)
    torch.testing.assert_close(vectors.mean(0), logits.softmax(0), atol=0.015, rtol=0)


def test_temperature_falls_linearly_to_a_twentieth_and_stays():
    agent = make_agent(configured(gumbel_temperature=4.0), 3, 2, seed=0)
    temperatures = []
    for agent.updates in (0, 1, 50, 99, 100, 5000):
        temperatures.append(agent.temperature)
    expected = [4.0, 4 - 0.038, 4 - 1.9, 4 - 99 * 0.038, 0.2, 0.2]
    np.testing.assert_allclose(temperatures, expected)
    config = configured(gumbel_temperature=4.0, gumbel_anneal_updates=0)
    agent = make_agent(config, 3, 2, seed=0)
    agent.updates = 10**6
    assert agent.temperature == 4.0


def test_acting_uses_the_annealed_temperature():
    agent = make_agent(configured(action_std=0.0), 3, 2, seed=0)
    state = np.ones(3, np.float32)
    spread = []
    for agent.updates in (0, 100):
        vectors = []
        for _ in range(200):
            agent.act(state)
            vectors.append(stored_vector(agent, state))
        spread.append(np.mean([v.max() for v in vectors]))
    assert spread[0] < 0.8 < 0.97 < spread[1]


def stored_vector(agent, state, action=None):
    """The action vector in the buffer after `remember`."""
    action = agent._chosen if action is None else action
    agent.remember(state, action, 0.0, state, 0.0)
    return agent.replay._rows[(agent.replay._added - 1) % 1000, -agent.n_actions :]


def test_first_episodes_are_uniformly_random_and_stored_one_hot():
    agent = make_agent(configured(init_episodes=2), 3, 3, seed=0)
    state = np.ones(3, np.float32)
    for episode in (0, 1):
        agent.start_episode(episode)
        actions = []
        for _ in range(600):
            actions.append(agent.act(state))
            vector = stored_vector(agent, state)
            assert sorted(vector) == [0, 0, 1] and vector.argmax() == actions[-1]
        counts = np.bincount(actions, minlength=3)
        assert counts.min() > 150 and counts.max() < 250
    agent.start_episode(2)
    agent.act(state)
    assert 0 < stored_vector(agent, state).max() != 1


def test_actions_are_the_argmax_of_the_noisy_vector_that_is_stored():
    agent = make_agent(configured(action_std=0.5), 3, 3, seed=0)
    state = np.ones(3, np.float32)
    sums = []
    for _ in range(300):
        action = agent.act(state)
        vector = stored_vector(agent, state)
        assert vector.argmax() == action
        sums.append(vector.sum())
    assert abs(np.mean(sums) - 1) < 0.2  # a softmax and noise, not renormalized
    assert np.std(sums) == pytest.approx(0.5 * np.sqrt(3), rel=0.15)


def test_without_noise_the_actions_follow_the_softmax_of_the_logits():
    agent = make_agent(configured(action_std=0.0), 3, 3, seed=0)
    state = np.ones(3, np.float32)
    with torch.no_grad():
        agent.actor.layers[-1][1].copy_(torch.tensor([0.0, 1.0, 0.5]))
        expected = agent.actor(torch.from_numpy(state)).softmax(0)
    actions = [agent.act(state) for _ in range(4000)]
    frequencies = np.bincount(actions, minlength=3) / 4000
    np.testing.assert_allclose(frequencies, expected, atol=0.03)


def test_tests_are_deterministic_and_take_the_largest_logit():
    agent = make_agent(QUICK, 3, 4, seed=0)
    for x in np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32):
        before = agent.exploration_rng.bit_generator.state
        actions = {agent.act_greedily(x) for _ in range(3)}
        assert agent.exploration_rng.bit_generator.state == before
        with torch.no_grad():
            assert actions == {int(agent.actor(torch.tensor(x)).argmax())}


def test_an_action_that_act_did_not_choose_is_stored_one_hot():
    agent = make_agent(QUICK, 3, 3, seed=0)
    state = np.ones(3, np.float32)
    other = (agent.act(state) + 1) % 3
    assert stored_vector(agent, state, other).tolist() == np.eye(3)[other].tolist()


def test_replay_keeps_action_vectors():
    buffer = ReplayBuffer(4, 2, np.random.default_rng(0), action_size=3)
    for i in range(6):
        state = np.full(2, i, np.float32)
        vector = np.array([i, -i, 0.5 * i], np.float32)
        buffer.add(state, vector, 10.0 * i, state + 1, 0.25)
    state, next_state, reward, done, action = buffer.sample(200)
    assert set(state[:, 0].tolist()) == {2, 3, 4, 5}
    expected = state[:, :1] * torch.tensor([1.0, -1.0, 0.5])
    assert torch.equal(action, expected) and action.dtype == torch.float32
    assert torch.equal(next_state, state + 1)
    assert torch.equal(reward[:, 0], 10 * state[:, 0]) and (done == 0.25).all()


# Whole trainings


class RightIsGood:
    """One step; action 1 is right where the observation is positive, else action 0."""

    n_actions = 2

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def reset(self):
        self.state = self.rng.choice([-1.0, 1.0], size=1).astype(np.float32)
        return self.state

    def step(self, action):
        right = action == (self.state[0] > 0)
        return Step(self.state, 1.0 if right else -1.0, 1.0, True, True)


@pytest.mark.parametrize("hard", [False, True])
def test_it_learns_which_action_is_right(hard):
    config = configured(gumbel_hard=hard, max_env_steps=300, init_episodes=40)
    agent = make_agent(config, 1, 2, seed=1)
    train_agent(agent, RightIsGood(), config, lambda returns: None)
    for observation in (-1.0, 1.0):
        state = np.array([observation], np.float32)
        right = int(observation > 0)
        assert agent.act_greedily(state) == right
        chosen = [agent.act(state) for _ in range(50)]
        assert np.mean(np.array(chosen) == right) > 0.9  # and is sure of it
        x = torch.tensor([[observation, *np.eye(2)[right]]], dtype=torch.float32)
        with torch.no_grad():
            assert agent.critics.q1(x).item() == pytest.approx(1, abs=0.3)


def test_more_than_two_actions():
    class ThreeArms(RightIsGood):
        n_actions = 3

        def step(self, action):
            return Step(self.state, float(action == 1), 1.0, True, True)

    config = configured(max_env_steps=250, init_episodes=40)
    agent = make_agent(config, 1, 3, seed=1)
    train_agent(agent, ThreeArms(), config, lambda returns: None)
    assert agent.act_greedily(np.ones(1, np.float32)) == 1


SE = SyntheticEnvConfig(hidden_size=8)
SHORT = configured(
    hidden_size=8, init_episodes=1, max_env_steps=60, test_episodes=2, batch_size=8
)


def job(seed=1, psi=None, agent=SHORT):
    learned = None if psi is None else LearnedEnv(SE, psi)
    return TrainingJob("CartPole-v0", agent, seed, learned)


def psi_of(seed=0):
    return initial_psi(SE, get_task("CartPole-v0"), np.random.default_rng(seed))


@pytest.mark.parametrize("on_se", [False, True])
def test_same_job_same_bytes_and_another_seed_others(on_se):
    psi = psi_of() if on_se else None
    a, b, c = (run_job(job(seed, psi)) for seed in (1, 1, 2))
    for name in ("test_returns", "episode_returns", "episode_lengths"):
        assert getattr(a, name).tobytes() == getattr(b, name).tobytes()
    assert a.episode_returns.tobytes() != c.episode_returns.tobytes()
    assert a.env_steps == 60


def test_same_seed_same_weights_after_training():
    agents = [make_agent(SHORT, 1, 2, seed) for seed in (1, 1, 2)]
    for agent in agents:
        train_agent(agent, RightIsGood(), SHORT, lambda returns: None)
    a, b, c = map(agent_bytes, agents)
    assert a == b != c


def test_global_generators_are_left_alone():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    agent = make_agent(SHORT, 1, 2, seed=0)
    train_agent(agent, RightIsGood(), SHORT, lambda returns: None)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_se_that_is_not_finite_ends_the_training_as_diverged(bad):
    psi = psi_of()
    psi[:] = bad
    result = run_job(job(psi=psi))
    assert result.stop_reason == "diverged" and result.env_steps == 0
    assert list(result.test_returns) == [get_task("CartPole-v0").worst_return] * 2


def test_an_se_whose_outputs_overflow_ends_the_training_as_diverged():
    psi = psi_of()
    psi[-1] = 0.0
    psi *= 1e30  # finite, but products of two are not
    result = run_job(job(psi=psi.astype(np.float32)))
    assert result.stop_reason == "diverged" and result.env_steps == 1


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_values_that_are_not_finite_end_the_agent(bad):
    state = np.zeros(1, np.float32)
    agent = make_agent(QUICK, 1, 2, seed=0)
    agent.remember(state, 0, bad, state, 1.0)
    with pytest.raises(DivergedError, match="critics' loss"):
        agent.update()
    agent = make_agent(QUICK, 1, 2, seed=0)
    agent.actor_adam.parameters.fill_(bad)
    for act in (agent.act, agent.act_greedily):
        with pytest.raises(DivergedError):
            act(state)


def test_an_infinite_value_of_the_actors_own_actions_ends_the_agent():
    config = configured(
        policy_delay=1, layer_norm=False, hidden_layers=1, activation="relu"
    )
    agent = make_agent(config, 3, 2, seed=0)
    with torch.no_grad():  # so that Q1 overflows, but not for the actions of the batch
        agent.critics.q1.layers[0][0][:, 3:] = 3e38
        agent.critics.q1.layers[1][0].fill_(1.0)
    *batch, actions = random_batch(seeded(0))
    with pytest.raises(DivergedError, match="actor's loss"):
        agent.update_on((*batch, 0 * actions), random_noise(seeded(1)))


def test_the_inner_loop_trains_it_whatever_the_engine():
    with InnerLoop("auto") as auto:
        result = auto.train_agents([job()])[0]
    assert result.env_steps == 60 and len(result.test_returns) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("policy_delay", 0),
        ("action_std", -0.1),
        ("policy_std", float("nan")),
        ("policy_std_clip", float("inf")),
        ("gumbel_temperature", 0.0),
        ("gumbel_temperature", float("inf")),
        ("gumbel_anneal_updates", -1),
        ("gumbel_hard", 1),
        ("layer_norm", "yes"),
        ("policy_delay", 1.5),
        ("lr", 0.0),
    ],
)
def test_bad_configurations_are_refused_in_one_line_that_names_the_field(name, value):
    with pytest.raises(UserError, match=name) as error:
        TD3DiscreteConfig(**{name: value})
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_it_learns_cartpole():
    config = TD3DiscreteConfig(max_env_steps=4000)
    result = run_job(TrainingJob("CartPole-v0", config, seed=2))
    assert result.score > 150
