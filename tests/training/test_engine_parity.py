"""One update of the native engine equals torch autograd, for every instruction set."""

from __future__ import annotations

import dataclasses
import functools
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from se_hpo.agents.config import ACTIVATIONS, AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.training import native_engine
from tests.helpers.engine_jobs import needs_testing, testing
from tests.helpers.grids import slow_but_for

pytestmark = needs_testing

OBS, ACTIONS = 5, 3
ISAS = native_engine.isas() if native_engine.available() else []
MODULES = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
}


def mlp(inputs: int, outputs: int, hidden: int, layers: int, name: str) -> nn.Module:
    """Layers first, the shared activation last: the order of the flat parameters."""
    sizes = [inputs, *[hidden] * layers, outputs]
    linear = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
    return nn.ModuleDict({"linear": linear, "act": MODULES[name]()})


def run_mlp(net: Any, x: torch.Tensor) -> torch.Tensor:
    *hidden, last = net["linear"]
    for layer in hidden:
        x = net["act"](layer(x))
    return last(x)


class TorchQ(nn.Module):
    """The Q-networks of docs/engine.md, written without the package's networks."""

    def __init__(self, config: AgentConfig) -> None:
        super().__init__()
        shape = (config.hidden_size, config.hidden_layers, config.activation)
        self.config = config
        if isinstance(config, DuelingDDQNConfig):
            size, act = config.feature_size, config.activation
            self.features = mlp(OBS, size, *shape)
            self.value = mlp(size, 1, size, 1, act)
            self.advantage = mlp(size, ACTIONS, size, 1, act)
        else:
            self.q = mlp(OBS, ACTIONS, *shape)

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        if not isinstance(self.config, DuelingDDQNConfig):
            return run_mlp(self.q, s)
        features = run_mlp(self.features, s)
        advantage = run_mlp(self.advantage, features)
        mean = advantage.mean(dim=1, keepdim=True)
        if self.config.advantage_mean == "batch":
            mean = advantage.mean()
        return run_mlp(self.value, features) + advantage - mean

    def flat(self) -> np.ndarray:
        return np.concatenate([p.detach().numpy().ravel() for p in self.parameters()])


def batches(n: int, batch: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = [(n, batch, OBS), (n, batch), (n, batch, OBS), (n, batch), (n, batch)]
    data = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    data[1] = rng.integers(ACTIONS, size=(n, batch)).astype(np.float32)
    data[4] = np.where(rng.random((n, batch)) < 0.3, data[4], 0).astype(np.float32)
    return data


def torch_updates(
    config: AgentConfig, online: TorchQ, target: TorchQ, data: list[np.ndarray]
) -> list[np.ndarray]:
    """Returns the last gradient, by tensor."""
    adam = torch.optim.Adam(online.parameters(), lr=config.lr)
    for rows in zip(*map(torch.from_numpy, data), strict=True):
        s, a, s2, r, d = (row.to(next(online.parameters()).dtype) for row in rows)
        with torch.no_grad():
            best = online(s2).argmax(dim=1, keepdim=True)
            y = r + config.gamma * (1 - d) * target(s2).gather(1, best).squeeze(1)
        q = online(s).gather(1, a.long().unsqueeze(1)).squeeze(1)
        adam.zero_grad()
        nn.functional.mse_loss(q, y).backward()
        adam.step()
        with torch.no_grad():
            for p, t in zip(online.parameters(), target.parameters(), strict=True):
                t += config.tau * (p - t)
    return [p.grad.numpy().ravel() for p in online.parameters()]


@functools.cache
def torch_result(
    config: AgentConfig, batch: int, updates: int, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Online and target parameters at the start; both and the last gradient after."""
    torch.manual_seed(seed)
    online, target = TorchQ(config), TorchQ(config)
    before = [online.flat(), target.flat()]
    online, target = online.double(), target.double()
    data = batches(updates, batch, seed)
    gradient = np.concatenate(torch_updates(config, online, target, data))
    return before, [online.flat(), target.flat(), gradient]


def relative_errors(
    config: AgentConfig, batch: int, updates: int, isa: str, seed: int = 0
) -> tuple[float, float, float]:
    """Of online and target parameters and the last gradient, against torch in double.

    In the 2-norm. The gradient is looked at for itself, since Adam hides its scale.
    """
    before, expected = torch_result(config, batch, updates, seed)
    flat = {"algorithm": algorithm_of(config), **dataclasses.asdict(config)}
    online, target, finite, gradient = testing.run_updates(
        flat, ACTIONS, *before, *batches(updates, batch, seed), isa.replace("-", "_")
    )
    assert finite
    errors = [
        float(np.linalg.norm(mine - theirs) / np.linalg.norm(theirs))
        for mine, theirs in zip((online, target, gradient), expected, strict=True)
    ]
    return errors[0], errors[1], errors[2]


def assert_equal(errors: tuple[float, float, float], batch: int) -> None:
    """To 1e-5; one sample alone may have a TD error that is mostly rounding."""
    *parameters, gradient = errors
    assert max(parameters) <= 1e-5, errors
    assert gradient <= (1e-5 if batch > 1 else 1e-4), errors


SIZES = list(zip([1, 17, 199, 597], [1, 19, 57, 171], strict=True))
SIZES += [(199, 19), (17, 57), (597, 1), (1, 171)]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_one_ddqn_update_equals_torch(activation: str, layers: int, isa: str) -> None:
    for batch, hidden in SIZES:
        config = DDQNConfig(
            activation=activation, hidden_size=hidden, hidden_layers=layers
        )
        errors = relative_errors(config, batch, 1, isa)
        assert_equal(errors, batch)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("mean", ["sample", "batch"])
def test_one_dueling_update_equals_torch(activation: str, mean: str, isa: str) -> None:
    for (batch, hidden), layers in product(SIZES, [1, 2, 3]):
        config = DuelingDDQNConfig(
            activation=activation,
            hidden_size=hidden,
            hidden_layers=layers,
            feature_size=(hidden * 5) // 4 + 1,
            advantage_mean=mean,
        )
        errors = relative_errors(config, batch, 1, isa)
        assert_equal(errors, batch)


@pytest.mark.parametrize("isa", ISAS)
def test_adams_first_step_is_lr_in_the_direction_of_the_gradient(isa: str) -> None:
    # Off by 7e-6 if 1 - beta is computed in single precision.
    config = DDQNConfig(hidden_size=3, hidden_layers=1, lr=1e-3)
    zeros = np.zeros_like(TorchQ(config).flat())
    flat = {"algorithm": "ddqn", **dataclasses.asdict(config)}
    data = batches(1, 50, 0)
    name = isa.replace("-", "_")
    after, _, _, gradient = testing.run_updates(
        flat, ACTIONS, zeros, zeros, *data, name
    )
    moved = np.abs(gradient) > 0.02  # far above Adam's epsilon
    assert moved.sum() == ACTIONS  # the output biases
    expected = -1e-3 * np.sign(gradient[moved])
    np.testing.assert_allclose(after[moved], expected, rtol=2e-6)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("cls", [DDQNConfig, DuelingDDQNConfig])
def test_units_that_tanh_saturates_do_not_move(cls: Any, isa: str) -> None:
    # Adam makes full steps also of gradients that are only rounding.
    config = cls(activation="tanh", hidden_size=57, hidden_layers=1)
    before = TorchQ(config).flat()
    before[: 57 * OBS] *= 1e4
    data = batches(3, 64, 0)
    data[0] = (
        np.abs(data[0]) + 1
    )  # units are on one side for all samples, or in between
    flat = {"algorithm": algorithm_of(config), **dataclasses.asdict(config)}
    after, *_ = testing.run_updates(
        flat, ACTIONS, before, before, *data, isa.replace("-", "_")
    )
    weights = before[: 57 * OBS].reshape(57, OBS)
    h = np.einsum("nbi,hi->nbh", data[0], weights, dtype=np.float64)
    saturated = (np.abs(h) > 20).all(axis=(0, 1))
    assert 10 < saturated.sum() < 57
    moved = (after != before)[: 57 * OBS].reshape(57, OBS).any(axis=1)
    assert not moved[saturated].any()
    assert (after != before)[57 * OBS :].any()


def close_seeds(
    config: AgentConfig, batch: int, isa: str, wanted: int
) -> tuple[int, list[float]]:
    """How many of three seeds stay close over 200 updates, up to those wanted."""
    errors: list[float] = []
    close = 0
    for seed in range(3):
        errors.append(max(relative_errors(config, batch, 200, isa, seed)[:2]))
        close += errors[-1] <= 1e-3
        if close == wanted:
            break
    return close, errors


CLASSES = [DDQNConfig, DuelingDDQNConfig]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("cls", "activation"),
    slow_but_for(
        [
            (DDQNConfig, "relu"),
            (DDQNConfig, "prelu"),
            (DuelingDDQNConfig, "tanh"),
            (DuelingDDQNConfig, "leaky_relu"),
        ],
        product(CLASSES, ACTIVATIONS),
    ),
)
def test_200_updates_stay_close_to_torch(cls: Any, activation: str, isa: str) -> None:
    # Two of three seeds, since one near-tie of the argmax in 3,400 targets that
    # rounding decides otherwise sends two right computations apart.
    config = cls(activation=activation, hidden_size=19, hidden_layers=2)
    close, errors = close_seeds(config, 17, isa, wanted=2)
    assert close == 2, errors


@pytest.mark.parametrize(
    ("cls", "activation"),
    slow_but_for(
        [
            (DDQNConfig, "relu"),
            (DDQNConfig, "leaky_relu"),
            (DDQNConfig, "prelu"),
            (DuelingDDQNConfig, "tanh"),
        ],
        product(CLASSES, ACTIVATIONS),
    ),
)
def test_200_updates_of_a_big_batch_stay_close_to_torch(
    cls: Any, activation: str
) -> None:
    # Some near-tie among 40,000 targets often sends two right computations apart (torch
    # in single and in double precision too, by 1e-2). A wrong one is off with any seed.
    config = cls(activation=activation, hidden_size=19, hidden_layers=2)
    for isa in ISAS:
        close, errors = close_seeds(config, 199, isa, wanted=1)
        assert close == 1, (isa, errors)
