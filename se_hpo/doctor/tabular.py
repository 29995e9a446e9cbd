"""Small tasks known as a whole, and the best that can be done in them.

So it can be seen whether a reward network leaves optimal what is
optimal (Ng, Harada & Russell 1999).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from se_hpo.envs.gridworld import GridWorld
from se_hpo.envs.reward_function import RewardFunction

Situation = tuple[np.ndarray, Mapping[str, Any]]
"""An observation, and the info that came with it."""
_MOST = 1000
"""Policies; it takes about as many as an episode has steps."""


class Table(NamedTuple):
    """A deterministic task: what follows on every action (column) in every state."""

    next_state: np.ndarray
    """`states x actions`, int."""
    reward: np.ndarray
    """`states x actions`, float64."""
    ends: np.ndarray
    """`states x actions`, bool: the step terminates the episode."""


def random_table(rng: np.random.Generator, n_states: int) -> Table:
    """Random steps of three actions, one in seven the last; rewards from N(0, 1)."""
    shape = n_states, 3
    next_state, ends = rng.integers(n_states, size=shape), rng.random(shape) < 1 / 7
    return Table(next_state, rng.normal(size=shape), ends)


def gridworld_table(world: GridWorld) -> tuple[Table, list[Situation]]:
    """All of a gridworld, with the observation of each cell; what has ended stays."""
    cells, n_actions = range(len(world.cells)), int(world.action_space.n)
    rows = []
    for cell in cells:
        for action in range(n_actions):
            world.state = cell
            rows.append(world.step(action)[:3])
    columns = [np.array(c).reshape(-1, n_actions) for c in zip(*rows, strict=True)]
    over = np.isin(list(world.cells), list("GO"))
    columns[1][over] = 0.0
    one_hot = np.eye(len(cells), dtype=np.float32)
    return Table(*columns), [(one_hot[cell], {}) for cell in cells]


def rewarded(
    table: Table, situations: Sequence[Situation], function: RewardFunction
) -> Table:
    """The same task with the rewards of a reward network; a situation per state."""
    reward = np.empty_like(table.reward)
    for (state, action), next_state in np.ndenumerate(table.next_state):
        function.reset(*situations[state])
        reward[state, action] = function.step(
            float(table.reward[state, action]),
            situations[next_state][0],
            bool(table.ends[state, action]),
            situations[next_state][1],
        )
    return table._replace(reward=reward)


def optimal_values(table: Table, discount: float) -> np.ndarray:
    """Q*, `states x actions`, by policy iteration; the discount is below 1."""
    states = np.arange(len(table.reward))
    weight, q = discount * ~table.ends, table.reward
    for _ in range(_MOST):
        policy = states, q.argmax(1)
        matrix = np.eye(len(states))
        matrix[states, table.next_state[policy]] -= weight[policy]
        values = np.linalg.solve(matrix, table.reward[policy])
        q = table.reward + weight * values[table.next_state]
        if (q[policy] >= q.max(1) - _rounding(q, 1e-12)).all():
            break
    return q


def optimal_actions(table: Table, discount: float) -> np.ndarray:
    """Which actions are best but for rounding: `states x actions`, bool."""
    q = optimal_values(table, discount)
    return q >= q.max(1, keepdims=True) - _rounding(q, 1e-10)


def _rounding(q: np.ndarray, share: float) -> float:
    return share * (1 + float(np.abs(q).max()))
