"""The paper's synthetic environment: next state, reward and done are learned.

Ferreira et al. (2022), section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from se_hpo.envs.learned import LearnedConfig, LearnedKind, Net
from se_hpo.envs.stopping import stop_on_plateau


@dataclass(frozen=True)
class SyntheticEnvConfig(LearnedConfig):
    """The three networks (next state, reward, done) of an SE; same size for each."""


def layout(
    config: LearnedConfig, obs_size: int, n_actions: int
) -> tuple[Net, Net, Net]:
    """Three networks on concat(one-hot action, state)."""
    inputs = n_actions + obs_size
    return (
        Net("state", inputs, obs_size),
        Net("reward", inputs, 1),
        Net("done", inputs, 1),
    )


def raw_done(terminated: bool, info: Mapping[str, Any]) -> float:
    """The done net's output, whatever number it is and also at the step limit."""
    # The crux, easy to overlook: not 0 or 1, so that 1 - done may weigh the
    # bootstrapped value with any number.
    return info["raw_done"]


MDP = LearnedKind(
    name="mdp",
    label="synthetic environment",
    config=SyntheticEnvConfig,
    layout=layout,
    environment="se_hpo.envs.synthetic_env:SyntheticEnv",
    vector_environment="se_hpo.envs.vector_env:SyntheticVectorEnv",
    stored_done=raw_done,
    stopping_rule=stop_on_plateau,
    native=True,
)
