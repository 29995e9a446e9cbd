"""What goes into an inner loop and what comes out, for both engines.

A job is complete: same job, same engine, same bytes, in any process or thread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from se_hpo.config import AgentConfig, SyntheticEnvConfig
from se_hpo.errors import UserError


@dataclass(frozen=True)
class TrainingJob:
    """Train one agent on one environment, then test it greedily on the task."""

    task: str
    """Task id; tests run on it, and an SE takes its initial states from it."""
    agent: AgentConfig
    """Hyperparameters, with any variation already drawn."""
    seed: int
    """63-bit seed of everything random in this job."""
    se: SyntheticEnvConfig | None = None
    """Sizes of the SE to train on; None trains on the task itself."""
    psi: np.ndarray | None = None
    """SE parameters: float32 vector, see `synthetic_env.parameter_shapes`."""
    stop_by_rule: bool = True
    """Whether plateau (SE) or solved (task) ends the training; without them only the
    agent's `train_episodes` and `max_env_steps` do."""


def check_no_psi(job: TrainingJob, where: str = "") -> None:
    """Raise `UserError`, its line beginning with `where`, for psi without `se`."""
    if job.se is None and job.psi is not None:
        raise UserError(
            f"{where}psi is given, but se = None: give the sizes of the SE, or no psi "
            "to train on the task"
        )


@dataclass(frozen=True)
class TrainingResult:
    """What one inner loop gave."""

    test_returns: np.ndarray
    """Return of each greedy test episode on the task: `test_episodes`, float64."""
    episode_returns: np.ndarray
    """Return of each training episode, float64."""
    episode_lengths: np.ndarray
    """Environment steps of each training episode, int64."""
    test_env_steps: int
    """Steps on the task taken by the test episodes."""
    stop_reason: str
    """A name in `names.STOP_REASONS`."""

    @property
    def score(self) -> float:
        """Mean test return: the fitness of the SE (paper, eq. 3)."""
        return float(np.mean(self.test_returns))

    @property
    def env_steps(self) -> int:
        """Environment steps taken in training."""
        return int(np.sum(self.episode_lengths))
