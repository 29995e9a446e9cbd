"""A reward network around many copies of its task, stepped as one batch. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.reward_inputs import no_such_info
from se_hpo.envs.reward_wrapper import reward_function_for

Infos = dict[str, Any]


class RewardNetworkVector(gymnasium.vector.VectorWrapper):
    """As `RewardNetwork` around each copy, in any autoreset mode, by one forward pass.

    `infos["task_reward"]` holds the copies' own rewards, 0 where an episode starts.

    ```python
    envs = gymnasium.make_vec("CartPole-v1", num_envs=64)
    envs = se_hpo.RewardNetworkVector(envs, "rn.safetensors")
    ```
    """

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv[Any, Any, Any],
        checkpoint: SECheckpoint | Path | str,
        discount: float | None = None,
    ) -> None:
        """Put a reward network around copies of its task; see `RewardNetwork`.

        Raises:
            UserError: no fitting checkpoint, or a potential without a discount.
        """
        super().__init__(env)
        spec, space = env.unwrapped.spec, env.single_observation_space
        self._function = reward_function_for(spec, space, checkpoint, discount)
        self._config = self._function.config
        self._mode = AutoresetMode(env.metadata["autoreset_mode"])
        self._nobody = np.zeros(env.num_envs, np.bool_)
        self._ended, self._previous = self._nobody, np.zeros(env.num_envs)

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, Infos]:
        """Start an episode in every copy, or in those of the option `reset_mask`."""
        # Asked before the call: Gymnasium's vectors take the mask out of the options.
        mask = np.array((options or {}).get("reset_mask", ~self._nobody))
        observations, infos = self.env.reset(seed=seed, options=options)
        self._start(mask, observations, infos)
        self._ended = self._ended & ~mask
        return observations, _with(infos, np.zeros(self.num_envs), mask)

    def step(
        self, actions: Any
    ) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, Infos]:
        """Take a step in every copy, for the network's rewards.

        Raises:
            UserError: the task's infos lack what the network reads.
        """
        observations, own, terminated, truncated, infos = self.env.step(actions)
        own, ended = np.array(own, np.float64), terminated | truncated
        last, last_infos, started = observations, infos, self._ended
        stepped = ~started
        if self._mode is AutoresetMode.SAME_STEP:
            started = ended
            if ended.any():
                last, last_infos = self._last(observations, infos, ended)
                final = _with(infos["final_info"], own, ended)
                infos = {**infos, "final_info": final}
        rewards = self._rewards(own, last, terminated, last_infos, stepped)
        if started.any():
            self._start(started, observations, infos)
        if self._mode is AutoresetMode.NEXT_STEP:
            self._ended = ended
        infos = _with(infos, np.where(started, 0.0, own), ~self._nobody)
        return observations, rewards, terminated, truncated, infos

    def _start(self, mask: np.ndarray, observations: Any, infos: Infos) -> None:
        if self._config.potential:
            phi = self._outputs(observations, infos, self._nobody)
            self._previous = np.where(mask, phi, self._previous)

    def _rewards(
        self,
        own: np.ndarray,
        observations: Any,
        terminated: np.ndarray,
        infos: Infos,
        stepped: np.ndarray,
    ) -> np.ndarray:
        """As `RewardFunction.step`; 0 for copies that only started an episode."""
        config = self._config
        values = self._outputs(observations, infos, stepped)
        if config.zero_terminal:
            values = np.where(terminated, 0.0, values)
        rewards = values
        if config.potential:
            rewards = self._function.discount * values - self._previous
            self._previous = values
        if config.additive:
            rewards = own + rewards
        return np.where(stepped, rewards, 0.0)

    def _last(
        self, observations: Any, infos: Infos, ended: np.ndarray
    ) -> tuple[Any, Infos]:
        """Last observations and infos of episodes after which a new one has begun."""
        last, final, merged = np.array(observations), infos["final_info"], dict(infos)
        last[ended] = np.stack(infos["final_obs"][ended])
        for key in self._config.reads_info:
            for name in (key, f"_{key}"):
                values = final.get(name, 0), infos.get(name, 0)
                merged[name] = np.where(ended, *values)
        return last, merged

    def _outputs(
        self, observations: Any, infos: Infos, needed: np.ndarray
    ) -> np.ndarray:
        """The network for every copy, float64; info is to be there where `needed`."""
        space = self.single_observation_space
        if isinstance(space, Discrete):
            size = int(space.n)
            states = np.eye(size, dtype=np.float32)[observations - space.start]
        else:
            states = np.asarray(observations, np.float32).reshape(self.num_envs, -1)
        keys, parts = self._config.reads_info, [] if self._config.linear else [states]
        for key in keys:
            there = np.asarray(infos.get(f"_{key}", self._nobody), np.bool_)
            if (needed & ~there).any():
                raise no_such_info(self._function.task.id, infos, keys)
            column = np.where(there, infos.get(key, 0.0), 0.0)
            parts.append(column.astype(np.float32)[:, None])
        return self._function.outputs(np.concatenate(parts, 1)).astype(np.float64)


def _with(infos: Mapping[str, Any], own: np.ndarray, mask: np.ndarray) -> Infos:
    return {**infos, "task_reward": np.where(mask, own, 0.0), "_task_reward": mask}
