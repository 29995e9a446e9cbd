"""Learned environments, by kind: what an agent trains on instead of the task. No torch.

A new kind: a module here and its line in `KINDS`; for the native engine a file in
csrc/envs and its line in registry.cpp there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from se_hpo.envs.learned.kind import LearnedKind, Net
from se_hpo.envs.learned.mdp import MDP
from se_hpo.errors import UserError

__all__ = ["KINDS", "LearnedEnv", "LearnedKind", "Net", "kind_of"]

KINDS = {kind.name: kind for kind in (MDP,)}
"""All kinds by name."""


@dataclass(frozen=True)
class LearnedEnv:
    """A learned environment: its configuration, which says its kind, and parameters."""

    config: Any
    """Sizes of its networks, of the class of its kind: `SyntheticEnvConfig`, ..."""
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
    for kind in KINDS.values():
        if type(config) is kind.config:
            return kind
    known = ", ".join(kind.config.__name__ for kind in KINDS.values())
    raise UserError(f"{config!r} configures no learned environment: must be a {known}")
