"""Discrete TD3: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.config import DeepAgentConfig
from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.errors import check


@dataclass(frozen=True)
class TD3DiscreteConfig(DeepAgentConfig):
    """TD3 for discrete actions: the actor gives Gumbel-softmax action vectors.

    Defaults are the paper's phase-2 settings for CartPole.
    """

    buffer_size: int = 1_000_000
    lr: float = 5e-4
    activation: str = "tanh"
    policy_delay: int = 2
    """Critic updates per update of the actor and the targets."""
    action_std: float = 0.1
    """Standard deviation of the noise on the action vector when acting."""
    policy_std: float = 0.2
    """Standard deviation of the noise on the target action vector."""
    policy_std_clip: float = 0.5
    """Largest absolute noise on the target action vector."""
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
        check(self.policy_delay >= 1, self, "policy_delay", ">= 1")
        for name in ("action_std", "policy_std", "policy_std_clip"):
            value = getattr(self, name)
            check(0 <= value < float("inf"), self, name, ">= 0")
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
