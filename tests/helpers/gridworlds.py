"""The best that can be done in a gridworld, by value iteration."""

from __future__ import annotations

import numpy as np

from se_hpo.envs.gridworld import GridWorld


def action_values(env: GridWorld, discount: float = 1.0) -> np.ndarray:
    """Optimal Q: cells x actions; 0 where the episode is over."""
    n_cells, n_actions = int(env.observation_space.n), int(env.action_space.n)
    outcomes = {}
    for cell in range(n_cells):
        for action in range(n_actions):
            if env.cells[cell] not in "GO#":
                env.state = cell
                outcomes[cell, action] = env.step(action)[:3]
    q = np.zeros((n_cells, n_actions))
    for _ in range(2 * n_cells):
        for place, (there, reward, ended) in outcomes.items():
            q[place] = reward + discount * (not ended) * q[there].max()
    return q


def best_return(env: GridWorld) -> float:
    """The highest undiscounted return."""
    return float(action_values(env)[env.cells.index("S")].max())


def follow(env: GridWorld) -> float:
    """The return of the optimal actions."""
    q, total, ended = action_values(env), 0.0, False
    state, _ = env.reset()
    while not ended:
        state, reward, ended, *_ = env.step(int(q[state].argmax()))
        total += reward
    return total
