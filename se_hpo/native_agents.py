"""Which agents the native engine trains. No torch."""

from __future__ import annotations

import sys

from se_hpo.config import (
    AGENT_CONFIGS,
    AgentConfig,
    DDQNConfig,
    DuelingDDQNConfig,
    TD3DiscreteConfig,
)

BUILT_IN_AGENTS: dict[type[AgentConfig], str] = {
    DDQNConfig: "ddqn",
    DuelingDDQNConfig: "dueling_ddqn",
    TD3DiscreteConfig: "td3_discrete",
}
"""Configurations of the agents in csrc/agents, with their names there."""


def has_agent(config: AgentConfig) -> bool:
    """Whether the native engine trains this agent.

    It has `BUILT_IN_AGENTS`, unless `register_agent` put another in the place of one.
    """
    name = BUILT_IN_AGENTS.get(type(config))
    if name is None or AGENT_CONFIGS.get(name) is not type(config):
        return False
    # Only that module replaces agents; it imports torch, so look, but do not load it.
    agents = sys.modules.get("se_hpo.agents")
    if agents is None:
        return True
    built_in = {
        "ddqn": agents.DDQN,
        "dueling_ddqn": agents.DuelingDDQN,
        "td3_discrete": agents.TD3Discrete,
    }
    return agents.AGENTS.get(name) is built_in[name]
