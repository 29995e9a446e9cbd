"""Networks of actor and critics.

The Gumbel-softmax is that of Jang et al. (2017) and Maddison et al. (2017).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from se_hpo.agents.config import DeepAgentConfig
from se_hpo.agents.mlp import MLP


class TwinCritics(nn.Module):
    """Two independent Q-functions of state and action vector."""

    def __init__(
        self,
        config: DeepAgentConfig,
        obs_size: int,
        n_actions: int,
        generator: torch.Generator,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        inputs = obs_size + n_actions
        self.q1 = make_mlp(config, inputs, 1, generator, layer_norm)
        self.q2 = make_mlp(config, inputs, 1, generator, layer_norm)

    def forward(
        self, state: torch.Tensor, action: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Both values, `batch x 1`, of states and action vectors."""
        x = torch.cat((state, action), dim=-1)
        return self.q1(x), self.q2(x)


def make_mlp(
    config: DeepAgentConfig,
    in_size: int,
    out_size: int,
    generator: torch.Generator,
    layer_norm: bool = False,
) -> MLP:
    """An actor or a critic of the configured size."""
    return MLP(
        in_size,
        out_size,
        config.hidden_size,
        config.hidden_layers,
        config.activation,
        generator,
        layer_norm,
    )


def gumbel_softmax(
    logits: torch.Tensor, gumbel: torch.Tensor, temperature: float, hard: bool
) -> torch.Tensor:
    """Softened one-hot vectors of the argmax of `logits + gumbel`.

    Args:
        logits: `... x n`.
        gumbel: standard Gumbel noise, `... x n`; with it the argmax is a sample of the
            categorical distribution that the logits give.
        temperature: above 0; the lower, the nearer to one-hot.
        hard: exactly one-hot, with the gradient of the soft vectors.
    """
    soft = ((logits + gumbel) / temperature).softmax(dim=-1)
    if not hard:
        return soft
    one_hot = torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0)
    return one_hot + (soft - soft.detach())


def gumbel_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard Gumbel noise, float32."""
    return torch.from_numpy(rng.gumbel(size=shape).astype(np.float32))


def normal_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Standard normal noise, float32."""
    return torch.from_numpy(rng.standard_normal(shape, np.float32))
