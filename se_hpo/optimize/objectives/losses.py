"""What is minimized: levels of scores, by the name that a run's settings have.

`progress` is the loss of new runs; runs from before there was a choice have `clipped`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError, did_you_mean
from se_hpo.nes.fitness import worst_score

CLIPPED, PROGRESS = "clipped", "progress"

_EDGE = 0.05
"""Of the levels from 0 to 1, what lies below the worst return and above the solved."""
_TOP_SHARE = 0.2
"""Of the members of a generation, those that say what is within reach."""

Levels = Callable[[np.ndarray, float, float, float], np.ndarray]
"""`(scores, worst, random, solved)` -> levels between 0 and 1."""


def clipped_levels(
    scores: np.ndarray, worst: float, random: float, solved: float
) -> np.ndarray:
    """0 at the return of a random policy, 1 at the solved return, clipped between."""
    return np.clip((scores - random) / (solved - random), 0.0, 1.0)


def progress_levels(
    scores: np.ndarray, worst: float, random: float, solved: float
) -> np.ndarray:
    """0.05 at the worst return, 0.95 at the solved one, and rising everywhere.

    In between it is a line; beyond, it goes on as smoothly towards 0 and 1, so that no
    two returns have the same level.
    """
    x = (scores - worst) / (solved - worst)
    slope = 1.0 - 2.0 * _EDGE
    below = _EDGE * np.exp(slope / _EDGE * np.minimum(x, 0.0))
    above = _EDGE * np.exp(-slope / _EDGE * np.maximum(x - 1.0, 0.0))
    line = _EDGE + slope * x
    return np.where(x < 0.0, below, np.where(x > 1.0, 1.0 - above, line))


LOSSES: dict[str, Levels] = {CLIPPED: clipped_levels, PROGRESS: progress_levels}


def find_levels(loss: str) -> Levels:
    """The levels of a loss.

    Raises:
        UserError: a loss of another version.
    """
    if loss not in LOSSES:
        raise UserError(f"unknown loss {loss!r}: {did_you_mean(loss, LOSSES)}")
    return LOSSES[loss]


def levels_of(
    scores: Sequence[float] | np.ndarray,
    task: TaskSpec,
    config: RunConfig | None = None,
    loss: str = PROGRESS,
) -> np.ndarray:
    """Levels of returns, or of scores of another fitness, which have their own ends.

    An area is its own level; a threshold score lies between a diverged agent's and 0.
    """
    ends = task.worst_return, task.random_return, task.solved_return
    if config is not None and config.nes.fitness != "return":
        worst = worst_score(config, task)
        ends = worst, worst, 0.0 if config.nes.fitness == "threshold" else 1.0
    return find_levels(loss)(np.asarray(scores, dtype=np.float64), *ends)


def progress(
    centers: Sequence[float] | np.ndarray,
    tops: Sequence[float] | np.ndarray,
    task: TaskSpec,
    config: RunConfig | None = None,
) -> np.ndarray:
    """Levels of generations, half of each from the center, half from the best members.

    What is within reach counts before the center moves.
    """
    levels = levels_of(centers, task, config) + levels_of(tops, task, config)
    return np.asarray(levels / 2.0)


def top_of(member_scores: Sequence[Sequence[float]]) -> float:
    """Mean of the best fifth of a generation's members, at least one.

    Scores that are not finite are the worst of all.
    """
    scores = np.ravel(np.asarray(member_scores, dtype=np.float64))
    scores = np.sort(np.where(np.isfinite(scores), scores, -np.inf))[::-1]
    return float(scores[: max(1, round(_TOP_SHARE * len(scores)))].mean())
