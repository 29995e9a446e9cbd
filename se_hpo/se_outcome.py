"""How the training of one SE ended: `NNN.json` of a set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from se_hpo.names import SE_TRAIN_ENVS, with_train_env
from se_hpo.paths import SESetPaths, parse_json
from se_hpo.records import to_builtin


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

    @property
    def failed(self) -> bool:
        """It raised."""
        return self.reason.startswith("failed")

    def to_dict(self) -> dict[str, Any]:
        """Builtin types, as stored."""
        return dict(to_builtin(dataclasses.asdict(self)))


def outcome_from_dict(data: Mapping[str, Any]) -> SEOutcome:
    """The inverse of `SEOutcome.to_dict`; unknown keys of newer versions are dropped.

    Raises:
        ValueError: a key is missing, or a value is not of its type.
    """
    values = {}
    for field in dataclasses.fields(SEOutcome):
        if field.name not in data:
            raise ValueError(f"{field.name} is missing")
        values[field.name] = _checked(field.name, str(field.type), data[field.name])
    if values["train_env"] not in SE_TRAIN_ENVS:
        raise ValueError(f"train_env {values['train_env']!r} is unknown")
    return SEOutcome(**values)


def _checked(name: str, kind: str, value: Any) -> Any:
    if kind.endswith(" | None"):
        if value is None:
            return None
        kind = kind.removesuffix(" | None")
    if kind == "float" and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind == "float" or type(value).__name__ != kind:
        raise ValueError(f"{name} = {value!r} is no {kind}")
    return value


def read_outcome(paths: SESetPaths, index: int) -> SEOutcome | None:
    """How the training of SE `index` ended; None: it has not.

    Raises:
        ValueError: the file is damaged or foreign.
    """
    try:
        text = paths.outcome(index).read_text(encoding="utf-8")
        data = with_train_env(parse_json(text))
    except FileNotFoundError:
        return None
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    outcome = outcome_from_dict(data)
    if outcome.index != index:
        raise ValueError(f"it is of SE {outcome.index}")
    return outcome
