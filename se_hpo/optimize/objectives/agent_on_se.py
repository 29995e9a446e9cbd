"""Objective `agent_on_se`: an agent trained on SEs, tested on the task; budget = seeds.

Agent k of a trial trains on the k-th SE, in turn. Budgets are no SE steps, since an
agent cannot be trained further; those that are trained already are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.optimize.objectives import ObjectiveKind
from se_hpo.optimize.objectives.agent_run import (
    agent_seed,
    evaluated,
    trained_agents,
)
from se_hpo.optimize.objectives.losses import PROGRESS, levels_of
from se_hpo.storage.files import Guard
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob


def level_loss(scores: Sequence[float], task: TaskSpec, loss: str = PROGRESS) -> float:
    """One minus the mean level of the returns, by a loss in `LOSSES`.

    Steps do not count: those on an SE cost next to nothing, and many kinds have a fixed
    number of them.
    """
    return float(1.0 - np.mean(levels_of(scores, task, loss=loss)))


def _job(
    config: RunConfig, seed: int, k: int, ses: Sequence[LearnedEnv]
) -> TrainingJob:
    learned = ses[k % len(ses)]
    return TrainingJob(config.task, config.agent, agent_seed(seed, k), learned)


def _evaluate(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
    loss: str = PROGRESS,
    *,
    ses: Sequence[LearnedEnv],
) -> dict[str, Any]:
    rows = trained_agents(
        lambda k: _job(config, seed, k, ses), paths.agents, inner_loop, budget, guard
    )
    reached = level_loss([r.score for r in rows], measure_task(config.task), loss)
    return {
        **evaluated(rows, reached),
        "env_steps_se": sum(row.env_steps for row in rows),
        "env_steps_task": sum(row.test_env_steps for row in rows),
    }


def _cost(
    config: RunConfig, seed: int, ses: Sequence[LearnedEnv]
) -> tuple[TrainingJob, int, int]:
    return _job(config, seed, 0, ses), 1, 0


AGENT_ON_SE = ObjectiveKind(
    unit="seeds",
    what="agents on SEs",
    learns_se=False,
    evaluate=_evaluate,
    cost=_cost,
    on_ses=True,
)
