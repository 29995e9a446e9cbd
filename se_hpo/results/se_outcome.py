"""How the training of one SE ended: `NNN.json` of a set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from se_hpo.names import SE_TRAIN_ENVS
from se_hpo.storage.json_records import read_record
from se_hpo.storage.paths import SESetPaths
from se_hpo.storage.records import to_builtin


@dataclass(frozen=True)
class SEOutcome:
    """One finished NES run or random search; field order is column order."""

    index: int
    """Its place in the set, from 0."""
    seed: int
    train_env: str
    """A name in `names.SE_TRAIN_ENVS`."""
    task: str
    solved: bool
    """Its best mean score reached the task's solved return."""
    solved_at: int | None
    """First generation (from 1) that did; None also for random searches."""
    generations: int
    """Finished; 0 for random searches."""
    best_score: float | None
    """Mean score of the SE that was kept; None where there is none."""
    final_score: float | None
    """Mean score of the last center."""
    reason: str
    """Why it ended: `solved`, `budget`, `diverged: ...` or `failed: ...`."""
    trainings: int
    """Agents trained."""
    env_steps_se: int
    """Training steps on SEs."""
    env_steps_task: int
    """Test steps on the task."""
    wall_seconds: float
    cpu_seconds: float
    engine: str
    host: str

    def __post_init__(self) -> None:
        if self.train_env not in SE_TRAIN_ENVS:
            raise ValueError(f"train_env {self.train_env!r} is unknown")

    @property
    def failed(self) -> bool:
        """It raised."""
        return self.reason.startswith("failed")

    def to_dict(self) -> dict[str, Any]:
        """Builtin types, as stored."""
        return dict(to_builtin(dataclasses.asdict(self)))


def read_outcome(paths: SESetPaths, index: int) -> SEOutcome | None:
    """How the training of SE `index` ended, if it has; a `ValueError` if damaged."""
    outcome = read_record(paths.outcome(index), SEOutcome)
    if outcome is not None and outcome.index != index:
        raise ValueError(f"it is of SE {outcome.index}")
    return outcome
