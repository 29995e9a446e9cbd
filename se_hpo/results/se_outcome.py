"""How the training of one SE ended: `NNN.json` of a set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from se_hpo.names import LEARNED_TRAIN_ENVS
from se_hpo.storage.json_records import read_record
from se_hpo.storage.paths import SESetPaths
from se_hpo.storage.records import to_builtin
from se_hpo.text import shortened


@dataclass(frozen=True, repr=False)
class SEOutcome:
    """One finished NES run or random search; field order is column order."""

    index: int
    """Its place in the set, from 0."""
    seed: int
    """The run's seed."""
    train_env: str
    """`se_fixed`, `se_varied`: learned with fixed or varied agents; `se_random`: the
    best of random SEs, no NES. Of reward networks `rn_...`."""
    task: str
    """Task id."""
    solved: bool
    """The mean test return of a center reached the task's solved return."""
    solved_at: int | None
    """First generation (from 1) that did; missing also for random searches."""
    generations: int
    """Finished generations; 0 for random searches."""
    best_score: float | None
    """Mean score of the SE that was kept; missing where the run raised."""
    final_score: float | None
    """Mean score of the last center."""
    reason: str
    """Why it ended: `solved`, `budget`, `diverged: ...` or `failed: ...`."""
    trainings: int
    """Agents trained."""
    env_steps_se: int
    """Their training steps on SEs."""
    env_steps_task: int
    """Their test steps on the task."""
    wall_seconds: float
    """Wall time of all finished generations."""
    cpu_seconds: float
    """Processor time of the same."""
    engine: str
    """`native` or `torch`."""
    host: str
    """Machine it ended on."""

    def __post_init__(self) -> None:
        if self.train_env not in LEARNED_TRAIN_ENVS:
            raise ValueError(f"train_env {self.train_env!r} is unknown")

    def __repr__(self) -> str:
        how = "solved" if self.solved else shortened(f"not solved: {self.reason}", 60)
        score = "" if self.best_score is None else f", score {self.best_score:.4g}"
        at = f"{self.train_env} {self.index:03d} for {self.task:.60}"
        return f"<SEOutcome {at}, {how} in {self.generations} generations{score}>"

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
