"""Agents with an intrinsic curiosity module: what can be set, and their entries."""

from __future__ import annotations

from dataclasses import dataclass, replace

from se_hpo.agents import ddqn_config, dueling_ddqn_config, ppo_config, td3_config
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import AgentKind
from se_hpo.errors import check


@dataclass(frozen=True)
class ICMConfig(AgentConfig):
    """An intrinsic curiosity module; defaults are the authors'."""

    icm_lr: float = 1e-4
    """Adam's step size."""
    icm_beta: float = 0.2
    """Weight of the forward model's loss; that of the inverse model's is 1 - beta."""
    icm_eta: float = 0.5
    """Bonus per mean squared error of the forward model (0: none)."""
    icm_feature_size: int = 64
    """Features of a state."""
    icm_hidden_size: int = 128
    """Units per hidden layer."""
    icm_stop_gradient: bool = False
    """Features only learn to be predicted from, not to be easy to predict."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.icm_lr < 3.4e38, self, "icm_lr", "> 0, and a float32")
        check(0 <= self.icm_beta <= 1, self, "icm_beta", "in [0, 1]")
        check(0 <= self.icm_eta < 3.4e38, self, "icm_eta", ">= 0, and a float32")
        for name in ("icm_feature_size", "icm_hidden_size"):
            check(getattr(self, name) >= 1, self, name, ">= 1")


@dataclass(frozen=True)
class DDQNICMConfig(ddqn_config.DDQNConfig, ICMConfig):
    """Double DQN with an intrinsic curiosity module."""


@dataclass(frozen=True)
class DuelingDDQNICMConfig(dueling_ddqn_config.DuelingDDQNConfig, ICMConfig):
    """Dueling Double DQN with an intrinsic curiosity module."""


@dataclass(frozen=True)
class TD3ICMConfig(td3_config.TD3Config, ICMConfig):
    """TD3 with an intrinsic curiosity module."""


@dataclass(frozen=True)
class PPOICMConfig(ppo_config.PPOConfig, ICMConfig):
    """PPO with an intrinsic curiosity module."""


def with_icm(base: AgentKind, config: type[ICMConfig]) -> AgentKind:
    """The entry of a registered agent with the module; torch only."""
    return replace(
        base,
        name=f"{base.name}_icm",
        label=f"{base.label} + ICM",
        config=config,
        make="se_hpo.agents.icm:make_curious",
        native=False,
        wraps=base.name,
    )


DDQN = with_icm(ddqn_config.KIND, DDQNICMConfig)
DUELING_DDQN = with_icm(dueling_ddqn_config.KIND, DuelingDDQNICMConfig)
TD3 = with_icm(td3_config.KIND, TD3ICMConfig)
PPO = with_icm(ppo_config.KIND, PPOICMConfig)
