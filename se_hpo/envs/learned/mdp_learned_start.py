"""The synthetic environment with learned initial states and several steps.

Liesen et al. (2024, arXiv 2406.12589), the general form: the initial state is learned,
too, the state network gives the change of the state, and done is a function of the next
state.
"""

from __future__ import annotations

from dataclasses import dataclass

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


MDP_LEARNED_START = LearnedKind(
    name="mdp_learned_start",
    label="synthetic environment with learned starts",
    config=LearnedStartConfig,
    layout=layout,
    environment="se_hpo.envs.learned_start:LearnedStartEnv",
    vector_environment="se_hpo.envs.learned_start_vector:LearnedStartVectorEnv",
    stopping_rule=stop_on_plateau,
    own=("activation", "hidden_size"),
    native=True,
    continuous=True,
)
