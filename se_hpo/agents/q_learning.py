"""Q-learning (Watkins, 1989) with a table and an epsilon-greedy policy."""

from __future__ import annotations

import math

import numpy as np

from se_hpo import seeding
from se_hpo.agents.base import DivergedError
from se_hpo.agents.q_learning_config import QLearningConfig


class QLearning:
    """Every step moves one value to its target, by the part `lr` of the way.

    Target: r + beta / sqrt(n(s, a)) + gamma (1 - done) max Q(s', .). A state is the
    position of the largest number of an observation.
    """

    acts_by = "q"

    def __init__(
        self, config: QLearningConfig, obs_size: int, n_actions: int, seed: int
    ) -> None:
        self.config, self.n_actions = config, n_actions
        self.q = np.full((obs_size, n_actions), config.q_init)
        """`obs_size x n_actions`, float64."""
        self.visits = np.zeros((obs_size, n_actions), np.int64)
        self.rng = seeding.generator(seed, "exploration")
        self.epsilon = config.eps_init

    def start_episode(self, episode: int) -> None:
        """Lower epsilon, from the second episode on."""
        if episode > 0:
            decayed = self.epsilon * self.config.eps_decay
            self.epsilon = max(decayed, self.config.eps_min)

    def act(self, state: np.ndarray) -> int:
        """A uniformly random action with probability epsilon, else the greedy one."""
        return self.explore(int(state.argmax()))

    def act_greedily(self, state: np.ndarray) -> int:
        """The action of the highest value; the first of equals."""
        return int(self.q[state.argmax()].argmax())

    def explore(self, state: int) -> int:
        """The epsilon-greedy action in a state of the table."""
        if self.rng.random() < self.epsilon:
            return int(self.rng.integers(self.n_actions))
        return int(self.q[state].argmax())

    def remember(
        self,
        state: np.ndarray,
        action: int,
        reward: float,
        next_state: np.ndarray,
        done: float,
    ) -> None:
        """Keep the transition for the update; reward and `done` as float32."""
        cells = int(state.argmax()), action, int(next_state.argmax())
        self.transition = *cells, float(np.float32(reward)), float(np.float32(done))

    def update(self) -> None:
        """Learn from the last transition.

        Raises:
            DivergedError: the new value is not finite.
        """
        state, action, next_state, reward, done = self.transition
        self.visits[state, action] += 1
        bonus = self.config.count_bonus / (math.sqrt(self.visits[state, action]) + 1e-9)
        future = self.config.gamma * (1 - done) * self.next_value(next_state)
        value = float(self.q[state, action])
        value += self.config.lr * (reward + bonus + future - value)
        if not math.isfinite(value):
            raise DivergedError(f"the value {value}")
        self.q[state, action] = value

    def next_value(self, next_state: int) -> float:
        """What the next state is worth: its highest value."""
        return float(self.q[next_state].max())
