"""Agents, by the names in `registries.AGENTS`.

`<name>.py` is how an algorithm learns in torch, `<name>_config.py` what can be set and
its entry in the registry: that much is known without torch.
"""

from __future__ import annotations

from se_hpo.agents.base import Agent, DivergedError
from se_hpo.agents.registry import (
    AgentKind,
    agent_label,
    kind_of,
    make_agent,
    register_agent,
)
from se_hpo.registries import AGENTS

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
