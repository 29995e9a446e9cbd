"""Objective `nes`: a complete NES run; budget = generations.

A promoted trial continues from its saved state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.nes.cost import STOPPED
from se_hpo.nes.generation import inner_loop_job, n_trainings, random_psi
from se_hpo.nes.run import run_nes
from se_hpo.optimize.objectives import ObjectiveKind
from se_hpo.optimize.objectives.losses import (
    CLIPPED,
    PROGRESS,
    levels_of,
    progress,
    top_of,
)
from se_hpo.storage.files import Guard
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import Status
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob


def nes_loss(
    history: Sequence[Mapping[str, Any]],
    budget: int,
    task: TaskSpec,
    config: RunConfig | None = None,
    loss: str = PROGRESS,
    stopped: bool = False,
) -> float:
    """One minus the mean level over the generations of the budget.

    The level of a generation is that of its mean center score, and for `progress` for
    one half that of its best members: what is within reach counts before the center
    moves. Generations that a solved run did not need count as its last, for `clipped`
    as 1; those that one which was stopped did not reach count as nothing. So a loss is
    lower for earlier, and for higher.

    Args:
        history: lines of `generations.jsonl`.
        budget: generations of the evaluation.
        task: gives worst, random and solved return.
        config: gives the fitness, by default returns.
        loss: a name in `LOSSES`.
        stopped: the run was too costly to go on.
    """
    lines = history[:budget]
    centers = [np.mean(line["center_scores"]) for line in lines]
    missing = budget - len(lines)
    if loss == CLIPPED:
        levels, last = levels_of(centers, task, config, loss), 1.0
    else:
        tops = [top_of(line["member_scores"]) for line in lines]
        levels = progress(centers, tops, task, config)
        last = levels[-1]
    last = 0.0 if stopped else last
    return float(1.0 - (levels.sum() + last * missing) / budget)


def _evaluate_nes(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
    loss: str = PROGRESS,
) -> dict[str, Any]:
    # A foreign state is of another version, say: not the trial's fault.
    outcome = run_nes(config, seed, paths, inner_loop, budget, guard, restart=True)
    scores = outcome.center_scores
    diverged = outcome.reason.startswith("diverged")
    task = measure_task(config.task)
    stopped = outcome.reason.startswith(STOPPED)
    reached = nes_loss(outcome.history, budget, task, config, loss, stopped)
    return {
        "status": Status.FINISHED,
        "loss": 1.0 if diverged else reached,
        "reason": outcome.reason,
        "score_final": float(scores[-1]),
        "score_best": float(outcome.state.best_score),
        "generations": outcome.state.generation,
        "generations_to_solve": outcome.state.solved_at,
        "env_steps_se": outcome.total("env_steps_se"),
        "env_steps_task": outcome.total("env_steps_task"),
    }


def _cost(config: RunConfig, seed: int) -> tuple[TrainingJob, int, int]:
    job, start = (
        inner_loop_job(config, random_psi(config, seed), seed),
        n_trainings(config.nes, 0),
    )
    return job, n_trainings(config.nes, 1) - start, start


NES_RUN = ObjectiveKind(
    unit="generations",
    what="complete NES runs",
    learns_se=True,
    evaluate=_evaluate_nes,
    cost=_cost,
)
