"""Learned environments: what an agent trains on instead of the task. No torch.

Kinds stand in `registries.LEARNED`. A new one: a module and its line there; for the
native engine a file in csrc/envs and its line in registry.cpp there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from se_hpo.agents.config import ACTIVATIONS, AgentConfig
from se_hpo.errors import UserError, check, check_one_of, check_types
from se_hpo.registries import LEARNED

UNSAID = "mdp"
"""The kind where a file names none: all were of this one at first."""


class Net(NamedTuple):
    """A network of a learned environment; its hidden layers are as configured."""

    name: str
    inputs: int
    outputs: int
    linear: bool = False
    """No hidden layers and no bias: weights alone."""


@dataclass(frozen=True)
class LearnedConfig:
    """The networks of a learned environment; same size for each.

    Every kind has a class of its own, so that a configuration says its kind.
    """

    activation: str = "leaky_relu"
    """Activation of the hidden layers; outputs are linear."""
    hidden_size: int = 128
    """Units per hidden layer."""
    hidden_layers: int = 1
    """Hidden layers, 1 to 3."""

    def __post_init__(self) -> None:
        check_types(self)
        check_one_of(self, "activation", ACTIVATIONS)
        check(self.hidden_size >= 1, self, "hidden_size", ">= 1")
        check(1 <= self.hidden_layers <= 3, self, "hidden_layers", "1, 2 or 3")


def done_at_termination(terminated: bool, info: Mapping[str, Any]) -> float:
    """What a task stores, too."""
    return float(terminated)


def never(returns: Sequence[float], config: AgentConfig) -> str | None:
    """No rule ends a training."""
    return None


@dataclass(frozen=True)
class LearnedKind:
    """How environments of one kind are laid out, stepped and trained on."""

    name: str
    """Name in `registries.LEARNED`, csrc/envs/registry.cpp, files and `se.kind`."""
    label: str
    """Name in messages and figures."""
    config: type[Any]
    """Its configuration: a frozen dataclass derived from `LearnedConfig`."""
    layout: Callable[[Any, int, int], tuple[Net, ...]]
    """(config, obs_size, n_actions) -> the networks, in the order of psi."""
    environment: type[Any] | str | None = None
    """Gymnasium environment made from task id and checkpoint, or its `module:class`;
    None where there is a `reward`."""
    stored_done: Callable[[bool, Mapping[str, Any]], float] = done_at_termination
    """(terminated, info) -> what the replay buffer stores as done."""
    stopping_rule: Callable[[Sequence[float], AgentConfig], str | None] = never
    """Episode returns so far -> reason to stop the training, or None."""
    reward: type[Any] | str | None = None
    """The reward function, or its `module:class`, of a kind that replaces the task's
    reward alone: done and stopping are then the task's. Made from a checkpoint and the
    agent's discount; see `envs.reward_function`."""
    own: tuple[str, ...] = ()
    """Fields whose value does not carry over to another kind."""
    prefix: str = "se"
    """Of the flat names of its configuration (`se.hidden_size`)."""
    vector_environment: type[Any] | str | None = None
    """Many copies at once, if there is such: task id, `num_envs`, checkpoint."""
    native: bool = False
    """Whether the native engine has it, too."""
    continuous: bool = False
    """Whether an `environment` takes continuous actions; a `reward` takes none."""

    @property
    def noun(self) -> str:
        """What the user calls it."""
        return "reward network" if self.reward else "synthetic environment"

    def check_actions(self, task: str, continuous: bool) -> None:
        """Raise `UserError` if it cannot take a task's actions."""
        if continuous and not (self.continuous or self.reward):
            raise UserError(
                f"a {self.label} takes discrete actions, and the task {task} has "
                "continuous ones: choose an SE of kind one_step (se.kind), a reward "
                "network (rn.kind), or another task"
            )


@dataclass(frozen=True)
class LearnedEnv:
    """A learned environment: its configuration, which says its kind, and parameters."""

    config: LearnedConfig
    psi: np.ndarray
    """Parameters: float32 vector, see `envs.parameters`."""

    @property
    def kind(self) -> LearnedKind:
        """What it is.

        Raises:
            UserError: there is no kind with such a configuration.
        """
        return kind_of(self.config)


def kind_of(config: object) -> LearnedKind:
    """The kind that has such configurations.

    Raises:
        UserError: there is none.
    """
    kind: LearnedKind
    for kind in LEARNED.values():
        if type(config) is kind.config:
            return kind
    known = ", ".join(kind.config.__name__ for kind in LEARNED.values())
    raise UserError(f"{config!r} configures no learned environment: must be a {known}")
