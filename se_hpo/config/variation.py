"""Random hyperparameters around a base configuration (the paper's "HP varied")."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar

import numpy as np

from se_hpo.agents.config import ACTIVATIONS, AgentConfig
from se_hpo.agents.registry import kind_of

DRAWN_ACTIVATIONS = ACTIVATIONS[:3]

_ENDS = 6
"""Inputs and outputs, about: what counts is the square of a hidden layer."""

FACTOR = 3.0
"""Numbers vary from x / 3 to 3 x."""

Config = TypeVar("Config", bound=AgentConfig)


def varied_fields(config: AgentConfig, variation: str = "paper") -> tuple[str, ...]:
    """The fields that `vary_agent` draws, in this order."""
    fields = kind_of(config).varied
    more = variation == "wide" and hasattr(config, "activation")
    return (*fields, "activation") if more else fields


def vary_within(
    config: Config, rng: np.random.Generator, variation: str, most: float
) -> Config:
    """As `vary_agent`, drawn again where updates cost more than `most` of the base's.

    Where 0 is the most, anything goes. The largest of the paper's draws around 64x1
    costs 300 of it, and those in between decide what a generation costs.
    """
    limit = most * _update_cost(config)
    while True:
        drawn = vary_agent(config, rng, variation)
        if not most or _update_cost(drawn) <= limit:
            return drawn


def _update_cost(config: AgentConfig) -> float:
    """Of a gradient update: hidden weights times batch, as far as an agent has them."""
    return float(hidden_weights(config) * getattr(config, "batch_size", 1))


def hidden_weights(config: AgentConfig) -> int:
    """Weights of an agent's network, about; 6 of an agent without one."""
    size = getattr(config, "hidden_size", 1)
    return int(size * (_ENDS + (getattr(config, "hidden_layers", 1) - 1) * size))


def vary_agent(
    config: Config, rng: np.random.Generator, variation: str = "paper"
) -> Config:
    """Draw anew, around `config`, what its agent says that varies (`AgentKind.varied`).

    What the agent has a range for (`AgentKind.varied_ranges`) is uniform in it, and
    hidden_layers in {l - 1, l, l + 1}. All else is log-uniform in [x / 3, 3 x],
    integers from int(x / 3), at least 1, to 3 x, both included. With the variation
    `wide` the activation is drawn, too: tanh, relu or leaky_relu.

    For l = 1 the authors draw from {0, 1, 2} and build a network with 1 layer for 0, so
    that 1 is twice as likely as 2; here too, since their agents are the ones compared
    with.
    """
    kind = kind_of(config)
    drawn: Any = {
        name: rng.uniform(*kind.varied_ranges[name])
        if name in kind.varied_ranges
        else _vary(name, getattr(config, name), rng)
        for name in varied_fields(config, variation)
    }
    return dataclasses.replace(config, **drawn)


def _vary(name: str, value: Any, rng: np.random.Generator) -> float | str:
    if name == "activation":
        return DRAWN_ACTIVATIONS[int(rng.integers(len(DRAWN_ACTIVATIONS)))]
    if name == "hidden_layers":
        return max(1, int(value) + int(rng.integers(-1, 2)))
    if isinstance(value, int):
        return _log_uniform_integer(value, rng)
    return _log_uniform(value / FACTOR, value * FACTOR, rng)


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _log_uniform_integer(center: int, rng: np.random.Generator) -> int:
    """Log-uniform with bins of equal right: integer k holds [k - 1/2, k + 1/2)."""
    low, high = max(1, int(center / FACTOR)), int(center * FACTOR)
    value = round(_log_uniform(low - 0.5, high + 0.5, rng))
    return min(max(value, low), high)
