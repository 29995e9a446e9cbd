"""Configuration and budget -> loss and record, whatever the objective."""

from __future__ import annotations

import inspect
import logging
import os
import socket
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from se_hpo import seeding
from se_hpo.config.run import RunConfig, from_configuration
from se_hpo.envs.learned import LearnedEnv
from se_hpo.optimize.objectives.losses import PROGRESS, find_levels
from se_hpo.registries import OBJECTIVES
from se_hpo.results.run_settings import Settings
from se_hpo.storage.damaged import set_aside
from se_hpo.storage.files import Guard, write_json
from se_hpo.storage.json_records import RecordError, read_record
from se_hpo.storage.paths import ConfigId, RunPaths, TrialPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, Status
from se_hpo.text import first_line
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Objective:
    """Everything about a run that its evaluations share; build one per worker."""

    kind: str
    """A name in `registries.OBJECTIVES`."""
    task: str
    """Task id."""
    agent: str
    """Name of the agent's algorithm."""
    base: Mapping[str, Any]
    """Flat values that every configuration starts from."""
    run_seed: int
    """Seed of the whole run."""
    loss: str = PROGRESS
    """What is minimized: a name in `losses.LOSSES`."""
    ses: tuple[LearnedEnv, ...] = field(default=(), repr=False)
    """What agents train on, where the objective takes SEs that are there."""

    def __post_init__(self) -> None:
        OBJECTIVES.find(self.kind, "unknown objective")  # of another version, say
        find_levels(self.loss)

    @classmethod
    def of(cls, settings: Settings, ses: tuple[LearnedEnv, ...] = ()) -> Objective:
        """What the workers of a run evaluate."""
        s = settings
        return cls(s.objective, s.task, s.agent, s.base, s.seed, s.loss, ses)

    def _ses(self) -> dict[str, tuple[LearnedEnv, ...]]:
        return {"ses": self.ses} if OBJECTIVES[self.kind].on_ses else {}

    def _more(self) -> dict[str, Any]:
        """What the kind's evaluation asks for beside what all have."""
        evaluate = OBJECTIVES[self.kind].evaluate
        asked = "loss" in inspect.signature(evaluate).parameters
        return {**self._ses(), **({"loss": self.loss} if asked else {})}

    def cost(self, config: RunConfig, seed: int) -> tuple[TrainingJob, int, int]:
        """See `Cost`."""
        found: tuple[TrainingJob, int, int]
        found = OBJECTIVES[self.kind].cost(config, seed, **self._ses())
        return found

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
        guard()
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
            values = OBJECTIVES[self.kind].evaluate(
                config,
                seed,
                paths,
                inner_loop,
                int(budget),
                guard,
                **self._more(),
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


def _finished_record(path: Path) -> EvaluationRecord | None:
    """The record of an evaluation that finished before its master heard of it."""
    try:
        found = read_record(path, EvaluationRecord)
        if found and found.trial != path.parent.name:
            raise RecordError(f"it is of the trial {found.trial}")
        if found and not 0.0 <= found.loss <= 1.0:
            raise RecordError(f"loss = {found.loss}: must be from 0 to 1")
    except RecordError as error:
        set_aside(f"{path} is damaged ({error})", "evaluated again", path)
        return None
    return found if found and found.status is Status.FINISHED else None


def _failure(error: Exception) -> dict[str, Any]:
    return {
        "status": Status.FAILED,
        "loss": 1.0,
        "reason": f"failed: {type(error).__name__}: {first_line(error)}",
        "error": "".join(traceback.format_exception(error)),
    }


def _rung(paths: TrialPaths, budget: float) -> int:
    """How many lower budgets this trial was evaluated at before."""
    return sum(earlier < budget for earlier in paths.recorded_budgets())
