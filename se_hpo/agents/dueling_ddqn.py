"""Dueling Double DQN (Wang et al., 2016): separate streams for value and advantage."""

from __future__ import annotations

import torch
from torch import nn

from se_hpo.agents.ddqn import DDQN
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.mlp import MLP


class DuelingNetwork(nn.Module):
    """Q(s, a) = V(s) + A(s, a) - mean A, both streams on shared features."""

    def __init__(
        self,
        config: DuelingDDQNConfig,
        obs_size: int,
        n_actions: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        size, activation = config.feature_size, config.activation
        self.features = MLP(
            obs_size,
            size,
            config.hidden_size,
            config.hidden_layers,
            activation,
            generator,
        )
        self.value = MLP(size, 1, size, 1, activation, generator)
        self.advantage = MLP(size, n_actions, size, 1, activation, generator)
        self.mean_over_batch = config.advantage_mean == "batch"

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """Q-values, `batch x n_actions`, of states `batch x obs_size`."""
        features = self.features(state)
        value, advantage = self.value(features), self.advantage(features)
        if self.mean_over_batch:
            return value + advantage - advantage.mean()
        return value + advantage - advantage.mean(dim=-1, keepdim=True)


class DuelingDDQN(DDQN):
    """DDQN with the dueling network."""

    @staticmethod
    def make_network(
        config: DDQNConfig, obs_size: int, n_actions: int, generator: torch.Generator
    ) -> nn.Module:
        """The Q-network: `batch x obs_size` -> `batch x n_actions`."""
        assert isinstance(config, DuelingDDQNConfig)
        return DuelingNetwork(config, obs_size, n_actions, generator)
