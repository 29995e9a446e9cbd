"""Agents of the torch engine, one algorithm per file, by name.

An agent of your own: a config class derived from `AgentConfig`, a class with the
methods of `Agent`, and one call of `register_agent` in a module that both import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from se_hpo.agents.base import Agent, DivergedError
from se_hpo.agents.ddqn import DDQN
from se_hpo.agents.dueling_ddqn import DuelingDDQN
from se_hpo.agents.td3_discrete import TD3Discrete
from se_hpo.config import AGENT_CONFIGS, AgentConfig, algorithm_of

__all__ = ["AGENTS", "Agent", "DivergedError", "make_agent", "register_agent"]

AgentFactory = Callable[[Any, int, int, int], Agent]
"""Called with (config, obs_size, n_actions, seed)."""

AGENTS: dict[str, AgentFactory] = {
    "ddqn": DDQN,
    "dueling_ddqn": DuelingDDQN,
    "td3_discrete": TD3Discrete,
}


def make_agent(config: AgentConfig, obs_size: int, n_actions: int, seed: int) -> Agent:
    """A new agent with everything random drawn from `seed`."""
    return AGENTS[algorithm_of(config)](config, obs_size, n_actions, seed)


def register_agent(
    name: str, config_class: type[AgentConfig], factory: AgentFactory
) -> None:
    """Add an agent, or replace the one of that name.

    Call it where `config_class` is defined: worker processes import that module when
    they unpickle a job.
    """
    AGENT_CONFIGS[name] = config_class
    AGENTS[name] = factory
