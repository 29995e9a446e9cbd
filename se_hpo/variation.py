"""Random hyperparameters around a base configuration (the paper's "HP varied")."""

from __future__ import annotations

import dataclasses
import math
from typing import TypeVar

import numpy as np

from se_hpo.config import AgentConfig

FACTOR = 3.0
"""Learning rate, batch size and hidden size vary from x / 3 to 3 x."""

Config = TypeVar("Config", bound=AgentConfig)


def vary_agent(config: Config, rng: np.random.Generator) -> Config:
    """Draw learning rate, batch size and network size anew around `config`.

    lr, batch_size and hidden_size are log-uniform in [x / 3, 3 x], the integers from
    int(x / 3), at least 1, to 3 x, both included. hidden_layers is uniform in
    {l - 1, l, l + 1}. All else is kept.

    For l = 1 the authors draw from {0, 1, 2} and build a network with 1 layer for 0, so
    that 1 is twice as likely as 2; here too, since their agents are the ones compared
    with.
    """
    layers = config.hidden_layers + int(rng.integers(-1, 2))
    return dataclasses.replace(
        config,
        lr=_log_uniform(config.lr / FACTOR, config.lr * FACTOR, rng),
        batch_size=_log_uniform_integer(config.batch_size, rng),
        hidden_size=_log_uniform_integer(config.hidden_size, rng),
        hidden_layers=max(1, layers),
    )


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _log_uniform_integer(center: int, rng: np.random.Generator) -> int:
    """Log-uniform with bins of equal right: integer k holds [k - 1/2, k + 1/2)."""
    low, high = max(1, int(center / FACTOR)), int(center * FACTOR)
    value = round(_log_uniform(low - 0.5, high + 0.5, rng))
    return min(max(value, low), high)
