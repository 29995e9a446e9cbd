"""What is written down of a training, also of one by the agent's own loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from se_hpo.agents.base import DivergedError, SelfTrained
from se_hpo.training.environments import Step, TrainingEnv

_LARGEST_REWARD = float(np.finfo(np.float32).max)
"""The replay buffer holds float32."""

Test = Callable[[], float]
"""A greedy test episode on the task; gives its return."""


@dataclass
class TrainingLog:
    """Training episodes so far; one cut short counts with the steps it had."""

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Environment steps."""
    test_returns: list[float] = field(default_factory=list)
    """Of a test after each episode, where there are such."""
    stop_reason: str = "train_episodes"
    """See `names.STOP_REASONS`."""


def check_finite(step: Step) -> None:
    """Raise `DivergedError` at NaN or infinity."""
    # Summed in double precision: finite float32 values cannot overflow here.
    sound = math.isfinite(sum(step.next_state.tolist()) + step.done)
    if not (sound and abs(step.reward) <= _LARGEST_REWARD):
        raise DivergedError("the environment gave NaN or infinity")


class _LoggedEnv:
    """What an agent with a loop of its own trains on: every step is logged."""

    def __init__(self, env: TrainingEnv, log: TrainingLog, test: Test | None) -> None:
        self._env, self._log, self._test, self._starts = env, log, test, True

    def reset(self) -> np.ndarray:
        """Start an episode; it is one with its first step."""
        self._starts = True
        return self._env.reset()

    def step(self, action: Any) -> Step:
        """Take one step; a test, where there are such, follows that ends an episode."""
        if self._starts:
            self._log.returns.append(0.0)
            self._log.lengths.append(0)
        step = self._env.step(action)
        self._log.lengths[-1] += step.env_steps
        check_finite(step)
        self._log.returns[-1] += step.reward
        self._starts = step.ended
        if step.ended:
            self.test()
        return step

    def test(self) -> None:
        """Test the agent, unless that was done since the last step."""
        if self._test and len(self._log.test_returns) < len(self._log.returns):
            self._log.test_returns.append(self._test())


def train_by_itself(
    agent: SelfTrained, env: TrainingEnv, test: Test | None
) -> TrainingLog:
    """Train by the agent's own loop; what ends that is its own business."""
    log = TrainingLog()
    logged = _LoggedEnv(env, log, test)
    try:
        log.stop_reason = agent.train_on(logged)
        logged.test()  # after an episode that was cut short
    except DivergedError:
        log.stop_reason = "diverged"
    return log
