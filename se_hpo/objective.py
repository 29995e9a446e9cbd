"""Configuration and budget -> loss and record: what BOHB minimizes.

`nes`: a complete NES run; budget = generations, and a promoted trial continues from its
saved state. `agent`: an agent trained on the task itself; budget = seeds, and those
already trained are kept.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo import seeding
from se_hpo.config import AgentConfig, RunConfig, from_configuration
from se_hpo.damaged import set_aside
from se_hpo.inner_loop import InnerLoop
from se_hpo.jobs import TrainingJob, TrainingResult
from se_hpo.json_records import RecordError, read_record, record
from se_hpo.losses import agent_loss, nes_loss
from se_hpo.nes.run import Guard, run_nes
from se_hpo.nes.state_file import ForeignStateError, set_run_aside
from se_hpo.paths import (
    ConfigId,
    RunPaths,
    TrialPaths,
    append_json_line,
    read_json_lines,
    trial_name,
    write_json,
)
from se_hpo.records import EvaluationRecord, Status
from se_hpo.tasks import TaskSpec, get_task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Objective:
    """Everything about a run that its evaluations share; build one per worker."""

    kind: str
    """`nes` or `agent`."""
    task: str
    """Task id."""
    agent: str
    """Name of the agent's algorithm."""
    base: Mapping[str, Any]
    """Flat values that every configuration starts from."""
    run_seed: int
    """Seed of the whole run."""

    def run_config(self, configuration: Mapping[str, Any]) -> RunConfig:
        """Resolve a configuration on top of the base."""
        return from_configuration({**self.base, **configuration}, self.task, self.agent)

    def trial_seed(self, config_id: ConfigId) -> int:
        """The seed of a trial: from the run's seed and the configuration's id."""
        return seeding.integer_seed(self.run_seed, "trial", *config_id)

    def evaluate(
        self,
        config_id: ConfigId,
        configuration: Mapping[str, Any],
        budget: float,
        run: RunPaths,
        inner_loop: InnerLoop,
        guard: Guard = lambda: None,
    ) -> EvaluationRecord:
        """Evaluate one configuration at one budget and write its record.

        A crash of the configuration is a record with status `failed`, loss 1 and the
        traceback. An `OSError` (full disk, lost share) says nothing about the
        configuration and is raised. `guard` is called before anything is written and
        may raise to end the evaluation.
        """
        paths = run.trial(config_id)
        if (done := _finished_record(paths.record(budget))) is not None:
            return done
        started, cpu = time.time(), inner_loop.cpu_seconds()
        seed = self.trial_seed(config_id)
        try:
            config = self.run_config(configuration)
            write_json(
                paths.config,
                {
                    "trial": trial_name(config_id),
                    "seed": seed,
                    "configuration": dict(configuration),
                    **config.to_dict(),
                },
            )
            if self.kind == "nes":
                values = _evaluate_nes(
                    config, seed, paths, inner_loop, int(budget), guard
                )
            else:
                values = _evaluate_agent(
                    config, seed, paths, inner_loop, int(budget), guard
                )
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - any crash is the trial's result
            values = _failure(error)
        evaluated = EvaluationRecord(
            trial=trial_name(config_id),
            bracket=config_id[0],
            rung=_rung(paths, budget),
            budget=float(budget),
            wall_seconds=time.time() - started,
            cpu_seconds=inner_loop.cpu_seconds() - cpu,
            seed=seed,
            worker=str(os.getpid()),
            host=socket.gethostname(),
            started=started,
            finished=time.time(),
            **values,
        )
        guard()
        write_json(paths.record(budget), evaluated.to_dict())
        return evaluated


def _evaluate_nes(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
) -> dict[str, Any]:
    try:
        outcome = run_nes(config, seed, paths, inner_loop, budget, guard)
    except ForeignStateError as error:  # of another version, say: not the trial's fault
        guard()
        set_run_aside(paths, str(error))
        outcome = run_nes(config, seed, paths, inner_loop, budget, guard)
    scores = outcome.center_scores
    diverged = outcome.reason.startswith("diverged")
    loss = 1.0 if diverged else nes_loss(list(scores), budget, get_task(config.task))
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


def _evaluate_agent(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    budget: int,
    guard: Guard,
) -> dict[str, Any]:
    agents = _read_agents(paths.agents)
    missing = [k for k in range(budget) if k not in agents]
    jobs = [
        TrainingJob(config.task, config.agent, seeding.integer_seed(seed, "agent", k))
        for k in missing
    ]
    at_once = inner_loop.n_threads  # what is trained is kept, whatever happens next
    for first in range(0, len(jobs), at_once):
        results = inner_loop.train_agents(jobs[first : first + at_once])
        guard()
        for k, result in zip(missing[first:], results, strict=False):
            agents[k] = _agent_line(k, result)
            append_json_line(paths.agents, agents[k])
    rows = [agents[k] for k in range(budget)]
    task = get_task(config.task)
    scores = [row["score"] for row in rows]
    steps = [row["env_steps"] for row in rows]
    limit = _step_limit(config.agent, task)
    all_diverged = all(row["stop_reason"] == "diverged" for row in rows)
    return {
        "status": Status.FINISHED,
        "loss": 1.0 if all_diverged else agent_loss(scores, steps, limit, task),
        "reason": "diverged: NaN or inf in every agent" if all_diverged else "budget",
        "score_final": float(np.mean(scores)),
        "score_best": float(np.max(scores)),
        "generations": budget,
        "env_steps_task": sum(steps) + sum(row["test_env_steps"] for row in rows),
    }


def _agent_line(k: int, result: TrainingResult) -> dict[str, Any]:
    return {
        "agent": k,
        "score": result.score,
        "env_steps": result.env_steps,
        "episodes": len(result.episode_returns),
        "test_env_steps": result.test_env_steps,
        "stop_reason": result.stop_reason,
    }


@dataclass(frozen=True)
class _Agent:
    """What the loss needs of a line of `agents.jsonl`."""

    agent: int
    score: float
    env_steps: int
    test_env_steps: int
    stop_reason: str


def _read_agents(path: Path) -> dict[int, dict[str, Any]]:
    agents = {}
    for number, line in read_json_lines(path):
        try:
            agent = record(_Agent, line)
        except RecordError as error:
            log.warning("%s, line %d: %s; trained again", path, number, error)
        else:
            agents[agent.agent] = vars(agent)
    return agents


def _step_limit(agent: AgentConfig, task: TaskSpec) -> int:
    most = agent.train_episodes * task.max_steps
    return min(most, agent.max_env_steps) if agent.max_env_steps else most


def _finished_record(path: Path) -> EvaluationRecord | None:
    """The record of an evaluation that finished before its master heard of it."""
    try:
        found = read_record(path, EvaluationRecord)
        if found and found.trial != path.parent.name:
            raise RecordError(f"it is of the trial {found.trial}")
    except RecordError as error:
        set_aside(f"{path} is damaged ({error})", "evaluated again", path)
        return None
    return found if found and found.status is Status.FINISHED else None


def _failure(error: Exception) -> dict[str, Any]:
    first_line = (str(error).splitlines() or [""])[0]
    return {
        "status": Status.FAILED,
        "loss": 1.0,
        "reason": f"failed: {type(error).__name__}: {first_line}",
        "error": "".join(traceback.format_exception(error)),
    }


def _rung(paths: TrialPaths, budget: float) -> int:
    """How many lower budgets this trial was evaluated at before."""
    earlier = [p.stem.removeprefix("record-") for p in paths.root.glob("record-*.json")]
    return sum(float(b) < budget for b in earlier)
