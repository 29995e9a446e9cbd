"""The score of an agent that was trained on a learned environment: `nes.fitness`.

- `return`: mean return of its greedy tests on the task (paper, equation 3).
- `threshold`: minus the training steps until it solves the task, minus
  `unsolved_weight` x what its tests lack of the solved return: behind the paper's
  results for reward networks.
- `area`: the level of its tests during a fixed number of training steps. Not in the
  paper; dense, and right for negative returns.
- `rank_agreement`: of many agents, how well their returns rank them as the task does;
  see `nes.rank_agreement`. Not in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from se_hpo.agents.config import AgentConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import TaskSpec, import_task, measure_task
from se_hpo.errors import UserError
from se_hpo.nes.rank_sample import RankSample
from se_hpo.training.jobs import TrainingJob, TrainingResult, under_limit


def scored_job(
    config: RunConfig, agent: AgentConfig, learned: LearnedEnv, seed: int
) -> TrainingJob:
    """Train an agent so that it can be scored.

    With a horizon exactly so many steps, however short its episodes are; else its
    training ends by rule, on a reward network when tests on the task are solved.
    """
    horizon = config.nes.horizon
    if horizon:
        agent = replace(agent, max_env_steps=horizon, train_episodes=horizon)
    by_tests = config.nes.fitness in ("threshold", "area")
    tests = by_tests or learned.kind.reward is not None
    return TrainingJob(config.task, agent, seed, learned, not horizon, tests)


def limit_of_tests(config: RunConfig, g: int) -> int | None:
    """Step limit of the tests in generation `g`; None: the task's own.

    It is `first_limit` for half of `limit_generations`, falls evenly for the other half
    and is the task's from then on.

    Raises:
        UserError: the first is not above the task's.
    """
    nes, own = config.nes, import_task(config.task).max_steps
    if not nes.first_limit or g >= nes.limit_generations:
        return None
    if nes.first_limit <= own:
        raise UserError(
            f"nes.first_limit = {nes.first_limit}: must be above the {own} steps of "
            f"{config.task}, or 0"
        )
    left = min(1.0, 2 * (1 - g / nes.limit_generations))
    return own + round((nes.first_limit - own) * left)


def score_agents(
    results: Sequence[TrainingResult],
    config: RunConfig,
    limit: int | None = None,
    sample: RankSample | None = None,
) -> np.ndarray:
    """The score of each agent by the configuration's fitness, float64.

    `limit` is that of their tests, if it was not the task's. With a `sample` it is the
    score of each evaluation of the whole sample.
    """
    if sample is not None:
        return sample.agreement(results)
    if config.nes.fitness == "return":
        return np.array([result.score for result in results], np.float64)
    task = under_limit(measure_task(config.task), limit)
    score = _area if config.nes.fitness == "area" else _threshold
    return np.array([score(result, config, task) for result in results], np.float64)


def worst_score(config: RunConfig, task: TaskSpec) -> float:
    """The score of a diverged agent: no other is lower."""
    nes = config.nes
    if nes.fitness == "return":
        return task.worst_return
    if nes.fitness == "rank_agreement":
        return -1.0
    if nes.fitness == "area":
        return 0.0
    lacking = nes.unsolved_weight * (task.solved_return - task.worst_return)
    most = max(step_limit(agent, task) for agent in config.agents)
    return -float(nes.horizon or most) - lacking


def step_limit(agent: AgentConfig, task: TaskSpec) -> int:
    """Most training steps that an agent may take."""
    most = agent.train_episodes * task.max_steps
    return min(most, agent.max_env_steps) if agent.max_env_steps else most


def _area(result: TrainingResult, config: RunConfig, task: TaskSpec) -> float:
    """0 at the worst return, 1 at the solved one from the first step on, or above."""
    if result.stop_reason == "diverged":
        return worst_score(config, task)
    above = np.maximum(result.curve_returns - task.worst_return, 0.0)
    levels = above / (task.solved_return - task.worst_return)
    return float(levels @ _held(result, config.nes.horizon) / config.nes.horizon)


def _held(result: TrainingResult, horizon: int) -> np.ndarray:
    """Training steps for which each test counts: until the next, or the horizon."""
    ends = np.minimum(np.cumsum(result.episode_lengths), horizon)
    return np.diff(np.append(ends, horizon))


def _threshold(result: TrainingResult, config: RunConfig, task: TaskSpec) -> float:
    if result.stop_reason == "diverged":
        return worst_score(config, task)
    steps, lacking = result.env_steps, _lacking(result.score, task)
    if horizon := config.nes.horizon:
        steps = horizon
        first = _first_solved(result.curve_returns, config.agent, task)
        if first is not None:
            steps = int(min(np.sum(result.episode_lengths[: first + 1]), horizon))
            after = _held(result, horizon)[first:]
            if after.any():  # that it stays good
                lacks = _lacking(result.curve_returns[first:], task)
                lacking = np.average(lacks, weights=after)
    return -float(steps) - config.nes.unsolved_weight * float(lacking)


def _lacking(returns: np.ndarray | float, task: TaskSpec) -> np.ndarray:
    """What they lack of the solved return; at most what the worst one lacks."""
    most = task.solved_return - task.worst_return
    return np.clip(task.solved_return - np.asarray(returns), 0.0, most)


def _first_solved(
    returns: np.ndarray, agent: AgentConfig, task: TaskSpec
) -> int | None:
    """The test at which the task is solved, by the rule that ends a training early."""
    k = agent.stop_window
    if len(returns) < k:
        return None
    means = np.lib.stride_tricks.sliding_window_view(returns, k).mean(axis=1)
    solved = np.flatnonzero(means >= task.solved_return) + k - 1
    solved = solved[solved >= agent.init_episodes]
    return int(solved[0]) if len(solved) else None
