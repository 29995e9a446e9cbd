"""Discrete TD3: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.agents.td3_config import TD3Config
from se_hpo.errors import check


@dataclass(frozen=True)
class TD3DiscreteConfig(TD3Config):
    """TD3 for discrete actions: the actor gives Gumbel-softmax action vectors.

    Defaults are the paper's phase-2 settings for CartPole.
    """

    batch_size: int = 128
    lr: float = 5e-4
    tau: float = 0.01
    activation: str = "tanh"
    gumbel_temperature: float = 1.0
    """Softmax temperature until the first update."""
    gumbel_anneal_updates: int = 2000
    """Updates in which the temperature falls linearly to a twentieth (0: constant)."""
    gumbel_hard: bool = False
    """Action vectors are one-hot, with the gradient of the soft ones."""
    layer_norm: bool = True
    """Layer normalization in every hidden layer of actor and critics but the first,
    before its activation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        temperature = self.gumbel_temperature
        check(0 < temperature < float("inf"), self, "gumbel_temperature", "> 0")
        check(self.gumbel_anneal_updates >= 0, self, "gumbel_anneal_updates", ">= 0")


KIND = AgentKind(
    name="td3_discrete",
    label="discrete TD3",
    config=TD3DiscreteConfig,
    make="se_hpo.agents.td3_discrete:TD3Discrete",
    native=True,
    varied=VARIED,
)
