"""SARSA: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.q_learning_config import RANGES, QLearningConfig
from se_hpo.agents.registry import AgentKind
from se_hpo.errors import check_one_of


@dataclass(frozen=True)
class SARSAConfig(QLearningConfig):
    """SARSA: the value of the next state is that of an action of the policy."""

    next_action: str = "taken"
    """Which one: the action `taken` next, or one `drawn` for the update only, after
    which the action to take is drawn again (the authors')."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of(self, "next_action", ("taken", "drawn"))


KIND = AgentKind(
    name="sarsa",
    label="SARSA",
    config=SARSAConfig,
    make="se_hpo.agents.sarsa:SARSA",
    native=True,
    varied=tuple(RANGES),
    varied_ranges=RANGES,
    tabular=True,
)
