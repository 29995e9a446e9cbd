"""What TD3 (Fujimoto et al., 2018) does whatever its actions are.

A subclass says how actions come from the actor and what is random in an update.
"""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
import torch.nn.functional as F

from se_hpo import seeding
from se_hpo.agents.actor_critic import TwinCritics, make_mlp
from se_hpo.agents.adam import Adam
from se_hpo.agents.base import DivergedError
from se_hpo.agents.mlp import flatten_
from se_hpo.agents.replay import Batch, ReplayBuffer
from se_hpo.agents.td3_config import TD3Config

Config = TypeVar("Config", bound=TD3Config)
Noise = TypeVar("Noise")
"""All that is random in an update besides the batch."""


class TwinDelayedAgent(ABC, Generic[Config, Noise]):
    """Actor, two critics, and a target of each that follows by Polyak averaging."""

    acts_by = "actor"

    def __init__(
        self,
        config: Config,
        obs_size: int,
        n_actions: int,
        seed: int,
        layer_norm: bool = False,
    ) -> None:
        self.config, self.n_actions = config, n_actions
        generator = torch.Generator()
        generator.manual_seed(seeding.integer_seed(seed, "network"))
        self.actor = make_mlp(config, obs_size, n_actions, generator, layer_norm)
        self.critics = TwinCritics(config, obs_size, n_actions, generator, layer_norm)
        self.actor_target = copy.deepcopy(self.actor)
        self.critics_target = copy.deepcopy(self.critics)
        self.actor_adam = Adam(self.actor, config.lr)
        self.critics_adam = Adam(self.critics, config.lr)
        self.actor_target_parameters, _ = flatten_(self.actor_target)
        self.critics_target_parameters, _ = flatten_(self.critics_target)
        self.exploration_rng = seeding.generator(seed, "exploration")
        self.noise_rng = seeding.generator(seed, "update noise")
        replay_rng = seeding.generator(seed, "replay")
        self.replay = ReplayBuffer(
            config.buffer_size, obs_size, replay_rng, action_size=n_actions
        )
        self.updates = 0
        self.start_episode(0)

    def start_episode(self, episode: int) -> None:
        """Act by the actor from episode `init_episodes` on."""
        self._random_actions = episode < self.config.init_episodes

    def at_step(self, step: int, total: int) -> None:
        """Act by the actor from step `se_init_steps` on."""
        self._random_actions = step < self.config.se_init_steps

    def update(self) -> None:
        """One step of Adam on the critics, and on the actor every `policy_delay`.

        Raises:
            DivergedError: a loss is not finite.
        """
        batch = self.replay.sample(self.config.batch_size)
        self.update_on(batch, self.draw_noise())

    def update_on(self, batch: Batch, noise: Noise) -> None:
        """`update` with a given batch and noise: it draws no random number.

        Args:
            batch: state, next state (`batch x obs_size`), reward, done (`batch x 1`),
                action vector (`batch x n_actions`), float32.
            noise: as of `draw_noise`.

        Raises:
            DivergedError: a loss is not finite.
        """
        state, _, _, _, action = batch
        target = self._target(batch, noise)
        q1, q2 = self.critics(state, action)
        loss = F.mse_loss(q1, target) + F.mse_loss(q2, target)
        self.critics_adam.minimize(loss)
        check_finite(loss.item(), "the critics' loss")
        if self._updates_actor():
            self._update_actor(state, noise)
        self.updates += 1

    @abstractmethod
    def draw_noise(self) -> Noise:
        """What the next update needs."""

    @abstractmethod
    def target_actions(self, next_state: torch.Tensor, noise: Noise) -> torch.Tensor:
        """Those of the target actor, smoothed: `batch x n_actions`."""

    @abstractmethod
    def own_actions(self, state: torch.Tensor, noise: Noise) -> torch.Tensor:
        """Those of the actor, with its gradient: `batch x n_actions`."""

    def smoothing(self, normal: torch.Tensor) -> torch.Tensor:
        """Target policy smoothing, of standard normal noise."""
        clip = self.config.policy_std_clip
        return (self.config.policy_std * normal).clamp(-clip, clip)

    @torch.no_grad()
    def _target(self, batch: Batch, noise: Noise) -> torch.Tensor:
        """What the critics should say: `batch x 1`."""
        _, next_state, reward, done, _ = batch
        next_action = self.target_actions(next_state, noise)
        next_value = torch.minimum(*self.critics_target(next_state, next_action))
        return reward + self.config.gamma * (1 - done) * next_value

    def _update_actor(self, state: torch.Tensor, noise: Noise) -> None:
        """Ascend Q1 of the actor's own actions; then move the targets."""
        action = self.own_actions(state, noise)
        # The gradient by the action alone: the critics' own is not wanted here.
        leaf = action.detach().requires_grad_()
        value = self.critics.q1(torch.cat((state, leaf), dim=-1)).mean()
        (slope,) = torch.autograd.grad(value, leaf)
        self.actor_adam.minimize(-(slope * action).sum())
        check_finite(value.item(), "the actor's loss")
        tau = self.config.tau
        self.actor_target_parameters.lerp_(self.actor_adam.parameters, tau)
        self.critics_target_parameters.lerp_(self.critics_adam.parameters, tau)

    def _updates_actor(self) -> bool:
        return (self.updates + 1) % self.config.policy_delay == 0


def check_finite(value: float, what: str) -> None:
    """Raises `DivergedError` for NaN and infinity."""
    if not math.isfinite(value):
        raise DivergedError(f"{what} is not finite")
