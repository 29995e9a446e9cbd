"""The synthetic environment with learned initial states and several steps.

Liesen et al. (2024, arXiv 2406.12589), the general form: the initial state is learned,
too, the state network gives the change of the state, and done is a function of the next
state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from se_hpo.envs.learned import LearnedConfig, LearnedKind, Net
from se_hpo.envs.stopping import stop_on_plateau
from se_hpo.errors import check


@dataclass(frozen=True)
class LearnedStartConfig(LearnedConfig):
    """The four networks (initial state, change, reward, done); same size for each."""

    activation: str = "relu"
    hidden_size: int = 32
    max_steps: int = 50
    """An episode is cut after so many steps."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.max_steps >= 1, self, "max_steps", ">= 1")


def layout(config: LearnedConfig, obs_size: int, n_actions: int) -> tuple[Net, ...]:
    """Initial state from z ~ N(0, I); change and reward from concat(action, state)."""
    inputs = n_actions + obs_size
    return (
        Net("init", obs_size, obs_size),
        Net("state", inputs, obs_size),
        Net("reward", inputs, 1),
        Net("done", obs_size, 1),
    )


def finite_done(terminated: bool, info: Mapping[str, Any]) -> float:
    """1 at termination, else 0; what is not finite as it is, so that it diverges."""
    raw_done: float = info["raw_done"]
    return float(terminated) if math.isfinite(raw_done) else raw_done


MDP_LEARNED_START = LearnedKind(
    name="mdp_learned_start",
    label="synthetic environment with learned starts",
    config=LearnedStartConfig,
    layout=layout,
    environment="se_hpo.envs.learned_start:LearnedStartEnv",
    vector_environment="se_hpo.envs.learned_start_vector:LearnedStartVectorEnv",
    stored_done=finite_done,
    stopping_rule=stop_on_plateau,
    own=("activation", "hidden_size"),
    native=True,
    continuous=True,
)
