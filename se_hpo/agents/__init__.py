"""Agents, by name.

`<name>.py` is how an algorithm learns in torch, `<name>_config.py` what can be set and
its entry in the registry: that much is known without torch. An agent of your own is
one file, see docs/agents.md.
"""

from __future__ import annotations

# In the order of tables.
import se_hpo.agents.ddqn_config
import se_hpo.agents.dueling_ddqn_config
import se_hpo.agents.td3_discrete_config  # noqa: F401
from se_hpo.agents.base import Agent, DivergedError
from se_hpo.agents.registry import (
    AGENTS,
    AgentKind,
    agent_label,
    kind_of,
    make_agent,
    register_agent,
)

__all__ = [
    "AGENTS",
    "Agent",
    "AgentKind",
    "DivergedError",
    "agent_label",
    "kind_of",
    "make_agent",
    "register_agent",
]
