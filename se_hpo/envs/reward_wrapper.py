"""Reward networks for everybody's agents: a Gymnasium wrapper. No torch."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec, parse_env_id
from gymnasium.spaces import Box, Discrete, flatten, flatten_space
from gymnasium.utils import RecordConstructorArgs

from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.reward_inputs import check_info
from se_hpo.envs.scaling import ScaledObservations, is_scaled, unscaled
from se_hpo.envs.tasks import TaskSpec
from se_hpo.envs.vector_spaces import with_flat_observations
from se_hpo.errors import UserError
from se_hpo.text import text_of


class RewardNetwork(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """A task whose reward is that of a reward network; all else is as it was.

    `info["task_reward"]` holds the task's own reward, 0 after `reset`. Where an action
    is repeated, repeat it inside: the network's reward is one per decision.

    ```python
    env = se_hpo.RewardNetwork(gymnasium.make("CartPole-v0"), "rn.safetensors")
    ```
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        checkpoint: SECheckpoint | Path | str,
        discount: float | None = None,
    ) -> None:
        """Put a reward network around its task.

        Args:
            env: the task, with whatever wrappers that keep its observations.
            checkpoint: a file, or what `load_se` read from one.
            discount: of the agent, per decision: potentials need it; None: the one that
                the network was learned with.

        Raises:
            UserError: no fitting checkpoint, a potential without a discount, or there
                is a reward network already.
        """
        RecordConstructorArgs.__init__(self, checkpoint=checkpoint, discount=discount)
        gymnasium.Wrapper.__init__(self, env)
        while isinstance(env, gymnasium.Wrapper):
            if isinstance(env, RewardNetwork):
                raise UserError(
                    "the environment has a reward network already: keep one"
                )
            env = env.env
        spec, space = self.env.spec, self.env.observation_space
        self._reward = reward_function_for(spec, space, checkpoint, discount)
        self._flat = functools.partial(_flat, space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start an episode of the task."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._reward.reset(self._flat(observation), info)
        return observation, {**info, "task_reward": 0.0}

    def step(
        self, action: Any
    ) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        """Take a step of the task, for the network's reward.

        Raises:
            UserError: the task's info lacks what the network reads.
        """
        observation, task_reward, terminated, truncated, info = self.env.step(action)
        reward = self._reward.step(
            float(task_reward), self._flat(observation), terminated, info
        )
        info = {**info, "task_reward": float(task_reward)}
        return observation, reward, terminated, truncated, info


def rewarded_task(
    task: str | None = None,
    checkpoint: SECheckpoint | Path | str | None = None,
    discount: float | None = None,
    **kwargs: Any,
) -> RewardNetwork:
    """What `gymnasium.make("se_hpo:Rewarded/...", checkpoint=...)` calls.

    Other arguments are the task's own. The step limit is Gymnasium's to put on, but
    where the task is the one that the checkpoint names.
    """
    spec, opened = open_checkpoint(task, checkpoint, "reward network")
    assert checkpoint is not None
    check_info(spec.id, getattr(opened.se_config, "info_keys", ()))
    limit = -1 if task else spec.max_steps
    return RewardNetwork(bare_task(spec, limit, **kwargs), checkpoint, discount)


def bare_task(spec: TaskSpec, limit: int, **kwargs: Any) -> gymnasium.Env[Any, Any]:
    """The task for agent libraries, with actions of its own; a limit of -1 is none."""
    env = gymnasium.make(
        spec.gymnasium_id, max_episode_steps=limit, disable_env_checker=True, **kwargs
    )
    if not spec.scale:
        return env
    return ScaledObservations(with_flat_observations(env), spec.scale)


def reward_function_for(
    spec: EnvSpec | None,
    space: gymnasium.Space[Any],
    checkpoint: SECheckpoint | Path | str,
    discount: float | None,
) -> RewardFunction:
    """The rewards of a checkpoint for an environment, which must be of its task.

    That is seen by its name, where it has a spec, and by the size of its observations.

    Raises:
        UserError: no fitting checkpoint, or a potential without a discount.
    """
    task, checkpoint = open_checkpoint(None, checkpoint, "reward network")
    mend = "take another environment or checkpoint"
    base = unscaled(task.id) or task.id
    known = {_name(base), _name(base.replace("/", ".")), _name(task.gymnasium_id)}
    if spec is not None and _name(spec.id) not in known:
        raise UserError(
            f"the reward network is for {task.id}, not for {spec.id}: {mend}"
        )
    if spec is not None and is_scaled(spec) != bool(task.scale):
        scaled = "whose observations are scaled" if task.scale else "not for it scaled"
        raise UserError(f"the reward network is for {task.id}, {scaled}: {mend}")
    fits = isinstance(space, Box | Discrete) and (
        math.prod(flatten_space(space).shape or ()) == task.obs_size
    )
    if not fits:
        raise UserError(
            f"the reward network is for {task.id} with {task.obs_size} numbers in an "
            f"observation, not for {text_of(space)}: {mend}"
        )
    if discount is None:
        discount = checkpoint.metadata.get("discount")
    return RewardFunction(checkpoint, discount)


def _name(env_id: str) -> str:
    """Of an environment, without module, namespace and version."""
    return parse_env_id(env_id.rpartition(":")[2])[1]


def _flat(space: gymnasium.Space[Any], observation: Any) -> np.ndarray:
    return flatten(space, observation).astype(np.float32)
