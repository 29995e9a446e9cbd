"""The intrinsic curiosity module: its losses by hand, and its bonus in the rewards."""

import copy
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from se_hpo.agents import AGENTS, DivergedError, kind_of, make_agent
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.icm import ICM
from se_hpo.agents.icm_config import (
    DDQNICMConfig,
    DuelingDDQNICMConfig,
    ICMConfig,
    PPOICMConfig,
)
from se_hpo.agents.ppo import PPO
from se_hpo.errors import UserError
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job, train_agent
from tests.agents.test_agents import QUICK, ActionDependent, PolicyDependent
from tests.agents.test_registry import task_for

SMALL = {"icm_feature_size": 5, "icm_hidden_size": 7}
WRAPPING = [name for name, kind in AGENTS.items() if kind.wraps]
ACTIONS = {"binary": (2, False), "discrete": (3, False), "continuous": (2, True)}


def batch_of(n_actions, continuous=False, n=6, obs_size=3):
    g = torch.Generator().manual_seed(n_actions)
    states = torch.randn(2, n, obs_size, generator=g)
    reward, done = torch.randn(2, n, 1, generator=g)
    actions = torch.randint(n_actions, (n, 1), generator=g)
    if continuous:
        actions = torch.randn(n, n_actions, generator=g)
    return states[0], states[1], reward, done, actions


def linear(x, mlp, i):
    weight, bias = mlp.layers[i]
    return weight @ x + bias


def leaky(x):
    return torch.where(x > 0, x, 0.01 * x)


def mlp_by_hand(mlp, x, act):
    return linear(act(linear(act(linear(x, mlp, 0)), mlp, 1)), mlp, 2)


def errors_by_hand(icm, s, s_next, a):
    """What the inverse model says, and the forward model's error, of one transition."""
    phi, phi_next = (mlp_by_hand(icm.features, x, leaky) for x in (s, s_next))
    guess = mlp_by_hand(icm.inverse, torch.cat((phi, phi_next)), torch.relu)
    model = icm.predict
    x = mlp_by_hand(model.first, torch.cat((phi, a)), leaky)
    assert len(model.inner) == len(model.outer) == 4
    for inner, outer in zip(model.inner, model.outer, strict=True):
        y = leaky(linear(torch.cat((x, a)), inner, 0))
        x = x + linear(torch.cat((y, a)), outer, 0)
    x = linear(leaky(linear(x, model.last, 0)), model.last, 1)
    return guess, ((phi_next - x) ** 2).sum() / len(x)


def encoded_by_hand(a, n_actions, continuous):
    if continuous or n_actions == 2:
        return a.float()
    return torch.eye(n_actions)[a[0]]


def action_loss_by_hand(guess, a, n_actions, continuous):
    if continuous:
        return ((guess - a) ** 2).mean()
    if n_actions == 2:
        p = 1 / (1 + torch.exp(-guess[0]))
        return -torch.log(p if a[0] == 1 else 1 - p)
    return torch.logsumexp(guess, 0) - guess[a[0]]


@pytest.mark.parametrize("actions", ACTIONS)
def test_losses_and_bonus_equal_those_written_a_second_way(actions):
    n_actions, continuous = ACTIONS[actions]
    config = ICMConfig(**SMALL, icm_eta=0.3)
    icm = ICM(config, 3, n_actions, seed=2, continuous=continuous)
    batch = batch_of(n_actions, continuous)
    inverse, forward, bonus = [], [], []
    for s, s_next, _, _, a in zip(*batch, strict=True):
        x = encoded_by_hand(a, n_actions, continuous)
        guess, error = errors_by_hand(icm, s, s_next, x)
        assert len(guess) == (1 if actions == "binary" else n_actions)
        inverse.append(action_loss_by_hand(guess, a, n_actions, continuous))
        forward.append(error)
        bonus.append(0.3 * error.detach())
    expected = torch.stack(inverse).mean(), torch.stack(forward).mean()
    torch.testing.assert_close(icm.losses(batch), expected)
    given = icm.bonus(batch)
    torch.testing.assert_close(given, torch.stack(bonus)[:, None])
    assert not given.requires_grad


def test_the_networks_have_the_sizes_of_the_authors():
    icm = ICM(ICMConfig(), 4, 3, seed=0)
    features = 4 * 128 + 128 + 128 * 128 + 128 + 128 * 64 + 64
    inverse = 128 * 128 + 128 + 128 * 128 + 128 + 128 * 3 + 3
    first = 67 * 128 + 128 + 128 * 128 + 128 + 128 * 64 + 64
    forward = first + 4 * 2 * (67 * 64 + 64) + 64 * 128 + 128 + 128 * 64 + 64
    assert sum(p.numel() for p in icm.parameters()) == features + inverse + forward


@pytest.mark.parametrize("stop", [False, True])
def test_a_step_is_one_of_adam_on_the_weighted_losses(stop):
    config = ICMConfig(**SMALL, icm_lr=0.01, icm_beta=0.4, icm_stop_gradient=stop)
    icm, batch = ICM(config, 3, 3, seed=1), batch_of(3)
    theirs = copy.deepcopy(icm)
    adam = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(3):
        icm.learn(batch)
        s, s_next, _, _, a = batch
        phi, phi_next = theirs.features(s), theirs.features(s_next)
        guess = theirs.inverse(torch.cat((phi, phi_next), 1))
        target = phi_next.detach() if stop else phi_next
        forward = F.mse_loss(theirs.predict(phi, theirs.encode(a)), target)
        adam.zero_grad()
        (0.6 * F.cross_entropy(guess, a[:, 0]) + 0.4 * forward).backward()
        adam.step()
    for ours, other in zip(icm.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours.detach(), other.detach())


def test_stopping_the_gradient_keeps_the_forward_loss_out_of_the_target_only():
    batch = batch_of(2)
    grads = {}
    for stop in (False, True):
        icm = ICM(ICMConfig(**SMALL, icm_stop_gradient=stop), 3, 2, seed=1)
        state = batch[0].clone().requires_grad_()
        following = batch[1].clone().requires_grad_()
        inverse, forward = icm.losses((state, following, *batch[2:]))
        wanted = [state, following]
        grads[stop] = torch.autograd.grad(forward, wanted, retain_graph=True)
        assert all(g.any() for g in torch.autograd.grad(inverse, wanted))
    torch.testing.assert_close(grads[True][0], grads[False][0])
    assert grads[False][1].any() and not grads[True][1].any()


def test_curiosity_wanes_for_what_is_seen_and_not_for_what_is_new():
    icm = ICM(ICMConfig(icm_lr=1e-3), 3, 2, seed=0)
    seen, new = batch_of(2, n=32), batch_of(2, n=64)
    before = icm.bonus(seen).mean(), icm.bonus(new).mean()
    for _ in range(300):
        icm.learn(seen)
    after = icm.bonus(seen).mean(), icm.bonus(new).mean()
    assert after[0] < 0.3 * before[0]
    assert after[1] > 3 * after[0]


@pytest.mark.parametrize("name", ["ddqn_icm", "dueling_ddqn_icm"])
def test_the_bonus_is_added_once_after_one_step_and_is_not_stored(name, monkeypatch):
    config = AGENTS[name].config(**SMALL, batch_size=4)
    agent, twin = make_agent(config, 3, 2, seed=5), ICM(config, 3, 2, seed=5)
    curious, batch = agent.replay, batch_of(2)
    for s, s_next, reward, done, a in zip(*batch, strict=True):
        agent.remember(s.numpy(), a.item(), reward.item(), s_next.numpy(), done.item())
    drawn = []

    def sample(n, inner=curious.replay.sample):
        drawn.append(inner(n))
        return drawn[-1]

    monkeypatch.setattr(curious.replay, "sample", sample)
    before = curious.replay._rows[:6].copy()
    given = curious.sample(4)
    twin.learn(drawn[0])
    expected = drawn[0][2] + twin.bonus(drawn[0])
    torch.testing.assert_close(given[2], expected, rtol=0, atol=0)
    assert (given[2] > drawn[0][2]).all()
    for i in (0, 1, 3, 4):
        assert given[i] is drawn[0][i]
    agent.update()
    assert len(drawn) == 2
    np.testing.assert_array_equal(curious.replay._rows[:6], before)


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("variant", ["standard", "authors"])
def test_a_rollout_gets_the_bonus_once_and_then_the_module_learns(
    variant, continuous, monkeypatch
):
    seen = []
    monkeypatch.setattr(PPO, "learn_from", lambda self, *told: seen.append(told))
    sizes = {"rollout_steps": 6, "update_episodes": 1, "epochs": 2}
    config = PPOICMConfig(**SMALL, **sizes, variant=variant)
    agent = make_agent(config, 3, 2, seed=5, continuous=continuous)
    twin = ICM(config, 3, 2, seed=5, continuous=continuous)
    for _ in range(2):
        batch = batch_of(2, continuous)
        for s, s_next, reward, done, a in zip(*batch, strict=True):
            action = a.numpy() if continuous else a.item()
            told = s.numpy(), action, reward.item(), s_next.numpy(), done.item()
            agent.remember(*told)
            agent.update()
        agent.end_episode(truncated=True)
        rollout, orders = seen[-1]
        expected = (batch[2] + twin.bonus(batch))[:, 0]
        torch.testing.assert_close(rollout.reward, expected, rtol=0, atol=0)
        torch.testing.assert_close(rollout.state, batch[0])
        assert len(orders) == 2
        twin.learn(batch)
    assert len(seen) == 2


def quick_job(name, **values):
    quick = {"batch_size": 8, "hidden_size": 8, "init_episodes": 1, "test_episodes": 2}
    if "ppo" in name:
        quick["rollout_steps"] = 100
    config = AGENTS[name].config(**quick, lr=0.05, max_env_steps=300, **values)
    return TrainingJob(task_for(name), config, seed=3, stop_by_rule=False)


def as_bytes(result):
    return [np.asarray(getattr(result, f.name)).tobytes() for f in fields(result)]


@pytest.mark.parametrize("name", WRAPPING)
def test_without_a_bonus_it_is_the_wrapped_agent_to_the_byte(name):
    base = run_job(quick_job(AGENTS[name].wraps))
    off = run_job(quick_job(name, **SMALL, icm_eta=0.0))
    assert as_bytes(off) == as_bytes(base)
    assert as_bytes(run_job(quick_job(name, **SMALL, icm_eta=50.0))) != as_bytes(base)


@pytest.mark.parametrize("probe", [ActionDependent, PolicyDependent])
@pytest.mark.parametrize("config", [DDQNICMConfig, DuelingDDQNICMConfig])
def test_agents_learn_the_better_action_beside_a_small_bonus(config, probe):
    env = probe()
    agent = make_agent(config(**QUICK, icm_eta=0.05), 1, env.n_actions, seed=1)
    limit = AgentConfig(max_env_steps=350, init_episodes=0)
    train_agent(agent, env, limit, lambda returns: None)
    states = [0] if probe is ActionDependent else [-1, 1]
    chosen = [agent.act_greedily(np.full(1, s, np.float32)) for s in states]
    assert chosen == ([1] if probe is ActionDependent else [0, 1])


@pytest.mark.parametrize("name", WRAPPING)
def test_a_wrapping_configuration_is_the_wrapped_one_and_the_modules(name):
    base = asdict(AGENTS[AGENTS[name].wraps].config())
    config = AGENTS[name].config()
    own = {key: value for key, value in asdict(config).items() if key not in base}
    assert asdict(config) == {**base, **own}
    assert own == {k: v for k, v in asdict(ICMConfig()).items() if "icm" in k}
    assert kind_of(config).name == name
    assert kind_of(config).varied == AGENTS[AGENTS[name].wraps].varied


def test_a_state_that_overflows_the_module_ends_the_training_as_diverged():
    agent = make_agent(DDQNICMConfig(**SMALL, batch_size=2), 1, 2, seed=0)
    state, far = np.zeros(1, np.float32), np.full(1, 1e30, np.float32)
    agent.remember(state, 1, 0.0, far, 1.0)
    with pytest.raises(DivergedError):
        agent.update()


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("icm_lr", 0.0, "> 0"),
        ("icm_lr", float("nan"), "> 0"),
        ("icm_beta", 1.1, r"in \[0, 1\]"),
        ("icm_eta", -0.1, ">= 0"),
        ("icm_eta", float("inf"), ">= 0"),
        ("icm_feature_size", 0, ">= 1"),
        ("icm_hidden_size", 0, ">= 1"),
        ("icm_hidden_size", 8.0, "of type int"),
        ("icm_stop_gradient", 1, "of type bool"),
        ("tau", 2.0, r"in \(0, 1\]"),
    ],
)
def test_values_out_of_range_are_refused(field, value, rule):
    with pytest.raises(UserError, match=rf"DDQNICMConfig\.{field} = .*{rule}"):
        replace(DDQNICMConfig(), **{field: value})
