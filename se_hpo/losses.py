"""Scores -> loss in [0, 1]: what makes one configuration better than another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from se_hpo.tasks import TaskSpec


def normalized_return(scores: np.ndarray, task: TaskSpec) -> np.ndarray:
    """0 at the return of a random policy, 1 at the solved return, clipped between."""
    span = task.solved_return - task.random_return
    return np.clip((scores - task.random_return) / span, 0.0, 1.0)


def nes_loss(center_scores: Sequence[float], budget: int, task: TaskSpec) -> float:
    """One minus the mean normalized center score over the generations of the budget.

    It rewards both speed and level, and moves before anything is solved. A run that
    stopped because it was solved counts 1 for the generations it did not need.

    Args:
        center_scores: mean center score of each generation that was run.
        budget: generations of the evaluation.
        task: gives random and solved return.
    """
    scores = np.asarray(center_scores[:budget], dtype=np.float64)
    missing = budget - len(scores)
    return float(1.0 - (normalized_return(scores, task).sum() + missing) / budget)


def agent_loss(
    scores: Sequence[float], env_steps: Sequence[int], step_limit: int, task: TaskSpec
) -> float:
    """One minus the mean normalized return, up to half of it given for few env steps.

    An agent that solves the task at once has loss 0; one that solves it with all the
    steps it may take, 0.5; one no better than random, 1.

    Args:
        scores: mean test return of each agent.
        env_steps: training steps of each agent.
        step_limit: most training steps an agent may take.
        task: gives random and solved return.
    """
    levels = normalized_return(np.asarray(scores, dtype=np.float64), task)
    speeds = 1.0 - np.minimum(np.asarray(env_steps) / step_limit, 1.0)
    return float(1.0 - np.mean(levels * (1.0 + speeds) / 2.0))
