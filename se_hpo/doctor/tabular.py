"""Small tasks known as a whole, and the best that can be done in them.

By value iteration it can be seen whether a reward network leaves optimal what is
optimal (Ng, Harada & Russell 1999).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from se_hpo.envs.reward_function import RewardFunction

Situation = tuple[np.ndarray, Mapping[str, Any]]
"""An observation and the info that came with it."""
_SWEEPS = 200_000


class Table(NamedTuple):
    """A deterministic task: what follows on every action (column) in every state."""

    next_state: np.ndarray
    """`states x actions`, int."""
    reward: np.ndarray
    """`states x actions`, float64."""
    ends: np.ndarray
    """`states x actions`, bool: the step terminates the episode."""


def random_table(
    rng: np.random.Generator, n_states: int, n_actions: int = 3, ends: float = 0.15
) -> Table:
    """Random steps; rewards are standard normal, and a share `ends` terminates."""
    shape = n_states, n_actions
    return Table(
        rng.integers(n_states, size=shape),
        rng.normal(size=shape),
        rng.random(shape) < ends,
    )


def rewarded(
    table: Table, situations: Sequence[Situation], function: RewardFunction
) -> Table:
    """The same task with the rewards of a reward network; a situation per state."""
    reward = np.empty_like(table.reward)
    for (state, action), next_state in np.ndenumerate(table.next_state):
        function.reset(*situations[state])
        observation, info = situations[next_state]
        reward[state, action] = function.step(
            float(table.reward[state, action]),
            observation,
            bool(table.ends[state, action]),
            info,
        )
    return table._replace(reward=reward)


def optimal_values(table: Table, discount: float) -> np.ndarray:
    """Q*, `states x actions`, by value iteration; the discount is below 1."""
    q = np.zeros_like(table.reward)
    weight = discount * ~table.ends
    for _ in range(_SWEEPS):
        before, q = q, table.reward + weight * q.max(1)[table.next_state]
        if np.abs(q - before).max() <= 1e-13 * (1 + np.abs(q).max()):
            break
    return q


def optimal_actions(q: np.ndarray) -> np.ndarray:
    """Which actions are best, but for rounding: `states x actions`, bool."""
    return q >= q.max(1, keepdims=True) - 1e-7 * (1 + np.abs(q).max())
