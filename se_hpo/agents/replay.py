"""The replay buffer."""

from __future__ import annotations

import numpy as np
import torch

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


class ReplayBuffer:
    """The last `capacity` transitions, sampled uniformly with replacement.

    A transition is one row: state, next state, reward, done, action. With `action_size`
    actions are vectors of that many numbers, else indices.
    """

    def __init__(
        self,
        capacity: int,
        obs_size: int,
        rng: np.random.Generator,
        action_size: int | None = None,
    ) -> None:
        self._action_is_index = action_size is None
        self._widths = [obs_size, obs_size, 1, 1, action_size or 1]
        # Untouched pages of an empty array take no memory.
        self._rows = np.empty((capacity, sum(self._widths)), np.float32)
        self._rng = rng
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, len(self._rows))

    def add(
        self,
        state: np.ndarray,
        action: int | np.ndarray,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Store a transition in the place of the oldest."""
        row = self._rows[self._added % len(self._rows)]
        obs_size = len(state)
        row[:obs_size] = state
        row[obs_size : 2 * obs_size] = next_state
        row[2 * obs_size : 2 * obs_size + 2] = reward, done
        row[2 * obs_size + 2 :] = action
        self._added += 1

    def sample(self, batch_size: int) -> Batch:
        """State, next state (`batch x obs_size`), reward, done, action (`batch x 1`).

        An action index is int64; an action vector (`batch x action_size`) and the rest
        are float32.
        """
        index = self._rng.integers(len(self), size=batch_size)
        rows = torch.from_numpy(self._rows.take(index, axis=0))
        state, next_state, reward, done, action = rows.split(self._widths, dim=1)
        if self._action_is_index:
            action = action.long()
        return state, next_state, reward, done, action
