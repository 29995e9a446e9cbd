"""The intrinsic curiosity module (Pathak et al., 2017) around another agent.

A bonus for transitions that a forward model in learned features cannot foretell, as in
the authors' code for Ferreira et al. (2022):

Features: phi(s), an MLP of 2 hidden layers, leaky ReLU. Inverse model: the action of
(phi(s), phi(s')), 2 hidden layers, ReLU. Forward model: phi(s') of (phi(s), a), see
`ForwardModel`. Loss: (1 - `icm_beta`) x the inverse model's + `icm_beta` x the mean
squared error of the forward model, which also draws the features together unless
`icm_stop_gradient`. Bonus: `icm_eta` x the mean squared error of a transition.

Of two actions the module sees the index, and the inverse model has one logit (binary
cross entropy); of more a one-hot vector (cross entropy); continuous ones as they are
(mean squared error).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from se_hpo import seeding
from se_hpo.agents.adam import Adam
from se_hpo.agents.icm_config import ICMConfig
from se_hpo.agents.mlp import MLP
from se_hpo.agents.ppo import PPO, Transitions
from se_hpo.agents.registry import kind_of
from se_hpo.agents.replay import Batch, ReplayBuffer
from se_hpo.registries import AGENTS, load

BLOCKS = 4
"""Residual blocks of the forward model."""


class ForwardModel(nn.Module):
    """Next features of features and action: MLP, residual blocks, MLP.

    A block is x + W2 [act(W1 [x, a]), a]: each layer sees the action again.
    """

    def __init__(
        self, config: ICMConfig, action_size: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        size, hidden = config.icm_feature_size, config.icm_hidden_size

        def mlp(in_size: int, layers: int) -> MLP:
            return MLP(in_size, size, hidden, layers, "leaky_relu", generator)

        self.first = mlp(size + action_size, 2)
        self.inner = nn.ModuleList(mlp(size + action_size, 0) for _ in range(BLOCKS))
        self.outer = nn.ModuleList(mlp(size + action_size, 0) for _ in range(BLOCKS))
        self.last = mlp(size, 1)

    def forward(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        """Map `batch x icm_feature_size` and encoded actions to the next features."""
        x = self.first(torch.cat((features, action), dim=-1))
        for inner, outer in zip(self.inner, self.outer, strict=True):
            y = F.leaky_relu(inner(torch.cat((x, action), dim=-1)))
            x = x + outer(torch.cat((y, action), dim=-1))
        following: torch.Tensor = self.last(x)
        return following


class ICM(nn.Module):
    """The module: learns from transitions and says how new they are."""

    def __init__(
        self,
        config: ICMConfig,
        obs_size: int,
        n_actions: int,
        seed: int,
        continuous: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.n_actions, self.continuous = config, n_actions, continuous
        size, hidden = config.icm_feature_size, config.icm_hidden_size
        binary = n_actions == 2 and not continuous
        numbers = 1 if binary else n_actions
        generator = torch.Generator()
        generator.manual_seed(seeding.integer_seed(seed, "curiosity"))
        self.features = MLP(obs_size, size, hidden, 2, "leaky_relu", generator)
        self.inverse = MLP(2 * size, numbers, hidden, 2, "relu", generator)
        self.predict = ForwardModel(config, numbers, generator)
        discrete = F.binary_cross_entropy_with_logits if binary else F.cross_entropy
        self.action_loss = F.mse_loss if continuous else discrete
        self.adam = Adam(self, config.icm_lr)

    def losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the inverse and of the forward model, a scalar each."""
        state, next_state, _, _, action = batch
        encoded = self.encode(action)
        features, target = self.features(torch.cat((state, next_state))).chunk(2)
        guess = self.inverse(torch.cat((features, target), dim=-1))
        if self.config.icm_stop_gradient:
            target = target.detach()
        forward = F.mse_loss(self.predict(features, encoded), target)
        return self.action_loss(guess, encoded), forward

    def learn(self, batch: Batch) -> None:
        """One step of Adam on transitions."""
        inverse, forward = self.losses(batch)
        beta = self.config.icm_beta
        self.adam.minimize((1 - beta) * inverse + beta * forward)

    @torch.no_grad()
    def bonus(self, batch: Batch) -> torch.Tensor:
        """What to add to the rewards of transitions: `batch x 1`."""
        state, next_state, _, _, action = batch
        features, target = self.features(torch.cat((state, next_state))).chunk(2)
        error = (target - self.predict(features, self.encode(action))).square()
        return self.config.icm_eta * error.mean(dim=-1, keepdim=True)

    def encode(self, action: torch.Tensor) -> torch.Tensor:
        """Actions as numbers, float32, from indices `batch x 1` or vectors."""
        if self.continuous or self.n_actions == 2:
            return action.float()
        return F.one_hot(action[:, 0], self.n_actions).float()


class CuriousReplay:
    """A replay buffer: the module learns from what is sampled, then adds its bonus."""

    def __init__(self, replay: ReplayBuffer, icm: ICM) -> None:
        self.replay, self.icm, self.add = replay, icm, replay.add

    def sample(self, batch_size: int) -> Batch:
        """As `ReplayBuffer.sample`, with the bonus in the rewards."""
        batch = self.replay.sample(batch_size)
        self.icm.learn(batch)
        state, next_state, reward, done, action = batch
        return state, next_state, reward + self.icm.bonus(batch), done, action


def learn_curiously(
    learn_from: Callable[..., None], icm: ICM, rollout: Transitions, orders: Any
) -> None:
    """As `PPO.learn_from`, with the bonus in the rewards; then the module learns."""
    state, action, reward, next_state, done, _ = rollout
    action = action.reshape(len(action), -1)
    batch = state, next_state, reward[:, None], done[:, None], action
    learn_from(rollout._replace(reward=reward + icm.bonus(batch)[:, 0]), orders)
    icm.learn(batch)


def make_curious(
    config: ICMConfig, obs_size: int, n_actions: int, seed: int, **options: Any
) -> Any:
    """The agent that the configuration's entry wraps, with the module's bonus."""
    kind = AGENTS[kind_of(config).wraps]
    agent = load(kind.make)(config, obs_size, n_actions, seed, **options)
    continuous = options.get("continuous", kind.actions == ("continuous",))
    icm = ICM(config, obs_size, n_actions, seed, continuous)
    if isinstance(agent, PPO):
        learn = functools.partial(learn_curiously, agent.learn_from, icm)
        agent.learn_from = learn  # type: ignore[method-assign]
    else:
        agent.replay = CuriousReplay(agent.replay, icm)
    return agent
