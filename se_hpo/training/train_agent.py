"""`se_hpo.train_agent`: one agent, from a name to weights.

By the torch engine, as that gives the weights; same arguments, same bytes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium

from se_hpo.agents.base import DivergedError
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.one_thread import OneThread
from se_hpo.agents.registry import algorithm_of, check_takes, find_agent
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.reward_wrapper import bare_task
from se_hpo.envs.se_steps import steps_on_ses
from se_hpo.errors import UserError
from se_hpo.storage.records import to_builtin
from se_hpo.training.agent_file import Stored
from se_hpo.training.environments import TrainingLog
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import env_of, new_agent, trained
from se_hpo.training.trained_agent import Agent, as_trained
from se_hpo.training.trained_on import TrainedOn, trained_on

_LENGTHS = ("train_episodes", "max_env_steps")


def train_agent(
    env: str | Path | SECheckpoint | gymnasium.Env,
    algorithm: str = "ddqn",
    *,
    steps: int | None = None,
    seed: int = 0,
    **hyperparameters: Any,
) -> Agent:
    """Train an agent on a task, on an SE, or with a reward network.

    Args:
        env: a Gymnasium id, of an SE too (`se_hpo:Synthetic/CartPole-v0`); an SE of the
            zoo (`zoo:CartPole-v0`); the file of an SE or reward network; what `load_se`
            or `zoo.load` read; or an environment.
        algorithm: a name in `registries.AGENTS`.
        steps: environment steps of the training; None: on an SE as long as the agents
            that it was learned with, on the task until it is solved.
        seed: of everything random; that of an environment, too.
        **hyperparameters: fields of the algorithm's configuration: `lr=0.001`. The
            others are those of the agents that an SE was learned with, where its file
            or its set knows them, else the algorithm's defaults.

    Raises:
        UserError: no such environment, algorithm or hyperparameter; or they do not fit.
        DivergedError: something became NaN or infinite; no agent is left.
    """
    if seed < 0:
        raise UserError(f"seed = {seed}: must be 0 or more")
    on = trained_on(env)
    config = _configured(algorithm, on, steps, to_builtin(hyperparameters))
    task, rules = on.spec.id, steps is None and on.env is None
    job = TrainingJob(task, config, seed, on.learned, stop_by_rule=rules).resolved()
    with OneThread():
        learner = new_agent(job.agent, on.spec, seed)
        own = None if on.env is None else as_trained(on.env)
        log = trained(job, learner, env_of(job, on.spec, own))
    if log.stop_reason == "diverged":
        raise DivergedError(
            f"{algorithm} diverged on {on.name} after {sum(log.lengths):,} steps: try "
            "a lower learning rate, or another seed"
        )
    return Agent(Stored(config, task, *_spaces(on), _training(on, seed, log)), learner)


def _configured(
    algorithm: str, on: TrainedOn, steps: int | None, values: dict[str, Any]
) -> AgentConfig:
    """The agent's hyperparameters: given ones, those of the SE's agents, defaults."""
    kind, spec = find_agent(algorithm), on.spec
    check_takes(kind, spec.id, spec.continuous, spec.discrete_obs)
    known = {algorithm_of(agent): agent for agent in on.learned_with}
    config: AgentConfig = known.get(algorithm) or kind.config()
    if on.learned is not None and on.is_se and config.se_steps is None:
        own = steps_on_ses(algorithm, on.learned_with, [on.learned.kind])
        config = dataclasses.replace(config, se_steps=own)
    flat = {f"{algorithm}.{name}": value for name, value in values.items()}
    config = with_configuration(RunConfig(agent=config), flat).agent
    if steps is None:
        _check_ends(on, config, values)
        return config
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise UserError(f"steps = {steps!r}: must be a whole number from 1 on")
    lengths: dict[str, Any] = dict.fromkeys(_LENGTHS, steps)
    if on.is_se and config.se_steps is not None:
        lengths["se_steps"] = steps
    return dataclasses.replace(config, **lengths)


def _check_ends(on: TrainedOn, config: AgentConfig, values: dict[str, Any]) -> None:
    """Refuse a training that no rule ends and nobody has said the length of."""
    by_rule = on.env is None and (on.learned is None or on.is_se)
    if not (by_rule or hasattr(config, "train_steps") or {*_LENGTHS} & {*values}):
        raise UserError(f"say how long to train on {on.name}: steps=10_000")


def _spaces(on: TrainedOn) -> tuple[Any, Any]:
    env = on.env or bare_task(on.spec, -1)
    spaces = env.observation_space, env.action_space
    if on.env is None:
        env.close()
    return spaces


def _training(on: TrainedOn, seed: int, log: TrainingLog) -> dict[str, Any]:
    return {
        "on": on.name,
        "seed": seed,
        "env_steps": sum(log.lengths),
        "episodes": len(log.lengths),
        "stop_reason": log.stop_reason,
    }
