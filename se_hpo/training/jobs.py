"""What goes into an inner loop and what comes out, for both engines.

A job is complete: same job, same engine, same bytes, in any process or thread.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from se_hpo.agents.config import AgentConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError


def under_limit(spec: TaskSpec, limit: int | None) -> TaskSpec:
    """The task under another step limit, where there is one.

    Where steps cost something, its worst return is what so many of them cost.
    """
    if limit is None:
        return spec
    worst = min(spec.worst_return, spec.worst_return * limit / spec.max_steps)
    return replace(spec, max_steps=limit, worst_return=worst)


@dataclass(frozen=True)
class TrainingJob:
    """Train one agent on one environment, then test it greedily on the task."""

    task: str
    """Task id; tests run on it, and an SE takes its initial states from it."""
    agent: AgentConfig
    """Hyperparameters, with any variation already drawn."""
    seed: int
    """63-bit seed of everything random in this job."""
    learned: LearnedEnv | None = None
    """What to train on instead of the task; None trains on the task itself."""
    stop_by_rule: bool = True
    """Whether plateau (SE) or solved (task) ends the training; without them only the
    agent's `train_episodes` and `max_env_steps` do."""
    test_while_training: bool = False
    """A greedy test episode on the task after each training episode; the rule `solved`
    then looks at these, as soon as there are `stop_window`."""
    test_every: int = 1
    """Training steps at least between such tests: one follows the first episode that
    ends so many after the one before, and one the last that a limit ends."""
    max_test_steps: int | None = None
    """Step limit of the tests, in place of the task's."""

    @property
    def schedule(self) -> int:
        """Steps of a training on an SE that its agent's `se_steps` ends; 0: others."""
        on_se = self.learned is not None and self.learned.kind.reward is None
        return (self.agent.se_steps or 0) if on_se else 0

    def resolved(self) -> TrainingJob:
        """With a schedule as the steps and episodes of its agent; else itself."""
        if not self.schedule:
            return self
        steps = self.schedule
        agent = replace(self.agent, max_env_steps=steps, train_episodes=steps)
        return replace(self, agent=agent, stop_by_rule=False)

    def tested_on(self, spec: TaskSpec) -> TaskSpec:
        """The task with the step limit of the tests."""
        return under_limit(spec, self.max_test_steps)

    def __post_init__(self) -> None:
        if self.test_every < 1:
            raise UserError(f"test_every = {self.test_every}: must be >= 1")
        if (steps := self.max_test_steps) is not None and steps < 1:
            raise UserError(f"max_test_steps = {steps}: must be >= 1, or None")
        if self.learned is not None and not isinstance(self.learned, LearnedEnv):
            raise UserError(
                f"learned is a {type(self.learned).__name__}: must be a LearnedEnv, "
                "or None to train on the task"
            )


@dataclass(frozen=True)
class TrainingResult:
    """What one inner loop gave."""

    test_returns: np.ndarray
    """Return of each greedy test episode on the task: `test_episodes`, float64."""
    episode_returns: np.ndarray
    """Return of each training episode, float64."""
    episode_lengths: np.ndarray
    """Environment steps of each training episode, int64."""
    test_env_steps: int
    """Steps on the task taken by all test episodes."""
    stop_reason: str
    """A name in `names.STOP_REASONS`."""
    curve_returns: np.ndarray = field(default_factory=lambda: np.empty(0))
    """Return of each test episode while training, float64, where there are such; the
    last ones are missing of an agent that diverged."""
    curve_steps: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Environment steps in training before each of these, int64."""

    @property
    def score(self) -> float:
        """Mean test return: the fitness of the SE (paper, eq. 3)."""
        return float(np.mean(self.test_returns))

    @property
    def env_steps(self) -> int:
        """Environment steps taken in training."""
        return int(np.sum(self.episode_lengths))
