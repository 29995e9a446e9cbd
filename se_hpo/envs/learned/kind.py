"""What a kind of learned environment is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from se_hpo.config.run import AgentConfig


class Net(NamedTuple):
    """A network of a learned environment; its hidden layers are as configured."""

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True)
class LearnedKind:
    """How environments of one kind are laid out, stepped and trained on."""

    name: str
    """Name here and in csrc/envs/registry.cpp."""
    label: str
    """Name in messages and figures."""
    config: type[Any]
    """Frozen dataclass with `activation`, `hidden_size` and `hidden_layers`; no other
    kind has it, so that a configuration says its kind."""
    layout: Callable[[Any, int, int], tuple[Net, ...]]
    """(config, obs_size, n_actions) -> the networks, in the order of psi."""
    environment: str
    """`module:class` of the Gymnasium environment, made from task id and checkpoint."""
    vector_environment: str
    """The same for many copies at once: task id, `num_envs`, checkpoint."""
    stored_done: Callable[[bool, Mapping[str, Any]], float]
    """(terminated, info) -> what the replay buffer stores as done."""
    stopping_rule: Callable[[Sequence[float], AgentConfig], str | None]
    """Episode returns so far -> reason to stop the training, or None."""
    native: bool = False
    """Whether the native engine has it, too."""
