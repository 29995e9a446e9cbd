"""What a generation costs, counted and not timed: the same on every machine.

In billions of multiplications, about: an agent's updates and the SE's steps. On 40
random evaluations of CartPole it ranks as the processor's seconds do (Spearman 0.95).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from se_hpo.agents.config import AgentConfig
from se_hpo.config.run import RunConfig
from se_hpo.config.variation import hidden_weights

STOPPED = "stopped: "
"""How the reason of a run begins that cost too much."""
_PASSES = 3
"""Of an update through a network: forward, and backward to weights and inputs."""


def step_cost(agent: AgentConfig, n_parameters: int) -> float:
    """Multiplications of one training step on an SE of so many parameters.

    A step is followed by an update with a batch, or is used `epochs` times.
    """
    used: int = getattr(agent, "epochs", getattr(agent, "batch_size", 1))
    return _PASSES * used * hidden_weights(agent) + n_parameters


def generation_cost(
    config: RunConfig, n_parameters: int, line: Mapping[str, Any]
) -> float:
    """Billions of multiplications behind a line of `generations.jsonl`.

    Where agents vary, their base stands for them; of several, their mean.
    """
    steps = [step_cost(agent, n_parameters) for agent in config.agents]
    return float(np.mean(steps) * line["env_steps_se"] / 1e9)


def too_costly(
    config: RunConfig, n_parameters: int, line: Mapping[str, Any]
) -> str | None:
    """Why a run ends with this generation, if it cost more than `nes.most_cost`."""
    most, cost = config.nes.most_cost, generation_cost(config, n_parameters, line)
    if not most or cost <= most:
        return None
    return (
        f"{STOPPED}generation {line['generation'] + 1} cost {cost:,.4g} billion "
        f"multiplications, {cost / most:.1f} times nes.most_cost"
    )
