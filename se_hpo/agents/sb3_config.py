"""Stable-Baselines3's algorithms: what can be set, and their entries in the registry.

Defaults are Stable-Baselines3's own. Fields have its names; what it takes besides goes
by the same names into `arguments`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import AgentKind
from se_hpo.errors import check

VARIED = ("hidden_layers", "learning_rate", "batch_size", "hidden_size")
"""As `registry.VARIED`, by Stable-Baselines3's names."""


@dataclass(frozen=True)
class SB3Config(AgentConfig):
    """An algorithm of Stable-Baselines3; it trains by a loop of its own.

    Of what other agents share it needs `max_env_steps`, `test_episodes`, `truncation`.
    """

    more: ClassVar[str | None] = "arguments"
    narrowing: ClassVar[float] = 1.0
    """Size of the second and later hidden layers, relative to the first."""

    train_steps: int = 50_000
    """Environment steps of a training without a `max_env_steps`."""
    learning_rate: float = 3e-4
    """Step size of the optimizer, the same throughout."""
    gamma: float = 0.99
    """Discount factor."""
    hidden_size: int = 64
    """Units of the first hidden layer of every network."""
    hidden_layers: int = 2
    """Hidden layers; those after the first have 3/4 of its units in DDPG and TD3."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Other keyword arguments of the algorithm: JSON's types, see `agents/sb3.py`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("train_steps", "hidden_size", "hidden_layers"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        check(0 < self.learning_rate < 3.4e38, self, "learning_rate", "> 0")
        check(0 <= self.gamma <= 1, self, "gamma", "in [0, 1]")

    @property
    def net_arch(self) -> list[int]:
        """Units of each hidden layer."""
        later = max(1, int(self.narrowing * self.hidden_size))
        return [self.hidden_size] + [later] * (self.hidden_layers - 1)


@dataclass(frozen=True)
class SB3BatchConfig(SB3Config):
    """An algorithm that learns from batches."""

    batch_size: int = 256
    """Transitions per gradient update."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.batch_size >= 1, self, "batch_size", ">= 1")


@dataclass(frozen=True)
class SB3A2C(SB3Config):
    """A2C (Mnih et al., 2016)."""

    learning_rate: float = 7e-4


@dataclass(frozen=True)
class SB3DQN(SB3BatchConfig):
    """DQN (Mnih et al., 2015)."""

    learning_rate: float = 1e-4
    batch_size: int = 32


@dataclass(frozen=True)
class SB3PPO(SB3BatchConfig):
    """PPO (Schulman et al., 2017)."""

    batch_size: int = 64


@dataclass(frozen=True)
class SB3SAC(SB3BatchConfig):
    """SAC (Haarnoja et al., 2018)."""

    hidden_size: int = 256


@dataclass(frozen=True)
class SB3TD3(SB3BatchConfig):
    """TD3 (Fujimoto et al., 2018)."""

    narrowing: ClassVar[float] = 0.75
    learning_rate: float = 1e-3
    hidden_size: int = 400


@dataclass(frozen=True)
class SB3DDPG(SB3TD3):
    """DDPG (Lillicrap et al., 2016)."""


def _kind(config: type[SB3Config], *actions: str, se_steps: int) -> AgentKind:
    algorithm = config.__name__.removeprefix("SB3")
    return AgentKind(
        name=f"sb3:{algorithm}",
        label=f"SB3 {algorithm}",
        config=config,
        make="se_hpo.agents.sb3:SB3Agent",
        varied=tuple(name for name in VARIED if hasattr(config, name)),
        actions=actions,
        made_first=True,
        se_steps=se_steps,
    )


A2C = _kind(SB3A2C, "discrete", "continuous", se_steps=5000)
DDPG = _kind(SB3DDPG, "continuous", se_steps=1000)
DQN = _kind(SB3DQN, "discrete", se_steps=5000)  # it learns every fourth step
PPO = _kind(SB3PPO, "discrete", "continuous", se_steps=8192)
SAC = _kind(SB3SAC, "continuous", se_steps=1000)
TD3 = _kind(SB3TD3, "continuous", se_steps=1000)
