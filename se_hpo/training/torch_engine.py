"""The inner loop of the torch engine: train an agent, test it on the task.

Ferreira et al. (2022), Algorithm 1, lines "TrainAgent" and "EvaluateAgent". Every
random number comes from the job's seed; nothing depends on the clock.

Differences to the authors' code: on the task, an episode cut by the step limit is not
stored as terminal (unless `AgentConfig.truncation` says so), and no time limit ends a
training.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from se_hpo import seeding
from se_hpo.agents import Agent, DivergedError, make_agent
from se_hpo.agents.base import SelfTrained
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.errors import UserError
from se_hpo.text import last_line
from se_hpo.training.environments import (
    Step,
    TaskTrainingEnv,
    TrainingEnv,
    training_env,
)
from se_hpo.training.jobs import TrainingJob, TrainingResult

_LARGEST_REWARD = float(np.finfo(np.float32).max)
"""The replay buffer holds float32."""

StoppingRule = Callable[[Sequence[float]], str | None]
"""Episode returns so far -> reason to stop, or None to go on."""


@dataclass
class TrainingLog:
    """Training episodes so far; one cut short counts with the steps it had."""

    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    stop_reason: str = "train_episodes"
    """See `names.STOP_REASONS`."""


@dataclass
class TestLog:
    """Test episodes so far."""

    returns: list[float] = field(default_factory=list)
    env_steps: int = 0
    diverged: bool = False
    """A value of the agent or the task was not finite."""


def train_agent(
    agent: Agent, env: TrainingEnv, config: AgentConfig, rule: StoppingRule
) -> TrainingLog:
    """Train until the rule, the episodes or the environment steps end it.

    One gradient update follows every step from episode `init_episodes` on. NaN or
    infinity in the environment or the agent ends the training as `diverged`.
    """
    log = TrainingLog()
    try:
        for episode in range(config.train_episodes):
            agent.start_episode(episode)
            learning = episode >= config.init_episodes
            if _train_episode(agent, env, log, learning, config.max_env_steps):
                log.stop_reason = "max_env_steps"
                break
            if reason := rule(log.returns):
                log.stop_reason = reason
                break
    except DivergedError:
        log.stop_reason = "diverged"
    return log


def _train_episode(
    agent: Agent, env: TrainingEnv, log: TrainingLog, learning: bool, max_env_steps: int
) -> bool:
    """Train for one episode; True when the step limit of the training is reached."""
    steps_before = sum(log.lengths)
    log.returns.append(0.0)
    log.lengths.append(0)
    state, ended, at_limit = env.reset(), False, False
    while not (ended or at_limit):
        action = agent.act(state)
        step = env.step(action)
        log.lengths[-1] += 1
        _check_finite(step)
        log.returns[-1] += step.reward
        agent.remember(state, action, step.reward, step.next_state, step.done)
        if learning:
            agent.update()
        state, ended = step.next_state, step.ended
        at_limit = steps_before + log.lengths[-1] == max_env_steps  # never for 0
    return at_limit


class _LoggedEnv:
    """What an agent with a loop of its own trains on; every step is logged."""

    def __init__(self, env: TrainingEnv, log: TrainingLog) -> None:
        self._env, self._log, self._starts = env, log, False

    def reset(self) -> np.ndarray:
        """Start an episode; it is one with its first step."""
        self._starts = True
        return self._env.reset()

    def step(self, action: Any) -> Step:
        """Take one step."""
        if self._starts:
            self._log.returns.append(0.0)
            self._log.lengths.append(0)
        step = self._env.step(action)
        self._log.lengths[-1] += 1
        _check_finite(step)
        self._log.returns[-1] += step.reward
        self._starts = step.ended
        return step


def _train_itself(agent: SelfTrained, env: TrainingEnv) -> TrainingLog:
    """Train by the agent's own loop."""
    log = TrainingLog()
    try:
        log.stop_reason = agent.train_on(_LoggedEnv(env, log))
    except DivergedError:
        log.stop_reason = "diverged"
    return log


def _check_finite(step: Step) -> None:
    # Summed in double precision: finite float32 values cannot overflow here.
    sound = math.isfinite(sum(step.next_state.tolist()) + step.done)
    if not (sound and abs(step.reward) <= _LARGEST_REWARD):
        raise DivergedError("the environment gave NaN or infinity")


def test_agent(agent: Agent, spec: TaskSpec, episodes: int, seed: int) -> TestLog:
    """Greedy episodes on the task, without learning."""
    env = TaskTrainingEnv(spec, seed, truncation="bootstrap")
    log = TestLog()
    try:
        for _ in range(episodes):
            state, ended = env.reset(), False
            log.returns.append(0.0)
            while not ended:
                step = env.step(agent.act_greedily(state))
                log.env_steps += 1
                _check_finite(step)
                log.returns[-1] += step.reward
                state, ended = step.next_state, step.ended
    except DivergedError:
        log.diverged = True
    return log


test_agent.__test__ = False  # type: ignore[attr-defined]  # its name misleads pytest


def run_job(job: TrainingJob) -> TrainingResult:
    """Train and test one agent; same job, same bytes, in any process.

    A diverged agent gets the task's worst return in every test episode.

    Raises:
        UserError: unknown task, or parameters that do not fit the learned environment
            and the task.
    """
    with _one_thread():
        spec, config = measure_task(job.task), job.agent
        seed = seeding.integer_seed(job.seed, "agent")
        agent = _agent(config, spec, seed)
        seed = seeding.integer_seed(job.seed, "environment")
        env = training_env(spec, job.learned, seed, config.truncation)
        rule = functools.partial(env.stop_reason, config=config)
        log, test = TrainingLog(stop_reason="diverged"), TestLog(diverged=True)
        if job.learned is None or np.isfinite(job.learned.psi).all():
            if isinstance(agent, SelfTrained):
                log = _train_itself(agent, env)
            else:
                log = train_agent(
                    *(agent, env, config),
                    rule if job.stop_by_rule else lambda returns: None,
                )
        if log.stop_reason != "diverged":
            seed = seeding.integer_seed(job.seed, "test")
            test = test_agent(agent, spec, config.test_episodes, seed)
    worst = [spec.worst_return] * config.test_episodes
    return TrainingResult(
        test_returns=np.array(worst if test.diverged else test.returns, np.float64),
        episode_returns=np.array(log.returns, np.float64),
        episode_lengths=np.array(log.lengths, np.int64),
        test_env_steps=test.env_steps,
        stop_reason="diverged" if test.diverged else log.stop_reason,
    )


def _agent(config: AgentConfig, spec: TaskSpec, seed: int) -> Agent:
    try:
        return make_agent(config, spec.obs_size, spec.n_actions, seed)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate" not in str(error):
            raise
        sizes = ", ".join(
            f"{name} = {getattr(config, name)}"
            for name in ("hidden_size", "hidden_layers", "buffer_size", "batch_size")
            if hasattr(config, name)
        )
        raise UserError(
            f"{type(config).__name__}: no memory for an agent of {sizes} "
            f"({last_line(error)}): lower the largest"
        ) from None


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sums must not depend on how many threads share them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
