"""PPO's networks, and the distribution of actions that they give."""

from __future__ import annotations

import math

import torch
from torch import nn

from se_hpo.agents.mlp import MLP
from se_hpo.agents.ppo_config import PPOConfig

STD_FLOOR_ACTING, STD_FLOOR_LEARNING = 0.001, 0.01
"""Smallest standard deviations in the variant `authors`."""
HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


class Policy(nn.Module):
    """An actor, a critic, and for continuous actions how far these spread.

    Actions are drawn from the softmax of the actor's outputs, or each number of a
    continuous one from a normal distribution around its output. Parameters, in order:
    `spread` (if continuous), actor, critic.
    """

    def __init__(
        self,
        config: PPOConfig,
        obs_size: int,
        n_actions: int,
        continuous: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.continuous, self.authors = continuous, config.variant == "authors"
        if continuous:
            std = config.action_std
            spread = torch.full((n_actions,), std if self.authors else math.log(std))
            self.spread = nn.Parameter(spread)
        self.actor, self.critic = (
            MLP(
                obs_size,
                out_size,
                config.hidden_size,
                config.hidden_layers,
                config.activation,
                generator,
            )
            for out_size in (n_actions, 1)
        )
        if not self.authors:
            orthogonalize_(self.actor, 0.01, generator)
            orthogonalize_(self.critic, 1.0, generator)

    def center(self, state: torch.Tensor) -> torch.Tensor:
        """The logits, or the means of a continuous action: `... x n_actions`."""
        output: torch.Tensor = self.actor(state)
        return output.tanh() if self.continuous and self.authors else output

    def std(self, floor: float) -> torch.Tensor:
        """Standard deviations of a continuous action; the floor is the authors'."""
        return self.spread.clamp(min=floor) if self.authors else self.spread.exp()

    def value(self, state: torch.Tensor) -> torch.Tensor:
        """The critic's values, `batch`, of states `batch x obs_size`."""
        value: torch.Tensor = self.critic(state).squeeze(-1)
        return value

    def log_probability(
        self, state: torch.Tensor, action: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Log-probability (or its density) of actions, and the policy's entropy.

        Args:
            state: `batch x obs_size`.
            action: indices, `batch`, or continuous actions, `batch x n_actions`.

        Returns:
            `batch` each.
        """
        center = self.center(state)
        if self.continuous:
            std = self.std(STD_FLOOR_LEARNING)
            log_scale = std.log() + HALF_LOG_2_PI
            log_density = -0.5 * ((action - center) / std).square() - log_scale
            return log_density.sum(-1), (log_scale + 0.5).sum().expand(len(center))
        log_all = center.log_softmax(-1)
        entropy = -(log_all.exp() * log_all).sum(-1)
        return log_all.gather(-1, action[:, None]).squeeze(-1), entropy


@torch.no_grad()
def orthogonalize_(mlp: MLP, output_gain: float, generator: torch.Generator) -> None:
    """Draw orthogonal weights, of gain sqrt 2 in hidden layers; biases are 0."""
    for weight, bias in mlp.layers:
        last = weight is mlp.layers[-1][0]
        gain = output_gain if last else math.sqrt(2)
        nn.init.orthogonal_(weight, gain, generator)
        bias.zero_()
