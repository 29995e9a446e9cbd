"""Double DQN: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.config import DeepAgentConfig
from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.errors import check


@dataclass(frozen=True)
class DDQNConfig(DeepAgentConfig):
    """Double DQN with an epsilon-greedy policy; epsilon changes once per episode."""

    eps_init: float = 1.0
    """Epsilon of the first episode."""
    eps_min: float = 0.01
    """Lowest epsilon."""
    eps_decay: float = 0.9
    """Factor on epsilon after each episode."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("eps_init", "eps_min", "eps_decay"):
            check(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")


KIND = AgentKind(
    name="ddqn",
    label="DDQN",
    config=DDQNConfig,
    make="se_hpo.agents.ddqn:DDQN",
    native=True,
    varied=VARIED,
)
