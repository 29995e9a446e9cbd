"""The updates of both TD3s by torch autograd in double precision."""

from __future__ import annotations

import copy
import dataclasses
import functools
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from se_hpo.agents.registry import kind_of
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.training import native_engine
from tests.helpers.engine_jobs import testing

OBS, ACTIONS = 5, 3
ISAS = native_engine.isas() if native_engine.available() else []
MODULES = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
}
NETWORKS = ("actor", "critics")
NOTHING = 1e-10
"""A norm of rounding errors, where the gradient is 0: a normalized single unit."""


class Net(nn.Module):
    """The MLP of docs/engine.md, written without the package's networks."""

    def __init__(self, inputs: int, outputs: int, config: TD3Config) -> None:
        super().__init__()
        layer_norm = getattr(config, "layer_norm", False)
        sizes = [inputs, *[config.hidden_size] * config.hidden_layers, outputs]
        self.steps = nn.ModuleList()
        for i, (a, b) in enumerate(pairwise(sizes)):
            self.steps.append(nn.Linear(a, b))
            if layer_norm and 0 < i < config.hidden_layers:
                self.steps.append(nn.LayerNorm(b))
                nn.init.uniform_(self.steps[-1].weight, -2, 2)
                nn.init.uniform_(self.steps[-1].bias)
        self.act = MODULES[config.activation]()  # its slope comes last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step, following in pairwise(self.steps):
            x = step(x)
            x = x if isinstance(following, nn.LayerNorm) else self.act(x)
        return self.steps[-1](x)


class Oracle:
    """The update of se_hpo/agents/td3.py, by nn.Module and torch.optim."""

    def __init__(self, config: Any, seed: int) -> None:
        torch.manual_seed(seed)
        self.config, self.updates = config, 0
        self.nets = {
            "actor": nn.ModuleList([Net(OBS, ACTIONS, config)]),
            "critics": nn.ModuleList([Net(OBS + ACTIONS, 1, config) for _ in "12"]),
        }
        self.targets = copy.deepcopy(self.nets)
        for name in NETWORKS:  # not quite equal, so that a mix-up shows
            for p in self.targets[name].parameters():
                nn.init.normal_(p, 0, 0.05) if p.ndim < 1 else p.data.mul_(0.9)

    def flat(self, name: str) -> list[np.ndarray]:
        """Parameters of a network and of its target."""
        return [
            np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])
            for net in (self.nets[name], self.targets[name])
        ]

    def to_double(self) -> None:
        for nets in (self.nets, self.targets):
            for net in nets.values():
                net.double()
        self.adam = {
            name: torch.optim.Adam(net.parameters(), lr=self.config.lr)
            for name, net in self.nets.items()
        }

    def smoothing(self, normal: torch.Tensor) -> torch.Tensor:
        clip = self.config.policy_std_clip
        return (self.config.policy_std * normal).clamp(-clip, clip)

    def target_action(self, s2: torch.Tensor, noise: list[torch.Tensor]) -> Any:
        action = torch.tanh(self.targets["actor"][0](s2)) + self.smoothing(noise[0])
        return action.clamp(-1, 1)

    def own_action(self, s: torch.Tensor, noise: list[torch.Tensor]) -> Any:
        return torch.tanh(self.nets["actor"][0](s))

    def update(self, rows: list[torch.Tensor], noise: list[torch.Tensor]) -> None:
        c, (s, a, s2, r, d) = self.config, rows
        with torch.no_grad():
            a2 = self.target_action(s2, noise)
            values = [q(torch.cat([s2, a2], 1))[:, 0] for q in self.targets["critics"]]
            y = r + c.gamma * (1 - d) * torch.minimum(*values)
        loss = sum(
            F.mse_loss(q(torch.cat([s, a], 1))[:, 0], y) for q in self.nets["critics"]
        )
        self.minimize("critics", loss)
        if (self.updates + 1) % c.policy_delay == 0:
            action = self.own_action(s, noise)
            self.minimize(
                "actor", -self.nets["critics"][0](torch.cat([s, action], 1)).mean()
            )
            self.follow()
        self.updates += 1

    def minimize(self, name: str, loss: Any) -> None:
        parameters = list(self.nets[name].parameters())
        for p, g in zip(
            parameters,
            torch.autograd.grad(loss, parameters, allow_unused=True),
            strict=True,
        ):
            p.grad = torch.zeros_like(p) if g is None else g
        self.adam[name].step()

    @torch.no_grad()
    def follow(self) -> None:
        for name in NETWORKS:
            pairs = zip(
                self.nets[name].parameters(),
                self.targets[name].parameters(),
                strict=True,
            )
            for p, t in pairs:
                t += self.config.tau * (p - t)

    def gradient(self, name: str) -> np.ndarray:
        parts = [p.grad for p in self.nets[name].parameters()]
        if parts[0] is None:  # the actor has rested so far
            return np.zeros(0)
        return np.concatenate([g.numpy().ravel() for g in parts])


class DiscreteOracle(Oracle):
    """The update of se_hpo/agents/td3_discrete.py."""

    def gumbel_softmax(self, logits: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        c = self.config
        progress = min(1, self.updates / max(c.gumbel_anneal_updates, 1))
        if c.gumbel_anneal_updates == 0:
            progress = 0
        temperature = c.gumbel_temperature * (1 - 0.95 * progress)
        soft = ((logits + g) / temperature).softmax(dim=1)
        if not c.gumbel_hard:
            return soft
        return F.one_hot(soft.argmax(1), ACTIONS).to(soft) + soft - soft.detach()

    def target_action(self, s2: torch.Tensor, noise: list[torch.Tensor]) -> Any:
        action = self.gumbel_softmax(self.targets["actor"][0](s2), noise[0])
        return action + self.smoothing(noise[1])

    def own_action(self, s: torch.Tensor, noise: list[torch.Tensor]) -> Any:
        return self.gumbel_softmax(self.nets["actor"][0](s), noise[2])


def batches(n: int, batch: int, seed: int) -> list[list[np.ndarray]]:
    """Per update: state, action vector, next state, reward, done; then the noise."""
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        normal = [rng.standard_normal((batch, k)) for k in (OBS, ACTIONS, OBS, ACTIONS)]
        state, noise, next_state, target_normal = normal
        action = np.eye(ACTIONS)[rng.integers(ACTIONS, size=batch)] + 0.1 * noise
        done = np.where(rng.random(batch) < 0.3, rng.standard_normal(batch), 0)
        gumbel = rng.gumbel(size=(2, batch, ACTIONS))
        rows = [state, action, next_state, rng.standard_normal(batch), done]
        rows += [gumbel[0], target_normal, gumbel[1]]
        out.append([row.astype(np.float32) for row in rows])
    return out


def continuous_batches(n: int, batch: int, seed: int) -> list[list[np.ndarray]]:
    """The same, with actions in [-1, 1] and the noise of the target action alone."""
    rng, out = np.random.default_rng(seed), []
    for rows in batches(n, batch, seed):
        action = rng.uniform(-1, 1, (batch, ACTIONS)).astype(np.float32)
        out.append([rows[0], action, *rows[2:5], rows[6]])
    return out


def batches_for(config: TD3Config, updates: int, seed: int) -> list[list[np.ndarray]]:
    discrete = isinstance(config, TD3DiscreteConfig)
    make = batches if discrete else continuous_batches
    return make(updates, config.batch_size, seed)


@functools.cache
def expected(
    config: TD3Config, updates: int, seed: int
) -> tuple[dict[str, list[np.ndarray]], dict[str, list[np.ndarray]]]:
    """Parameters, of target too, before; those after, and the last gradient."""
    discrete = isinstance(config, TD3DiscreteConfig)
    oracle = (DiscreteOracle if discrete else Oracle)(config, seed)
    before = {name: oracle.flat(name) for name in NETWORKS}
    oracle.to_double()
    for rows in batches_for(config, updates, seed):
        tensors = [torch.from_numpy(row).double() for row in rows]
        oracle.update(tensors[:5], tensors[5:])
    return before, {
        name: [*oracle.flat(name), oracle.gradient(name)] for name in NETWORKS
    }


def native(config: TD3Config, isa: str, seed: int = 0) -> Any:
    flat = {"algorithm": kind_of(config).name, **dataclasses.asdict(config)}
    discrete = isinstance(config, TD3DiscreteConfig)
    make = testing.TD3Discrete if discrete else testing.TD3
    return make(flat, OBS, ACTIONS, seed, isa.replace("-", "_"))


def relative_errors(
    config: TD3Config, updates: int, isa: str, seed: int = 0
) -> tuple[list[float], list[float]]:
    """Of online and target parameters, and of the gradients; 2-norm, against double."""
    before, after = expected(config, updates, seed)
    agent = native(config, isa)
    for name in NETWORKS:
        agent.set(name, *before[name])
    for rows in batches_for(config, updates, seed):
        assert agent.update(*rows)
    parameters, gradients = [], []
    for name in NETWORKS:
        mine = agent.get(name)
        errors = [
            float(np.linalg.norm(m - t) / max(np.linalg.norm(t), NOTHING))
            for m, t in zip(mine, after[name], strict=True)
            if t.size
        ]
        parameters += errors[:2]
        gradients += errors[2:]
    return parameters, gradients
