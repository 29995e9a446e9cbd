"""What the configurations of agents have in common.

Defaults are the paper's untuned CartPole settings (the ones behind its Fig. 3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from se_hpo.errors import check, check_one_of, check_types

ACTIVATIONS = ("tanh", "relu", "leaky_relu", "prelu")
VARIATIONS = ("paper", "wide")
"""What is drawn where agents vary: the paper's list, or with it the activation."""


@dataclass(frozen=True)
class AgentConfig:
    """What the inner loop asks of every agent."""

    more: ClassVar[str | None] = None
    """Field, a dict, that takes the flat names which are no fields; None: none may."""

    train_episodes: int = 1000
    """Most training episodes."""
    test_episodes: int = 10
    """Greedy episodes on the task after training; their mean return is the score."""
    init_episodes: int = 10
    """Episodes that only fill the replay buffer."""
    max_env_steps: int = 0
    """Stop training after this many environment steps (0: no such limit)."""
    stop_window: int = 10
    """Episodes k in each of the two windows that the stopping rules compare."""
    plateau_tolerance: float = 0.01
    """Relative change of the mean return below which training on an SE stops."""
    action_repeat: int = 1
    """On the task, an action is held for so many environment steps; an SE's step is a
    decision."""
    se_steps: int | None = None
    """Steps of a training on a synthetic environment, which then ends by no rule;
    exploration falls in a line over the first half (None: by rule and by episodes)."""
    se_init_steps: int = 64
    """The first of them that only fill the replay buffer."""
    truncation: str = "bootstrap"
    """Done stored for a time-limit truncation on the task: `bootstrap` 0, `terminal` 1
    (the authors' code)."""

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("train_episodes", "test_episodes", "stop_window", "action_repeat"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        for name in ("init_episodes", "max_env_steps", "plateau_tolerance"):
            check(getattr(self, name) >= 0, self, name, ">= 0")
        steps = 1 if self.se_steps is None else self.se_steps
        check(steps >= 1, self, "se_steps", ">= 1, or null for none")
        check(self.se_init_steps >= 0, self, "se_init_steps", ">= 0")
        check_one_of(self, "truncation", ("bootstrap", "terminal"))

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """One with other values; those of names that are no fields go into `more`."""
        names = {field.name for field in dataclasses.fields(self)}
        own = {name: value for name, value in values.items() if name in names}
        others = {name: value for name, value in values.items() if name not in names}
        if self.more and others:
            own[self.more] = {**own.get(self.more, getattr(self, self.more)), **others}
        return dataclasses.replace(self, **own)


@dataclass(frozen=True)
class DeepAgentConfig(AgentConfig):
    """Networks that learn by Adam from a replay buffer."""

    batch_size: int = 128
    """Transitions per gradient update."""
    buffer_size: int = 100_000
    """Most transitions kept; sampled uniformly with replacement."""
    gamma: float = 0.99
    """Discount factor."""
    lr: float = 1e-3
    """Adam's step size."""
    tau: float = 0.01
    """Polyak factor of the target network, applied after every update."""
    activation: str = "relu"
    """Activation of the hidden layers."""
    hidden_size: int = 128
    """Units per hidden layer."""
    hidden_layers: int = 2
    """Hidden layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("batch_size", "buffer_size", "hidden_size", "hidden_layers"):
            check(getattr(self, name) >= 1, self, name, ">= 1")
        check(0 < self.lr < 3.4e38, self, "lr", "> 0, and a float32")
        check(0 <= self.gamma <= 1, self, "gamma", "in [0, 1]")
        check(0 < self.tau <= 1, self, "tau", "in (0, 1]")
        check_one_of(self, "activation", ACTIVATIONS)
