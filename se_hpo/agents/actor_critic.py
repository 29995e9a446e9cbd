"""Networks of actor and critics."""

from __future__ import annotations

import torch
from torch import nn

from se_hpo.config import TD3DiscreteConfig
from se_hpo.networks import MLP


class TwinCritics(nn.Module):
    """Two independent Q-functions of state and action vector."""

    def __init__(
        self,
        config: TD3DiscreteConfig,
        obs_size: int,
        n_actions: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.q1 = make_mlp(config, obs_size + n_actions, 1, generator)
        self.q2 = make_mlp(config, obs_size + n_actions, 1, generator)

    def forward(
        self, state: torch.Tensor, action: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Both values, `batch x 1`, of states and action vectors."""
        x = torch.cat((state, action), dim=-1)
        return self.q1(x), self.q2(x)


def make_mlp(
    config: TD3DiscreteConfig, in_size: int, out_size: int, generator: torch.Generator
) -> MLP:
    """An actor or a critic of the configured size."""
    return MLP(
        in_size,
        out_size,
        config.hidden_size,
        config.hidden_layers,
        config.activation,
        generator,
        config.layer_norm,
    )
