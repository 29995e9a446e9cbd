"""Where an NES run stands: its strategy's state, best center so far, and history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from se_hpo.nes.strategies import State

RESTARTED = "restarted"
"""Key of a line of `generations.jsonl`: with it a new start begins."""


@dataclass(frozen=True)
class NESState:
    """What the next generation needs. `n` is the number of SE parameters."""

    strategy: State
    """The strategy's own, with the center."""
    best_psi: np.ndarray
    """Center with the best mean score so far, float32: `n`."""
    generation: int = 0
    """Finished generations."""
    best_score: float = -np.inf
    """Its mean center score, or the mean of it and of those before it."""
    solved_at: int | None = None
    """First generation (from 1) whose mean test return reached the solved return."""

    @property
    def psi(self) -> np.ndarray:
        """Center, float32: `n`."""
        return self.strategy["psi"]

    def with_center_scores(
        self,
        center_scores: np.ndarray,
        solved_return: float,
        center_returns: np.ndarray | None = None,
        before: Sequence[float] | None = None,
    ) -> Self:
        """Keep the center if it is the best so far and note whether it solves the task.

        The scores are of agents trained on the center, before its update; so are the
        returns, which the scores are if none are given. With the mean scores of centers
        `before` it, what counts is the mean over all, and of equals the last is best.
        """
        score, state = float(np.mean(center_scores)), self
        better = score > state.best_score
        if before is not None:
            score = float(np.mean([*before, score]))
            better = score >= state.best_score
        if better:
            state = replace(state, best_psi=state.psi, best_score=score)
        returns = center_scores if center_returns is None else center_returns
        if state.solved_at is None and float(np.mean(returns)) >= solved_return:
            state = replace(state, solved_at=state.generation + 1)
        return state


def restarts_in(history: Sequence[dict[str, Any]]) -> int:
    """How often a run with these generations has started anew."""
    return sum(line.get(RESTARTED) is True for line in history)


def begun_at(history: Sequence[dict[str, Any]]) -> int:
    """The generation with which the run's last start began."""
    starts = [g for g, line in enumerate(history) if line.get(RESTARTED) is True]
    return starts[-1] if starts else 0


@dataclass(frozen=True)
class NESOutcome:
    """Where an NES run stands."""

    state: NESState
    history: list[dict[str, Any]]
    """The lines of `generations.jsonl`."""
    reason: str
    """`budget`, `solved`, `diverged: ...`, or `stopped: ...`: it cost too much."""

    @property
    def center_scores(self) -> np.ndarray:
        """Mean center score of each generation."""
        return np.array([np.mean(line["center_scores"]) for line in self.history])

    @property
    def restarts(self) -> int:
        """How often it has started anew."""
        return restarts_in(self.history)

    def total(self, key: str) -> int:
        """Sum of a counter (`env_steps_se`, `env_steps_task`) over generations."""
        return sum(line[key] for line in self.history)
