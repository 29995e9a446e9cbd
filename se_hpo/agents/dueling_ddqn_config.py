"""Dueling Double DQN: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.errors import check, check_one_of


@dataclass(frozen=True)
class DuelingDDQNConfig(DDQNConfig):
    """Double DQN with separate value and advantage streams."""

    feature_size: int = 128
    """Outputs of the shared features, and hidden units of both streams."""
    advantage_mean: str = "sample"
    """Subtracted mean: per `sample`, or over the whole `batch` (the authors')."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.feature_size >= 1, self, "feature_size", ">= 1")
        check_one_of(self, "advantage_mean", ("sample", "batch"))


KIND = AgentKind(
    name="dueling_ddqn",
    label="Dueling DDQN",
    config=DuelingDDQNConfig,
    make="se_hpo.agents.dueling_ddqn:DuelingDDQN",
    native=True,
    varied=VARIED,
)
