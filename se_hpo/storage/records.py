"""What is known of one evaluation: its record, its status, its JSON."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from se_hpo.text import text_of


class Status(enum.StrEnum):
    """How an evaluation ended."""

    FINISHED = "finished"
    """It has a loss; a diverged SE is a finished evaluation with loss 1."""
    FAILED = "failed"
    """It raised; loss 1, with the traceback in `error`."""
    RUNNING = "running"


@dataclass(frozen=True, repr=False)
class EvaluationRecord:
    """One configuration evaluated at one budget; field order is column order."""

    trial: str
    """Name of the trial: bracket, rung it was sampled for, index (`002-0-011`)."""
    bracket: int
    """Hyperband bracket, from 0."""
    rung: int
    """Rung within the bracket at which this evaluation ran, from 0."""
    budget: float
    """Generations (objective `nes`) or seeds (`agent`, `agent_on_se`)."""
    status: Status
    loss: float
    """In [0, 1], lower is better; 1 for failed and diverged, NaN while it runs."""
    reason: str
    """Why it ended: `budget`, `solved`, `diverged: ...`, `failed: ...`, or
    `stopped: ...`, where a generation cost more than `nes.most_cost`."""
    score_final: float | None = None
    """Mean center score (`nes`) or mean test return (else) at the end."""
    score_best: float | None = None
    """Best mean center score over the generations, or best seed."""
    generations: int = 0
    """Generations (or seeds) the trial has behind it."""
    generations_to_solve: int | None = None
    """First generation (from 1) whose center's mean test return reached the task's
    solved return."""
    env_steps_se: int = 0
    """Training steps on SEs so far, all agents of the trial together."""
    env_steps_task: int = 0
    """Steps on the task so far: tests, and training where the agent trains on it."""
    wall_seconds: float = 0.0
    """Wall time of this evaluation, without the rungs below."""
    cpu_seconds: float = 0.0
    """Processor time of this evaluation."""
    seed: int = 0
    """The trial's seed."""
    worker: str = ""
    """Worker that evaluated it."""
    host: str = ""
    """Machine it ran on."""
    started: float = 0.0
    """Unix seconds."""
    finished: float = 0.0
    error: str | None = None
    """Traceback of a failed evaluation."""

    def __repr__(self) -> str:
        at = f"{self.trial}, budget {self.budget:g}"
        return f"<EvaluationRecord {at}, {self.status}, loss {self.loss:.4g}>"

    def to_dict(self) -> dict[str, Any]:
        """Builtin types only, ready for JSON and for serpent."""
        return to_builtin(dataclasses.asdict(self))


@dataclass(frozen=True)
class GenerationLine:
    """What readers need of a line of `generations.jsonl`; a score may be unknown."""

    generation: int
    """From 0 in files; frames, figures and words count from 1."""
    center_scores: list[float | None]
    member_scores: list[list[float | None]]
    best_score: float | None
    """Best center score so far."""
    env_steps_se: int
    """Training steps on SEs in this generation."""
    env_steps_task: int
    """Steps on the task in this generation."""
    step_norm: float | None = None
    """Euclidean norm of the update of the SE parameters."""
    center_diverged: int | None = None
    """Center agents that met NaN or inf on the SE."""
    stop_reasons: dict[str, int] = field(default_factory=dict)
    center_returns: list[float | None] | None = None
    """Mean test returns of the center's agents, where their scores are others."""

    def __post_init__(self) -> None:
        if self.center_returns == []:
            raise ValueError("a center without returns")
        if not (self.center_scores and any(self.member_scores)):
            raise ValueError("a generation without scores")

    @property
    def center_score(self) -> float:
        """Mean score of the agents trained on the unperturbed SE."""
        return _mean(self.center_scores)

    @property
    def center_return(self) -> float:
        """Mean test return of the same agents."""
        return _mean(self.center_returns or self.center_scores)


def _mean(values: list[float | None]) -> float:
    known = [math.nan if value is None else value for value in values]
    return sum(known) / len(known)


@dataclass(frozen=True)
class TimingLine:
    """What readers need of a line of `timing.jsonl`."""

    generation: int
    """From 0 in files; frames, figures and words count from 1."""
    wall_seconds: float
    """Wall time of this generation."""
    cpu_seconds: float
    """Processor time of this generation."""


def to_builtin(value: Any) -> Any:
    """Convert NumPy scalars, arrays, enums, tuples and mappings to builtin types.

    Non-finite floats become None, since JSON has none; halves of characters (in the
    name of a file, say) are spelt out, since they could not be read again.

    >>> import numpy as np
    >>> to_builtin({"a": np.float64(1.5), "b": np.arange(2), "c": float("nan")})
    {'a': 1.5, 'b': [0, 1], 'c': None}
    """
    if isinstance(value, Mapping):
        return {to_builtin(str(k)): to_builtin(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [to_builtin(v) for v in value]
    if isinstance(value, enum.Enum):
        return to_builtin(value.value)
    if hasattr(value, "tolist"):  # NumPy scalar or array
        return to_builtin(value.tolist())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    shown = text_of(value, repr)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON: {shown}")
