"""What an agent trains on: a learned environment or the task, with one interface.

Each says what the replay buffer stores as done, and which rule stops a training on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np

from se_hpo.agents.base import Action, DivergedError
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import check_psi
from se_hpo.envs.reward_inputs import check_learnable, discount_of
from se_hpo.envs.stopping import stop_when_solved
from se_hpo.envs.tasks import TaskSpec, make_env
from se_hpo.registries import load

_LARGEST_REWARD = float(np.finfo(np.float32).max)
"""The replay buffer holds float32."""


class Step(NamedTuple):
    """Outcome of one environment step."""

    next_state: np.ndarray
    """`obs_size`, float32."""
    reward: float
    done: float
    """What the replay buffer stores; (1 - done) multiplies the bootstrapped value."""
    ended: bool
    """The episode is over."""
    terminated: bool = True
    """If so, it is over by itself, not by a limit."""
    env_steps: int = 1
    """Steps of the task: more where an action is repeated."""


class Episodes(Protocol):
    """Training episodes so far."""

    @property
    def returns(self) -> Sequence[float]:
        """Of the training episodes."""

    @property
    def test_returns(self) -> Sequence[float]:
        """Of the tests after them, or none."""


class TrainingEnv(Protocol):
    """An environment as the training loop sees it."""

    def reset(self) -> np.ndarray:
        """Start an episode; returns the state, `obs_size`, float32."""

    def step(self, action: Action) -> Step:
        """Take one step."""

    def stop_reason(self, so_far: Episodes, config: AgentConfig) -> str | None:
        """Why the training stops after such episodes; None: it goes on."""


def check_finite(step: Step) -> None:
    """Raise `DivergedError` at NaN or infinity."""
    # Summed in double precision: finite float32 values cannot overflow here.
    sound = math.isfinite(sum(step.next_state.tolist()) + step.done)
    if not (sound and abs(step.reward) <= _LARGEST_REWARD):
        raise DivergedError("the environment gave NaN or infinity")


class RewardedTrainingEnv:
    """The task with the reward of a reward network, one per decision."""

    def __init__(
        self, spec: TaskSpec, learned: LearnedEnv, seed: int, config: AgentConfig
    ) -> None:
        check_psi(learned.psi, learned.config, spec.obs_size, spec.n_actions)
        check_learnable(spec.id, learned.config, config)
        checkpoint = SECheckpoint(learned.psi, spec.id, learned.config)
        make = load(learned.kind.reward)
        self._reward = make(checkpoint, discount_of(config))
        self._task = TaskTrainingEnv(
            spec, seed, config.truncation, config.action_repeat
        )

    def reset(self) -> np.ndarray:
        """Start an episode of the task."""
        state = self._task.reset()
        self._reward.reset(state, self._task.info)
        return state

    def step(self, action: Action) -> Step:
        """Take one step, or as many as an action is held for, for one reward."""
        step = self._task.step(action)
        happened = step.reward, step.next_state, step.terminated, self._task.info
        return step._replace(reward=self._reward.step(*happened))

    def stop_reason(self, so_far: Episodes, config: AgentConfig) -> str | None:
        """`solved`, by tests alone: its own returns say nothing of the task."""
        return self._task.stop_reason(so_far, config) if so_far.test_returns else None


class LearnedTrainingEnv:
    """A learned environment, cut at the task's step limit; the rest is of its kind."""

    def __init__(self, spec: TaskSpec, learned: LearnedEnv, seed: int) -> None:
        check_psi(learned.psi, learned.config, spec.obs_size, spec.n_actions)
        self._kind = learned.kind
        make = load(self._kind.environment)
        self._env = make(spec.id, SECheckpoint(learned.psi, spec.id, learned.config))
        self._env.reset(seed=seed)
        self._max_steps, self._steps = spec.max_steps, 0

    def reset(self) -> np.ndarray:
        """Start an episode in a state of the task."""
        self._steps = 0
        return self._env.reset()[0]

    def step(self, action: Action) -> Step:
        """Take one step; the episode ends where the environment or the task ends it."""
        state, reward, terminated, truncated, info = self._env.step(action)
        self._steps += 1
        ended = terminated or truncated or self._steps >= self._max_steps
        done = self._kind.stored_done(terminated, info)
        return Step(state, float(reward), done, ended, bool(terminated))

    def stop_reason(self, so_far: Episodes, config: AgentConfig) -> str | None:
        """The rule of its kind."""
        return self._kind.stopping_rule(so_far.returns, config)


class TaskTrainingEnv:
    """The task: `done` is 1 for termination, and for truncation as configured.

    Args:
        spec: the task.
        seed: seeds its initial states.
        truncation: `bootstrap` stores 0 for an episode cut by the step limit,
            `terminal` 1 (`AgentConfig.truncation`).
        action_repeat: steps for which an action is held (`AgentConfig.action_repeat`).
        env: one of the task that there is, as `make_env` makes them; None: a new one.
    """

    def __init__(
        self,
        spec: TaskSpec,
        seed: int,
        truncation: str,
        action_repeat: int = 1,
        env: gymnasium.Env | None = None,
    ) -> None:
        self._env = make_env(spec) if env is None else env
        self._solved_return = spec.solved_return
        self._env.reset(seed=seed)
        self._truncation_is_terminal = truncation == "terminal"
        self._action_repeat = action_repeat
        self.info: dict[str, Any] = {}
        """Of the last reset or step."""

    def reset(self) -> np.ndarray:
        """Start an episode."""
        state, self.info = self._env.reset()
        return np.asarray(state, np.float32)

    def step(self, action: Action) -> Step:
        """Take one step, or as many as an action is held for; rewards are summed."""
        total, steps, ended = 0.0, 0, False
        while not ended and steps < self._action_repeat:
            state, reward, terminated, truncated, self.info = self._env.step(action)
            total, steps = total + float(reward), steps + 1
            ended = bool(terminated or truncated)
        done = terminated or (truncated and self._truncation_is_terminal)
        state = np.asarray(state, np.float32)
        return Step(state, total, float(done), ended, bool(terminated), steps)

    def stop_reason(self, so_far: Episodes, config: AgentConfig) -> str | None:
        """`solved`, by the task's own returns; by tests where there are such."""
        tests, returns = so_far.test_returns, so_far.returns
        if tests and len(tests) < config.stop_window:
            return None
        return stop_when_solved(tests or returns, config, self._solved_return)


def training_env(
    spec: TaskSpec,
    learned: LearnedEnv | None,
    seed: int,
    config: AgentConfig,
    env: gymnasium.Env | None = None,
) -> TrainingEnv:
    """The learned environment, or where there is none the task: see there."""
    if learned is None:
        how = config.truncation, config.action_repeat
        return TaskTrainingEnv(spec, seed, *how, env)
    if learned.kind.reward is not None:
        return RewardedTrainingEnv(spec, learned, seed, config)
    return LearnedTrainingEnv(spec, learned, seed)


@dataclass
class TrainingLog:
    """Training episodes so far; one cut short counts with the steps it had."""

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Environment steps."""
    test_returns: list[float] = field(default_factory=list)
    """Of the tests while training, where there are such."""
    test_steps: list[int] = field(default_factory=list)
    """Environment steps before each of these."""
    stop_reason: str = "train_episodes"
    """See `names.STOP_REASONS`."""


@dataclass(frozen=True)
class TestsWhileTraining:
    """Greedy test episodes on the task between training episodes."""

    test: Callable[[], float]
    """One; gives its return."""
    every: int = 1
    """Training steps at least from one to the next."""
    __test__ = False  # its name misleads pytest

    def after_episode(self, log: TrainingLog, steps: int, last: bool) -> None:
        """Test and log it, where it is time; after the last episode in any case."""
        before = log.test_steps[-1] if log.test_steps else 0
        if steps - before >= (1 if last else self.every):
            log.test_returns.append(self.test())
            log.test_steps.append(steps)


class LoggedEnv:
    """What an agent with a loop of its own trains on: every step is logged."""

    def __init__(
        self, env: TrainingEnv, log: TrainingLog, tests: TestsWhileTraining | None
    ) -> None:
        self._env, self._log, self._tests = env, log, tests
        self._starts, self._steps = True, 0

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
        self._steps += step.env_steps
        check_finite(step)
        self._log.returns[-1] += step.reward
        self._starts = step.ended
        if step.ended:
            self.test()
        return step

    def test(self, last: bool = False) -> None:
        """Test the agent where it is time, at most once between two steps."""
        if self._tests:
            self._tests.after_episode(self._log, self._steps, last)
