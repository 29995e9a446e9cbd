"""The reward that a reward network gives, step by step. NumPy only.

Ferreira et al. (2022), section 5; kinds and formulas: `learned.reward_network`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned.reward_network import RewardNetworkConfig
from se_hpo.envs.numpy_mlp import NumpyMLP, silent
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.reward_inputs import checked_discount, no_such_info
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError


class RewardFunction:
    """The reward of transitions: a forward pass per step, or an entry of a table.

    An episode is a `reset` and then `step`s, in the order in which they happen, since
    the potential of a state is kept from the step that led to it. A truncated episode
    is one that goes on: only termination is told.
    """

    def __init__(self, checkpoint: SECheckpoint, discount: float | None) -> None:
        """Take the network of a checkpoint.

        Args:
            checkpoint: a reward network.
            discount: the agent's per decision; only potentials need it.

        Raises:
            UserError: no reward network, or a potential without a discount in [0, 1].
        """
        config = checkpoint.se_config
        if not isinstance(config, RewardNetworkConfig):
            raise UserError(
                f"the checkpoint is a {checkpoint.noun} for {checkpoint.task}, no "
                "reward network: take another file"
            )
        self.discount = checked_discount(config, discount)
        self.task, self.config = get_task(checkpoint.task), config
        sizes = config, self.task.obs_size, self.task.n_actions
        arrays = [values for _, values in split_psi(checkpoint.psi, *sizes)]
        self._net = NumpyMLP(arrays, config.activation)
        self._table: list[float] | None = None
        if self.task.discrete_obs and not config.reads_info:
            states = np.eye(self.task.obs_size, dtype=np.float32)
            self._table = self.outputs(states).tolist()
        self._previous = 0.0

    def reset(self, state: np.ndarray, info: Mapping[str, Any]) -> None:
        """Start an episode in `state` (`obs_size`, float32); info not there is 0."""
        if self.config.potential:
            absent = dict.fromkeys(self.config.reads_info, 0.0)
            self._previous = self._output(state, self._numbers({**absent, **info}))

    def step(
        self,
        task_reward: float,
        next_state: np.ndarray,
        terminated: bool,
        info: Mapping[str, Any],
    ) -> float:
        """The reward of the step to `next_state` (`obs_size`, float32).

        Raises:
            UserError: the info lacks what the network reads.
        """
        config, value = self.config, 0.0
        if not (terminated and config.zero_terminal):
            value = self._output(next_state, self._numbers(info))
        reward = value
        if config.potential:
            reward = self.discount * value - self._previous
            self._previous = value
        return task_reward + reward if config.additive else reward

    @property
    def potential(self) -> float:
        """Of the state that the episode is in; 0 of kinds that have none."""
        return self._previous

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """The network of many inputs at once: `n x inputs`, float32 -> `n`, float32."""
        with silent():
            return self._net(inputs)[:, 0]

    def _output(self, state: np.ndarray, numbers: Sequence[float]) -> float:
        if self._table is not None:
            return self._table[int(state.argmax())]
        if self.config.linear:
            x = np.array(numbers, np.float32)
        elif numbers:
            x = np.concatenate((state, np.array(numbers, np.float32)))
        else:
            x = state
        return float(self.outputs(x[None])[0])

    def _numbers(self, info: Mapping[str, Any]) -> list[float]:
        keys = self.config.reads_info
        try:
            return [float(info[key]) for key in keys]
        except (KeyError, TypeError, ValueError):
            raise no_such_info(self.task.id, info, keys) from None
