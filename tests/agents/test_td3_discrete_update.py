"""The update of discrete TD3, against a second writing of its specification."""

import copy
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from se_hpo import seeding
from se_hpo.agents import make_agent
from se_hpo.agents.td3_discrete import UpdateNoise
from tests.helpers.td3_agents import (
    QUICK,
    agent_bytes,
    configured,
    random_batch,
    random_noise,
    seeded,
)


def test_target_by_hand():
    """Q1 = a0 + 2 a1, Q2 = half of it, target actor (1/4, 3/4); worked out on paper."""
    config = configured(
        hidden_size=1,
        hidden_layers=1,
        activation="relu",
        gamma=0.9,
        policy_std=0.2,
        policy_std_clip=0.5,
    )
    agent = make_agent(config, 1, 2, seed=0)
    agent.actor_target_parameters.zero_()
    agent.critics_target_parameters.zero_()
    with torch.no_grad():
        agent.actor_target.layers[-1][1].copy_(torch.tensor([0.0, math.log(3)]))
        for critic, factor in [
            (agent.critics_target.q1, 1),
            (agent.critics_target.q2, 0.5),
        ]:
            critic.layers[0][0].copy_(torch.tensor([[0.0, 1.0, 2.0]]))
            critic.layers[1][0].fill_(factor)
    one = torch.ones(1, 1)
    batch = (one, one, one, 0.4 * one, torch.zeros(1, 2))
    noise = UpdateNoise(torch.zeros(1, 2), torch.tensor([[10.0, -0.1]]))
    # a' = (0.25 + clip(2) = 0.75, 0.75 - 0.02 = 0.73), Q2 = 0.5 x 2.21 is the smaller.
    assert agent._target(batch, noise).item() == pytest.approx(1 + 0.9 * 0.6 * 1.105)


def mlp_by_hand(mlp, x, activation):
    """A second writing of the network, from its flat parameters alone."""
    parameters = [p for p in mlp.parameters()]
    slope = parameters.pop() if activation == "prelu" else None
    hidden = parameters[:-2]
    while hidden:
        x = x @ hidden.pop(0).T + hidden.pop(0)
        if hidden and hidden[0].dim() == 1:
            gain, shift = hidden.pop(0), hidden.pop(0)
            centered = x - x.mean(-1, keepdim=True)
            variance = centered.square().mean(-1, keepdim=True)
            x = gain * centered / (variance + 1e-5).sqrt() + shift
        x = torch.tanh(x) if slope is None else x.clamp(min=0) + slope * x.clamp(max=0)
    weight, bias = parameters[-2:]
    return x @ weight.T + bias


class SecondWriting:
    """The update with torch's own Adam, each network by itself, sample by sample."""

    def __init__(self, agent):
        self.config, self.updates = agent.config, 0
        self.actor, self.critics, self.actor_target, self.critics_target = (
            copy.deepcopy(net)
            for net in (
                agent.actor,
                agent.critics,
                agent.actor_target,
                agent.critics_target,
            )
        )
        for net in (self.actor, self.critics):
            for p in net.parameters():
                p.grad = None
        lr = agent.config.lr
        self.adam = torch.optim.Adam(self.actor.parameters(), lr=lr)
        self.adams = [
            torch.optim.Adam(q.parameters(), lr=lr)
            for q in (self.critics.q1, self.critics.q2)
        ]

    def net(self, mlp, x):
        return mlp_by_hand(mlp, x, self.config.activation)

    def vectors(self, actor, states, gumbel):
        c = self.config
        progress = min(self.updates / c.gumbel_anneal_updates, 1)
        temperature = c.gumbel_temperature * (1 - progress) + (
            c.gumbel_temperature / 20 * progress
        )
        scaled = (self.net(actor, states) + gumbel) / temperature
        exp = (scaled - scaled.max(-1, keepdim=True).values).exp()
        soft = exp / exp.sum(-1, keepdim=True)
        if not c.gumbel_hard:
            return soft
        return F.one_hot(soft.argmax(-1), soft.shape[-1]) - soft.detach() + soft

    def target(self, batch, noise):
        c, (_, next_states, rewards, dones, _) = self.config, batch
        clip = c.policy_std_clip
        a = self.vectors(self.actor_target, next_states, noise.target_gumbel)
        a = a + (c.policy_std * noise.target_normal).clip(-clip, clip)
        x = torch.cat([next_states, a], 1)
        values = [
            self.net(q, x) for q in (self.critics_target.q1, self.critics_target.q2)
        ]
        smaller = torch.where(values[0] < values[1], *values)
        return (rewards + c.gamma * (1 - dones) * smaller).detach()

    def step(self, batch, noise):
        states, actions = batch[0], batch[-1]
        y = self.target(batch, noise)
        for q, adam in zip((self.critics.q1, self.critics.q2), self.adams, strict=True):
            adam.zero_grad()
            error = self.net(q, torch.cat([states, actions], 1)) - y
            (error.square().sum() / len(y)).backward()
            adam.step()
        if self.updates % self.config.policy_delay == self.config.policy_delay - 1:
            self.step_actor(states, noise.actor_gumbel)
        self.updates += 1

    def step_actor(self, states, gumbel):
        self.adam.zero_grad()
        a = self.vectors(self.actor, states, gumbel)
        (-self.net(self.critics.q1, torch.cat([states, a], 1)).mean()).backward()
        self.adam.step()
        tau = self.config.tau
        for net, target in [
            (self.actor, self.actor_target),
            (self.critics, self.critics_target),
        ]:
            for p, q in zip(net.parameters(), target.parameters(), strict=True):
                q.data.copy_(tau * p.data + (1 - tau) * q.data)


@pytest.mark.parametrize(
    "changes",
    [
        {"policy_delay": 1},
        {"policy_delay": 2, "gumbel_hard": True},
        {"policy_delay": 3, "hidden_layers": 3},
        {"hidden_layers": 1, "gumbel_anneal_updates": 3},
        {"layer_norm": False, "activation": "prelu"},
        {"hidden_layers": 3, "activation": "prelu", "gumbel_temperature": 2.3},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_update_equals_one_written_a_second_way(changes):
    agent = make_agent(configured(**changes), 3, 2, seed=5)
    second = SecondWriting(agent)
    generator = seeded(0)
    for _ in range(7):
        batch, noise = random_batch(generator), random_noise(generator)
        agent.update_on(batch, noise)
        second.step(batch, noise)
    for name in ("actor", "critics", "actor_target", "critics_target"):
        pairs = zip(
            getattr(agent, name).parameters(),
            getattr(second, name).parameters(),
            strict=True,
        )
        for ours, theirs in pairs:
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=2e-6, msg=name)


def test_actor_and_targets_move_only_in_every_policy_delayth_update():
    agent = make_agent(configured(policy_delay=3), 3, 2, seed=0)
    generator = seeded(0)
    vectors = {
        "critics": agent.critics_adam.parameters,
        "actor": agent.actor_adam.parameters,
        "actor_target": agent.actor_target_parameters,
        "critics_target": agent.critics_target_parameters,
    }
    for update in range(1, 7):
        before = {name: v.clone() for name, v in vectors.items()}
        noise = random_noise(generator)
        if update % 3:
            noise = noise._replace(actor_gumbel=None)  # not needed
        agent.update_on(random_batch(generator), noise)
        moved = {
            name for name, v in vectors.items() if not torch.equal(v, before[name])
        }
        assert moved == (set(vectors) if update % 3 == 0 else {"critics"})


def test_the_actor_follows_the_first_critic_alone():
    one, other = (make_agent(configured(policy_delay=1), 3, 2, seed=0) for _ in "12")
    with torch.no_grad():
        for p in other.critics.q2.parameters():
            p.add_(1.0)
    batch, noise = random_batch(seeded(0)), random_noise(seeded(1))
    for agent in (one, other):
        agent.update_on(batch, noise)
    assert torch.equal(one.actor_adam.parameters, other.actor_adam.parameters)
    assert not torch.equal(one.critics_adam.parameters, other.critics_adam.parameters)


def test_update_draws_batch_and_noise_as_specified():
    ours, again = (make_agent(QUICK, 3, 2, seed=4) for _ in range(2))
    rng = np.random.default_rng(0)
    for agent in (ours, again):
        rng = np.random.default_rng(0)
        for _ in range(40):
            state, next_state = rng.standard_normal((2, 3)).astype(np.float32)
            agent.act(state)
            agent.remember(state, agent.act(state), 1.0, next_state, 0.1)
    noise_rng = seeding.generator(4, "update noise")
    for update in (1, 2):
        ours.update()
        target_gumbel = noise_rng.gumbel(size=(32, 2))
        target_normal = noise_rng.standard_normal((32, 2), np.float32)
        actor_gumbel = noise_rng.gumbel(size=(32, 2)) if update == 2 else target_gumbel
        noise = [
            torch.tensor(n, dtype=torch.float32)
            for n in (target_gumbel, target_normal, actor_gumbel)
        ]
        again.update_on(again.replay.sample(32), UpdateNoise(*noise))
        assert agent_bytes(ours) == agent_bytes(again)
