"""The one-step synthetic environment: a learned initial state, a learned reward.

Liesen et al. (2024, arXiv 2406.12589): a contextual bandit, in which every episode ends
after one step.
"""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.envs.learned import LearnedConfig, LearnedKind, Net


@dataclass(frozen=True)
class OneStepConfig(LearnedConfig):
    """The two networks (initial state, reward); same size for each."""

    activation: str = "relu"
    hidden_size: int = 32


def layout(config: LearnedConfig, obs_size: int, n_actions: int) -> tuple[Net, Net]:
    """Initial state from z ~ N(0, I); reward from concat(action, state)."""
    return (
        Net("init", obs_size, obs_size),
        Net("reward", n_actions + obs_size, 1),
    )


ONE_STEP = LearnedKind(
    name="one_step",
    label="one-step synthetic environment",
    config=OneStepConfig,
    layout=layout,
    environment="se_hpo.envs.learned_start:LearnedStartEnv",
    vector_environment="se_hpo.envs.learned_start_vector:LearnedStartVectorEnv",
    own=("activation", "hidden_size"),
    native=True,
    continuous=True,
)
