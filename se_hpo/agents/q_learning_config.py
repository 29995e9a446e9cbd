"""Q-learning: what can be set, and its entry in the registry."""

from __future__ import annotations

import math
from dataclasses import dataclass

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import AgentKind
from se_hpo.errors import check

RANGES = {"lr": (0.1, 1.0), "gamma": (0.1, 1.0)}
"""What the authors draw anew, uniformly, where agents are varied."""


@dataclass(frozen=True)
class QLearningConfig(AgentConfig):
    """A table of values with an epsilon-greedy policy; epsilon changes per episode.

    Defaults are those that the authors evaluate the agents of Cliff with.
    """

    init_episodes: int = 0
    """Episodes without learning."""
    lr: float = 1.0
    """Part of the way that a value moves to its target (alpha)."""
    gamma: float = 0.8
    """Discount factor."""
    eps_init: float = 0.1
    """Epsilon of the first episode."""
    eps_min: float = 0.1
    """Lowest epsilon."""
    eps_decay: float = 0.9
    """Factor on epsilon after each episode."""
    count_bonus: float = 0.0
    """Beta of the bonus beta / sqrt(n) on rewards, n the visits of state and action."""
    q_init: float = 0.0
    """Value that every state and action starts with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.lr <= 1, self, "lr", "in (0, 1]")
        for name in ("gamma", "eps_init", "eps_min", "eps_decay"):
            check(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")
        check(0 <= self.count_bonus < math.inf, self, "count_bonus", ">= 0, and finite")
        check(math.isfinite(self.q_init), self, "q_init", "a finite number")


KIND = AgentKind(
    name="q_learning",
    label="Q-learning",
    config=QLearningConfig,
    make="se_hpo.agents.q_learning:QLearning",
    native=True,
    varied=tuple(RANGES),
    varied_ranges=RANGES,
    tabular=True,
)
