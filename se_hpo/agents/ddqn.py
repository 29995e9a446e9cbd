"""Double DQN (van Hasselt et al., 2016) with an epsilon-greedy policy."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from se_hpo import seeding
from se_hpo.agents.adam import Adam
from se_hpo.agents.base import DivergedError
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.mlp import MLP, flatten_
from se_hpo.agents.replay import ReplayBuffer


class DDQN:
    """Q-learning with a target network that follows by Polyak averaging.

    Target: r + gamma (1 - done) Q_target(s', argmax_a Q(s', a)); mean squared error;
    Adam; no gradient clipping.
    """

    acts_by = "q"

    def __init__(
        self, config: DDQNConfig, obs_size: int, n_actions: int, seed: int
    ) -> None:
        self.config, self.n_actions = config, n_actions
        generator = torch.Generator()
        generator.manual_seed(seeding.integer_seed(seed, "network"))
        self.q = self.make_network(config, obs_size, n_actions, generator)
        self.q_target = copy.deepcopy(self.q)
        self.adam = Adam(self.q, config.lr)
        self.target_parameters, _ = flatten_(self.q_target)
        replay_rng = seeding.generator(seed, "replay")
        self.replay = ReplayBuffer(config.buffer_size, obs_size, replay_rng)
        self.exploration_rng = seeding.generator(seed, "exploration")
        self.epsilon = config.eps_init

    @staticmethod
    def make_network(
        config: DDQNConfig, obs_size: int, n_actions: int, generator: torch.Generator
    ) -> nn.Module:
        """The Q-network: `batch x obs_size` -> `batch x n_actions`."""
        return MLP(
            obs_size,
            n_actions,
            config.hidden_size,
            config.hidden_layers,
            config.activation,
            generator,
        )

    def start_episode(self, episode: int) -> None:
        """Lower epsilon, from the second episode on."""
        if episode > 0:
            decayed = self.epsilon * self.config.eps_decay
            self.epsilon = max(decayed, self.config.eps_min)

    def at_step(self, step: int, total: int) -> None:
        """Lower epsilon in a line, to the least at half of the steps."""
        left = max(0.0, 1 - 2 * step / total)
        low, high = self.config.eps_min, self.config.eps_init
        self.epsilon = low + (high - low) * left

    def act(self, state: np.ndarray) -> int:
        """A uniformly random action with probability epsilon, else the greedy one."""
        if self.exploration_rng.random() < self.epsilon:
            return int(self.exploration_rng.integers(self.n_actions))
        return self.act_greedily(state)

    @torch.inference_mode()
    def act_greedily(self, state: np.ndarray) -> int:
        """The action of the highest Q-value; the first of equals."""
        values = self.q(torch.from_numpy(state)).tolist()
        if not math.isfinite(sum(values)):
            raise DivergedError(f"Q-values {values}")
        return values.index(max(values))

    def remember(
        self,
        state: np.ndarray,
        action: int,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Store a transition in the replay buffer."""
        self.replay.add(state, action, reward, next_state, done)

    def update(self) -> None:
        """One step of Adam on a sampled batch, one of the target network.

        Raises:
            DivergedError: the loss is not finite.
        """
        state, next_state, reward, done, action = self.replay.sample(
            self.config.batch_size
        )
        with torch.no_grad():
            best = self.q(next_state).argmax(dim=1, keepdim=True)
            next_value = self.q_target(next_state).gather(1, best)
            target = reward + self.config.gamma * (1 - done) * next_value
        loss = F.mse_loss(self.q(state).gather(1, action), target)
        self.adam.minimize(loss)
        self.target_parameters.lerp_(self.adam.parameters, self.config.tau)
        if not math.isfinite(loss.item()):
            raise DivergedError("the loss is not finite")
