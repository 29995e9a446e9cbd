"""Agents whose ranks on the task are known, and how well an SE ranks them.

What makes such a sample: `nes.rank_agreement`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.tasks import TaskSpec
from se_hpo.nes.score_transforms import descending_ranks
from se_hpo.training.jobs import TrainingJob, TrainingResult


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Rank correlation, ties with their mean rank; 0 where one says nothing.

    A vector of equal values ranks nothing: what a random order gets on average.

    >>> spearman(np.array([1.0, 2.0, 4.0]), np.array([9.0, 9.0, 9.0]))
    0.0
    """
    ranks = [descending_ranks(np.asarray(v, np.float64)) for v in (x, y)]
    a, b = (r - r.mean() for r in ranks)
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / scale if scale > 0 else 0.0


@dataclass(frozen=True)
class RankSample:
    """Configurations of agents, and what they reach on the task."""

    agents: tuple[AgentConfig, ...]
    """As they train on an SE."""
    returns: np.ndarray
    """Mean test return of each on the task, float64."""
    env_steps: int
    """Steps of the task that this took, tests included."""
    task: TaskSpec

    def jobs(self, job: TrainingJob) -> list[TrainingJob]:
        """Each of the agents in a job's place; seeds come from the job's."""
        return [
            replace(job, agent=agent, seed=seeding.integer_seed(job.seed, "ranked", i))
            for i, agent in enumerate(self.agents)
        ]

    def agreement(self, results: Sequence[TrainingResult]) -> np.ndarray:
        """The score of each evaluation, whose agents are neighbours, float64.

        Returns count from the worst to the solved one: beyond, all are as good.
        """
        found = np.array([r.score for r in results]).reshape(-1, len(self.agents))
        return np.array(
            [spearman(self._cut(x), self._cut(self.returns)) for x in found]
        )

    def _cut(self, returns: np.ndarray) -> np.ndarray:
        return np.clip(returns, self.task.worst_return, self.task.solved_return)
