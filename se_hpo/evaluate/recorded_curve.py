"""What a record keeps of a learning curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from se_hpo.envs.tasks import TaskSpec
from se_hpo.results.learning_curves import thinned
from se_hpo.training.jobs import TrainingResult

_IN_A_ROW = 10
"""Tests that must solve the task together: one alone may be luck."""


def recorded_curve(
    result: TrainingResult, n_steps: int, spec: TaskSpec
) -> dict[str, Any]:
    """Its thinned tests, and what is said of it, as fields of a record.

    Args:
        result: of a training of `n_steps` with tests; of one that diverged, the worst
            return of the task fills the rest.
        n_steps: training steps that the curve has.
        spec: the task.
    """
    returns = np.asarray(result.curve_returns, float)
    steps = result.curve_steps
    if not len(steps) or (result.stop_reason == "diverged" and steps[-1] < n_steps):
        returns = np.append(returns, spec.worst_return)
        steps = np.append(steps, n_steps)
    lengths = np.diff(steps, prepend=0)
    return {
        "solved_after": solved_after(steps, returns, spec.solved_return),
        "area": float(returns @ lengths / steps[-1]),
        "curve": thinned(steps, returns, n_steps),
    }


def solved_after(
    steps: np.ndarray, returns: np.ndarray, solved_return: float
) -> int | None:
    """Steps before the first of ten tests in a row that solve the task.

    It solves the task, and the ten have a mean that does.
    """
    if len(returns) < _IN_A_ROW:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(returns, _IN_A_ROW)
    solved = (windows.mean(axis=1) >= solved_return) & (windows[:, 0] >= solved_return)
    return int(steps[solved.argmax()]) if solved.any() else None
