"""PPO's update by torch.distributions, torch.optim and double precision."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.distributions import Categorical, Independent, Normal
from torch.nn.utils import clip_grad_norm_, parameters_to_vector

from se_hpo.agents.ppo_config import PPOConfig

OBS, ACTIONS = 5, 3
MODULES = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
}


class Rows(NamedTuple):
    """The steps of a rollout, one row each; of continuous actions the raw samples."""

    state: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_state: np.ndarray
    done: np.ndarray
    last: np.ndarray


class Net(nn.Module):
    """The MLP of docs/engine.md, written without the package's networks."""

    def __init__(self, outputs: int, config: PPOConfig) -> None:
        super().__init__()
        sizes = [OBS, *[config.hidden_size] * config.hidden_layers, outputs]
        self.steps = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.act = MODULES[config.activation]()  # its slope comes last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in self.steps[:-1]:
            x = self.act(step(x))
        return self.steps[-1](x)


class Oracle:
    """The specification of se_hpo/agents/ppo.py, a second time."""

    def __init__(self, config: PPOConfig, continuous: bool, seed: int) -> None:
        torch.manual_seed(seed)
        self.config, self.continuous = config, continuous
        self.authors = config.variant == "authors"
        spread = torch.rand(ACTIONS if continuous else 0) + (0.2 if self.authors else 0)
        self.spread = nn.Parameter(spread)
        self.actor, self.critic = Net(ACTIONS, config), Net(1, config)
        self.start = self.flat().astype(np.float32)
        for net in (self.actor, self.critic):
            net.double()
        self.spread.data = self.spread.data.double()
        eps = 1e-8 if self.authors else 1e-5
        self.adam = torch.optim.Adam(self.parameters(), lr=config.lr, eps=eps)

    def parameters(self) -> list[nn.Parameter]:
        return [self.spread, *self.actor.parameters(), *self.critic.parameters()]

    def flat(self) -> np.ndarray:
        return parameters_to_vector(self.parameters()).detach().numpy()

    def gradient(self) -> np.ndarray:
        """Of the last update, shortened."""
        return parameters_to_vector([p.grad for p in self.parameters()]).numpy()

    def distribution(self, state: torch.Tensor) -> Independent | Categorical:
        output = self.actor(state)
        if not self.continuous:
            return Categorical(logits=output)
        if self.authors:
            std = torch.where(self.spread > 0.01, self.spread, 0.01)
            return Independent(Normal(torch.tanh(output), std.expand_as(output)), 1)
        return Independent(Normal(output, torch.exp(self.spread).expand_as(output)), 1)

    def value(self, state: torch.Tensor) -> torch.Tensor:
        return self.critic(state)[:, 0]

    @torch.no_grad()
    def targets(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Advantages by the sum over all later errors, and the critic's targets."""
        c, n = self.config, len(rows.reward)
        state, next_state = (
            torch.from_numpy(x).double() for x in (rows.state, rows.next_state)
        )
        v, v_next = self.value(state).numpy(), self.value(next_state).numpy()
        advantage = np.zeros(n)
        for t in range(n):
            weight = 1.0
            for k in range(t, n):
                if self.authors:
                    advantage[t] += weight * rows.reward[k]
                    weight *= c.gamma
                else:
                    go_on = c.gamma * (1 - float(rows.done[k]))
                    delta = rows.reward[k] + go_on * v_next[k] - v[k]
                    advantage[t] += weight * delta
                    weight *= go_on * c.gae_lambda
                if rows.last[k]:
                    break
        if self.authors:
            spread = advantage.std(ddof=1) + 1e-5 if n > 1 else 1
            y = (advantage - (advantage.mean() if n > 1 else 0)) / spread
        else:
            y = advantage + v
        return torch.from_numpy(advantage), torch.from_numpy(y)

    def learn(self, rows: Rows, orders: list[np.ndarray]) -> list[float]:
        """The losses, one per gradient update."""
        c = self.config
        state, action = torch.from_numpy(rows.state).double(), self.actions(rows)
        advantages, y = self.targets(rows)
        with torch.no_grad():
            before = self.distribution(state).log_prob(action)
        size, losses = len(y) if self.authors else c.batch_size, []
        for order in orders:
            for at in range(0, len(order), size):
                i = order[at : at + size]
                policy, value = self.distribution(state[i]), self.value(state[i])
                a = y[i] - value.detach() if self.authors else advantages[i]
                if not self.authors and len(i) > 1:
                    a = (a - a.mean()) / (a.std() + 1e-8)
                p = torch.exp(policy.log_prob(action[i]) - before[i])
                low, high = 1 - c.clip_range, 1 + c.clip_range
                surrogate = torch.min(p * a, torch.clamp(p, low, high) * a).mean()
                loss = c.vf_coef * torch.nn.functional.mse_loss(value, y[i])
                loss = loss - surrogate - c.ent_coef * policy.entropy().mean()
                self.step(loss)
                losses.append(loss.item())
        return losses

    def actions(self, rows: Rows) -> torch.Tensor:
        action = torch.from_numpy(rows.action)
        return action.double() if self.continuous else action

    def step(self, loss: torch.Tensor) -> None:
        self.adam.zero_grad()
        loss.backward()
        for p in self.parameters():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        if self.config.max_grad_norm and not self.authors:
            clip_grad_norm_(self.parameters(), self.config.max_grad_norm)
        self.adam.step()


def random_rows(n: int, continuous: bool, seed: int) -> Rows:
    """Episodes of any length, with raw dones as an SE gives them."""
    rng = np.random.default_rng(seed)
    action = rng.integers(ACTIONS, size=n)
    if continuous:
        action = rng.standard_normal((n, ACTIONS)).astype(np.float32)
    done = rng.choice([0.0, 0.0, 0.0, 1.0, 0.4, -0.2, 1.3], size=n)
    numbers = [rng.standard_normal(size) for size in ((n, OBS), n, (n, OBS))]
    state, reward, next_state = (x.astype(np.float32) for x in numbers)
    last = rng.random(n) < 0.15
    return Rows(state, action, reward, next_state, done.astype(np.float32), last)


def random_orders(config: PPOConfig, n: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if config.variant == "authors":
        return [np.arange(n)] * config.epochs
    return [rng.permutation(n) for _ in range(config.epochs)]
