"""A trained agent to keep: it acts, is tested, saved and loaded."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Self

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete, flatten, flatten_space

from se_hpo.agents.registry import algorithm_of
from se_hpo.envs.env_api import check_spaces
from se_hpo.envs.tasks import TaskSpec, import_task, make_env
from se_hpo.envs.vector_spaces import (
    from_unit_action,
    with_flat_observations,
    with_unit_actions,
)
from se_hpo.errors import UserError
from se_hpo.text import one_line, text_of
from se_hpo.training.agent_file import Stored, fill, read_agent, write_agent


class Agent:
    """What `se_hpo.train_agent` gives, and `Agent.load` reads.

    Attributes:
        algorithm: its name, `ddqn`.
        hyperparameters: all of them, by name.
        task: id of the task that it acts on, also where it was trained on an SE.
        observation_space: the task's.
        action_space: the task's.
        training: how it was trained: on what, with which seed, how long, why it ended.
    """

    def __init__(self, stored: Stored, learner: Any) -> None:
        """Take a trained learner, an `agents.Agent`; `train_agent` makes one."""
        self._stored, self._learner = stored, learner
        self.algorithm = algorithm_of(stored.config)
        self.hyperparameters = dataclasses.asdict(stored.config)
        self.task, self.training = stored.task, stored.training
        self.observation_space = stored.observation_space
        self.action_space = stored.action_space

    def __repr__(self) -> str:
        """Short."""
        on, steps = self.training.get("on"), self.training.get("env_steps", 0)
        return f"<{self.algorithm} for {self.task}, {steps:,} steps on {on}>"

    def act(self, observation: Any) -> Any:
        """The best action it knows, without exploring.

        Args:
            observation: of the task, or as a flat vector, as an SE gives it.

        Returns:
            An action of the task: a number, or a vector in its bounds.

        Raises:
            UserError: an observation of another shape.
        """
        action = self._learner.act_greedily(self._flat(observation))
        if isinstance(self.action_space, Discrete):
            return int(action)
        return from_unit_action(self.action_space, action)

    def evaluate(
        self, env: gymnasium.Env | str | None = None, episodes: int = 10, seed: int = 0
    ) -> np.ndarray:
        """Returns of episodes without exploring or learning: `episodes`, float64.

        Args:
            env: where to act; None: on its task.
            episodes: how many.
            seed: of the environment.

        Raises:
            UserError: an environment with other observations or actions.
        """
        from se_hpo.agents.one_thread import OneThread
        from se_hpo.training.torch_engine import Tests

        if isinstance(env, gymnasium.Env):
            name = env.spec.id if env.spec else type(env.unwrapped).__name__
            spec = spec_of(name, env)
        else:
            spec = import_task(env or self.task)
        self._check_fits(spec)
        made = make_env(spec) if not isinstance(env, gymnasium.Env) else as_trained(env)
        config = self._stored.config
        tests = Tests(self._learner, spec, seed, config.action_repeat, made)
        with OneThread():
            return np.array([tests.episode() for _ in range(episodes)], np.float64)

    def save(self, path: Path | str) -> Path:
        """Write it as `*.safetensors`: numbers and text, no code; gives the path.

        Raises:
            UserError: an agent of your own that does not say what it acts by.
        """
        write_agent(Path(path), self._stored, self._learner)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote: it acts the same. It cannot be trained on.

        Raises:
            UserError: the file is missing, damaged, or of an agent not known here.
        """
        from se_hpo.training.torch_engine import new_agent

        path = Path(path)
        stored, tensors = read_agent(path)
        env = _Spaces(stored.observation_space, stored.action_space)
        learner = new_agent(stored.config, spec_of(stored.task, env), seed=0)
        try:
            fill(learner, tensors)
        except (ValueError, RuntimeError) as error:
            raise UserError(
                f"{path}: its numbers are not those of such an agent "
                f"({one_line(error)}); take another file"
            ) from error
        return cls(stored, learner)

    def _flat(self, observation: Any) -> np.ndarray:
        size = flatten_space(self.observation_space).shape
        flat = np.asarray(observation, np.float32)
        if flat.shape != size and flat.shape == self.observation_space.shape:
            flat = flatten(self.observation_space, observation).astype(np.float32)
        if flat.shape != size:
            raise UserError(
                f"an observation of shape {flat.shape}: the agent for {self.task} "
                f"takes one of {text_of(self.observation_space)} at a time"
            )
        return flat

    def _check_fits(self, spec: TaskSpec) -> None:
        own = spec_of(self.task, _Spaces(self.observation_space, self.action_space))
        for name in ("obs_size", "n_actions", "continuous"):
            if (has := getattr(spec, name)) != (mine := getattr(own, name)):
                raise UserError(
                    f"{spec.id} has {name} {has}, the agent for {self.task} {mine}: "
                    "give an environment like its task"
                )


class _Spaces:
    """What `check_spaces` looks at of an environment."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        self.observation_space, self.action_space = observation_space, action_space


def spec_of(name: str, env: Any) -> TaskSpec:
    """An environment that is there, as a task; nothing is known of its returns.

    Raises:
        UserError: spaces that no agent here can handle.
    """
    return TaskSpec(
        id=name,
        gymnasium_id=name,
        max_steps=0,
        solved_return=math.inf,
        random_return=math.nan,
        worst_return=math.nan,
        native=None,
        **check_spaces(name, env),
    )


def as_trained(env: gymnasium.Env) -> gymnasium.Env:
    """An environment as agents see it: flat observations, actions in [-1, 1]."""
    env = with_flat_observations(env)
    discrete = isinstance(env.action_space, Discrete)
    return env if discrete else with_unit_actions(env)
