"""Objective `nes`: a complete NES run; budget = generations.

A promoted trial continues from its saved state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.nes.fitness import worst_score
from se_hpo.nes.generation import inner_loop_job, n_trainings, random_psi
from se_hpo.nes.run import run_nes
from se_hpo.optimize.objectives import ObjectiveKind, normalized_return
from se_hpo.storage.files import Guard
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import Status
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob


def nes_loss(
    center_scores: Sequence[float],
    budget: int,
    task: TaskSpec,
    config: RunConfig | None = None,
) -> float:
    """One minus the mean normalized center score over the generations of the budget.

    It rewards both speed and level, and moves before anything is solved. A run that
    stopped because it was solved counts 1 for the generations it did not need.

    Args:
        center_scores: mean center score of each generation that was run.
        budget: generations of the evaluation.
        task: gives random and solved return.
        config: gives the fitness, by default returns.
    """
    scores = np.asarray(center_scores[:budget], dtype=np.float64)
    missing = budget - len(scores)
    return float(1.0 - (_levels(scores, task, config).sum() + missing) / budget)


def _levels(scores: np.ndarray, task: TaskSpec, config: RunConfig | None) -> np.ndarray:
    """Scores between 0 and 1: returns from that of random actions to the solved one.

    An area is its own level; a threshold score lies between a diverged agent's and 0.
    """
    if config is None or config.nes.fitness == "return":
        return normalized_return(scores, task)
    worst = worst_score(config, task)
    best = 0.0 if config.nes.fitness == "threshold" else 1.0
    return np.clip((scores - worst) / (best - worst), 0.0, 1.0)


def _evaluate_nes(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
) -> dict[str, Any]:
    # A foreign state is of another version, say: not the trial's fault.
    outcome = run_nes(config, seed, paths, inner_loop, budget, guard, restart=True)
    scores = outcome.center_scores
    diverged = outcome.reason.startswith("diverged")
    task = measure_task(config.task)
    loss = 1.0 if diverged else nes_loss(list(scores), budget, task, config)
    return {
        "status": Status.FINISHED,
        "loss": loss,
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
