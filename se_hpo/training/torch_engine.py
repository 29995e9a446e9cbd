"""The inner loop of the torch engine: train an agent, test it on the task.

Ferreira et al. (2022), Algorithm 1, lines "TrainAgent" and "EvaluateAgent". Every
random number comes from the job's seed; nothing depends on the clock.

Differences to the authors' code: on the task, an episode cut by the step limit is not
stored as terminal (unless `AgentConfig.truncation` says so), and no time limit ends a
training.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import gymnasium
import numpy as np

from se_hpo import seeding
from se_hpo.agents import Agent, DivergedError, make_agent
from se_hpo.agents.base import Scheduled, SeesEnds, SelfTrained
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.one_thread import OneThread
from se_hpo.agents.registry import check_takes, kind_of
from se_hpo.envs.tasks import TaskSpec, measure_task
from se_hpo.errors import UserError
from se_hpo.text import last_line
from se_hpo.training.environments import (
    LoggedEnv,
    TaskTrainingEnv,
    TestsWhileTraining,
    TrainingEnv,
    TrainingLog,
    check_finite,
    training_env,
)
from se_hpo.training.jobs import TrainingJob, TrainingResult

StoppingRule = Callable[[TrainingLog], str | None]
"""Episodes so far -> reason to stop, or None to go on."""


@dataclass
class TestLog:
    """Test episodes so far."""

    returns: list[float] = field(default_factory=list)
    env_steps: int = 0
    diverged: bool = False
    """A value of the agent or the task was not finite."""


def train_agent(
    agent: Agent,
    env: TrainingEnv,
    config: AgentConfig,
    rule: StoppingRule,
    tests: TestsWhileTraining | None = None,
    schedule: int = 0,
) -> TrainingLog:
    """Train until the rule, the episodes or the environment steps end it.

    One gradient update follows every step from episode `init_episodes` on, or with a
    schedule (a number of steps) from step `se_init_steps` on. NaN or
    infinity in the environment or the agent ends the training as `diverged`.
    """
    log, steps = TrainingLog(), 0
    learns = _learning(agent, config, schedule)
    try:
        for episode in range(config.train_episodes):
            agent.start_episode(episode)
            limit = config.max_env_steps
            at_limit = _train_episode(agent, env, log, learns, steps, limit)
            steps += log.lengths[-1]
            if tests:
                last = at_limit or episode + 1 == config.train_episodes
                tests.after_episode(log, steps, last)
            if at_limit:
                log.stop_reason = "max_env_steps"
                break
            if reason := rule(log):
                log.stop_reason = reason
                break
    except DivergedError:
        log.stop_reason = "diverged"
    return log


def _learning(
    agent: Agent, config: AgentConfig, schedule: int
) -> Callable[[int, int], bool]:
    """Called before each step with its episode and number: whether the agent learns."""
    if not schedule:
        return lambda episode, step: episode >= config.init_episodes
    explores = agent if isinstance(agent, Scheduled) else None

    def at_step(episode: int, step: int) -> bool:
        if explores is not None:
            explores.at_step(step, schedule)
        return step >= config.se_init_steps

    return at_step


def _train_episode(
    agent: Agent,
    env: TrainingEnv,
    log: TrainingLog,
    learns: Callable[[int, int], bool],
    steps_before: int,
    max_env_steps: int,
) -> bool:
    """Train for one episode; True when the step limit of the training is reached."""
    episode = len(log.lengths)
    log.returns.append(0.0)
    log.lengths.append(0)
    state, ended, at_limit = env.reset(), False, False
    while not (ended or at_limit):
        learning = learns(episode, steps_before + log.lengths[-1])
        action = agent.act(state)
        step = env.step(action)
        log.lengths[-1] += step.env_steps
        check_finite(step)
        log.returns[-1] += step.reward
        agent.remember(state, action, step.reward, step.next_state, step.done)
        if learning:
            agent.update()
        state, ended = step.next_state, step.ended
        at_limit = 0 < max_env_steps <= steps_before + log.lengths[-1]
    if isinstance(agent, SeesEnds):
        agent.end_episode(truncated=not step.terminated)
    return at_limit


def _train_by_itself(
    agent: SelfTrained, env: TrainingEnv, tests: TestsWhileTraining | None
) -> TrainingLog:
    """Train by the agent's own loop; what ends that is its own business."""
    log = TrainingLog()
    logged = LoggedEnv(env, log, tests)
    try:
        log.stop_reason = agent.train_on(logged)
        logged.test(last=True)  # an episode may have been cut short
    except DivergedError:
        log.stop_reason = "diverged"
    return log


class Tests:
    """Greedy episodes of an agent on the task, without learning."""

    def __init__(
        self,
        agent: Agent,
        spec: TaskSpec,
        seed: int,
        repeat: int,
        env: gymnasium.Env | None = None,
    ) -> None:
        self._agent, self.env_steps = agent, 0
        self._env = TaskTrainingEnv(spec, seed, "bootstrap", repeat, env)

    def episode(self) -> float:
        """The return of one.

        Raises:
            DivergedError: a value of the agent or the task was not finite.
        """
        state, ended, total = self._env.reset(), False, 0.0
        while not ended:
            step = self._env.step(self._agent.act_greedily(state))
            self.env_steps += step.env_steps
            check_finite(step)
            total += step.reward
            state, ended = step.next_state, step.ended
        return total


def test_agent(
    agent: Agent, spec: TaskSpec, episodes: int, seed: int, action_repeat: int = 1
) -> TestLog:
    """Greedy episodes on the task, without learning."""
    tests, log = Tests(agent, spec, seed, action_repeat), TestLog()
    try:
        for _ in range(episodes):
            log.returns.append(tests.episode())
    except DivergedError:
        log.diverged = True
    log.env_steps = tests.env_steps
    return log


test_agent.__test__ = False  # type: ignore[attr-defined]  # its name misleads pytest


def run_job(job: TrainingJob) -> TrainingResult:
    """Train and test one agent; same job, same bytes, in any process.

    A diverged agent gets the task's worst return in every test episode.

    Raises:
        UserError: unknown task, or parameters that do not fit the learned environment
            and the task.
    """
    with OneThread():
        job = job.resolved()
        spec, config = measure_task(job.task), job.agent
        tested = job.tested_on(spec)
        agent, env = new_agent(config, spec, job.seed), env_of(job, spec)
        curve = _curve_tests(job, agent, tested)
        log, test = TrainingLog(stop_reason="diverged"), TestLog(diverged=True)
        if job.learned is None or np.isfinite(job.learned.psi).all():
            every = job.test_every
            tests = TestsWhileTraining(curve.episode, every) if curve else None
            log = trained(job, agent, env, tests)
        if log.stop_reason != "diverged":
            seed = seeding.integer_seed(job.seed, "test")
            repeat = config.action_repeat
            test = test_agent(agent, tested, config.test_episodes, seed, repeat)
    worst = [tested.worst_return] * config.test_episodes
    return TrainingResult(
        test_returns=np.array(worst if test.diverged else test.returns, np.float64),
        episode_returns=np.array(log.returns, np.float64),
        episode_lengths=np.array(log.lengths, np.int64),
        test_env_steps=test.env_steps + (curve.env_steps if curve else 0),
        stop_reason="diverged" if test.diverged else log.stop_reason,
        curve_returns=np.array(log.test_returns, np.float64),
        curve_steps=np.array(log.test_steps, np.int64),
    )


def trained(
    job: TrainingJob,
    agent: Agent,
    env: TrainingEnv,
    tests: TestsWhileTraining | None = None,
) -> TrainingLog:
    """Train the agent of a job, which is resolved, until something ends it."""
    if isinstance(agent, SelfTrained):
        return _train_by_itself(agent, env, tests)
    rule = functools.partial(env.stop_reason, config=job.agent)
    stop = rule if job.stop_by_rule else lambda log: None
    return train_agent(agent, env, job.agent, stop, tests, job.schedule)


def _curve_tests(job: TrainingJob, agent: Agent, spec: TaskSpec) -> Tests | None:
    if not job.test_while_training:
        return None
    seed = seeding.integer_seed(job.seed, "curve")
    return Tests(agent, spec, seed, job.agent.action_repeat)


def env_of(
    job: TrainingJob, spec: TaskSpec, env: gymnasium.Env | None = None
) -> TrainingEnv:
    """What the agent of a job trains on; `env` stands in for a new one of the task."""
    seed = seeding.integer_seed(job.seed, "environment")
    return training_env(spec, job.learned, seed, job.agent, env)


def new_agent(config: AgentConfig, spec: TaskSpec, seed: int) -> Agent:
    """The agent of a job with that seed, untrained.

    Raises:
        UserError: it cannot learn the task, or is too large for the memory.
    """
    check_takes(kind_of(config), spec.id, spec.continuous, spec.discrete_obs)
    seed = seeding.integer_seed(seed, "agent")
    try:
        sizes = spec.obs_size, spec.n_actions
        return make_agent(config, *sizes, seed, continuous=spec.continuous)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate" not in str(error):
            raise
        named = ", ".join(
            f"{name} = {getattr(config, name)}"
            for name in ("hidden_size", "hidden_layers", "buffer_size", "batch_size")
            if hasattr(config, name)
        )
        raise UserError(
            f"{type(config).__name__}: no memory for an agent of {named} "
            f"({last_line(error)}): lower the largest"
        ) from None
