"""TD3: what can be set, and its entry in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.agents.config import DeepAgentConfig
from se_hpo.agents.registry import VARIED, AgentKind
from se_hpo.errors import check


@dataclass(frozen=True)
class TD3Config(DeepAgentConfig):
    """TD3 for continuous actions.

    Defaults are those with which the authors evaluate on MountainCarContinuous.
    """

    batch_size: int = 256
    buffer_size: int = 1_000_000
    lr: float = 3e-4
    tau: float = 0.005
    policy_delay: int = 2
    """Critic updates per update of the actor and the targets."""
    action_std: float = 0.1
    """Standard deviation of the noise on the action when acting."""
    policy_std: float = 0.2
    """Standard deviation of the noise on the target action."""
    policy_std_clip: float = 0.5
    """Largest absolute noise on the target action."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.policy_delay >= 1, self, "policy_delay", ">= 1")
        for name in ("action_std", "policy_std", "policy_std_clip"):
            value = getattr(self, name)
            check(0 <= value < float("inf"), self, name, ">= 0")


KIND = AgentKind(
    name="td3",
    label="TD3",
    config=TD3Config,
    make="se_hpo.agents.td3:TD3",
    native=True,
    varied=VARIED,
    actions=("continuous",),
)
