"""Agents, batches and noise for the tests of discrete TD3."""

import dataclasses

import torch

from se_hpo.agents.td3_discrete import UpdateNoise
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig

QUICK = TD3DiscreteConfig(
    batch_size=32,
    buffer_size=1000,
    hidden_size=16,
    hidden_layers=2,
    init_episodes=0,
    lr=0.01,
    tau=0.2,
    gamma=0.5,
    gumbel_anneal_updates=100,
)


def configured(**changes):
    return dataclasses.replace(QUICK, **changes)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_batch(generator, batch_size=9, obs_size=3, n_actions=2):
    states, next_states = torch.randn(2, batch_size, obs_size, generator=generator)
    return (
        states,
        next_states,
        torch.randn(batch_size, 1, generator=generator),
        torch.rand(batch_size, 1, generator=generator) * 1.5 - 0.2,
        torch.rand(batch_size, n_actions, generator=generator),
    )


def random_noise(generator, batch_size=9, n_actions=2):
    uniform = torch.rand(2, batch_size, n_actions, generator=generator)
    gumbel = -torch.log(-torch.log(uniform))
    normal = 2 * torch.randn(batch_size, n_actions, generator=generator)
    return UpdateNoise(gumbel[0], normal, gumbel[1])


def agent_bytes(agent):
    return b"".join(
        t.numpy().tobytes()
        for t in (
            agent.actor_adam.parameters,
            agent.critics_adam.parameters,
            agent.actor_target_parameters,
            agent.critics_target_parameters,
        )
    )
