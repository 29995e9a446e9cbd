"""Objective `agent`: an agent trained on the task itself; budget = seeds.

Seeds that are trained already are kept.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo import seeding
from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.nes.fitness import step_limit
from se_hpo.optimize.objectives import ObjectiveKind
from se_hpo.optimize.objectives.losses import PROGRESS, levels_of
from se_hpo.storage.files import (
    Guard,
    append_json_line,
    read_json_lines,
    write_json_lines,
)
from se_hpo.storage.json_records import record
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import Status
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob, TrainingResult

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AgentLine:
    """One seed: a line of `agents.jsonl`."""

    agent: int
    """From 0."""
    score: float
    env_steps: int
    episodes: int
    test_env_steps: int
    stop_reason: str

    def __post_init__(self) -> None:
        if min(self.agent, self.env_steps, self.test_env_steps) < 0:
            raise ValueError("a number of it is below 0")


def agent_loss(
    scores: Sequence[float],
    env_steps: Sequence[int],
    step_limit: int,
    task: TaskSpec,
    loss: str = PROGRESS,
) -> float:
    """One minus the mean level of returns, up to half of it given for few env steps.

    An agent that solves the task at once has about loss 0; one that solves it with all
    the steps it may take, 0.5; one at the worst return, about 1.

    Args:
        scores: mean test return of each agent.
        env_steps: training steps of each agent.
        step_limit: most training steps an agent may take.
        task: gives worst, random and solved return.
        loss: a name in `LOSSES`.
    """
    levels = levels_of(scores, task, loss=loss)
    speeds = 1.0 - np.minimum(np.asarray(env_steps) / step_limit, 1.0)
    return float(1.0 - np.mean(levels * (1.0 + speeds) / 2.0))


def _evaluate_agent(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
    loss: str = PROGRESS,
) -> dict[str, Any]:
    def job(k: int) -> TrainingJob:
        return TrainingJob(config.task, config.agent, agent_seed(seed, k))

    rows = trained_agents(job, paths.agents, inner_loop, budget, guard)
    task = measure_task(config.task)
    scores = [row.score for row in rows]
    steps = [row.env_steps for row in rows]
    limit = step_limit(config.agent, task)
    reached = agent_loss(scores, steps, limit, task, loss)
    tests = sum(row.test_env_steps for row in rows)
    return {**evaluated(rows, reached), "env_steps_task": sum(steps) + tests}


def agent_seed(seed: int, k: int) -> int:
    """The seed of a trial's `k`-th agent."""
    return seeding.integer_seed(seed, "agent", k)


def trained_agents(
    job: Callable[[int], TrainingJob],
    path: Path,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
) -> list[AgentLine]:
    """The first `budget` agents of a trial; those that `path` lacks are trained.

    `job` gives the k-th, from 0.
    """
    agents = _read_agents(path)
    missing = [k for k in range(budget) if k not in agents]
    with contextlib.closing(inner_loop.completed([*map(job, missing)])) as completed:
        for position, result in completed:  # kept at once, whatever happens next
            guard()
            k = missing[position]
            agents[k] = _agent_line(k, result)
            append_json_line(path, asdict(agents[k]))
    if list(agents) != sorted(agents):
        write_json_lines(path, [asdict(agents[k]) for k in sorted(agents)])
    return [agents[k] for k in range(budget)]


def evaluated(rows: Sequence[AgentLine], loss: float) -> dict[str, Any]:
    """What the record says of a trial's agents, but for environment steps."""
    scores = [row.score for row in rows]
    all_diverged = all(row.stop_reason == "diverged" for row in rows)
    return {
        "status": Status.FINISHED,
        "loss": 1.0 if all_diverged else loss,
        "reason": "diverged: NaN or inf in every agent" if all_diverged else "budget",
        "score_final": float(np.mean(scores)),
        "score_best": float(np.max(scores)),
        "generations": len(rows),
    }


def _agent_line(k: int, result: TrainingResult) -> AgentLine:
    return AgentLine(
        agent=k,
        score=result.score,
        env_steps=result.env_steps,
        episodes=len(result.episode_returns),
        test_env_steps=result.test_env_steps,
        stop_reason=result.stop_reason,
    )


def _read_agents(path: Path) -> dict[int, AgentLine]:
    agents = {}
    for number, value in read_json_lines(path):
        try:
            line = record(AgentLine, value)
        except ValueError as error:
            why = f"line {number} is damaged ({error})"
            log.warning("%s, %s: trained again", path, why)
        else:
            agents[line.agent] = line
    return agents


def _cost(config: RunConfig, seed: int) -> tuple[TrainingJob, int, int]:
    return TrainingJob(config.task, config.agent, seed), 1, 0


AGENT = ObjectiveKind(
    unit="seeds",
    what="agents on the task",
    learns_se=False,
    evaluate=_evaluate_agent,
    cost=_cost,
)
