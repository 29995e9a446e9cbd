"""SARSA (Rummery & Niranjan, 1994) with a table and an epsilon-greedy policy."""

from __future__ import annotations

import numpy as np

from se_hpo.agents.q_learning import QLearning
from se_hpo.agents.sarsa_config import SARSAConfig


class SARSA(QLearning):
    """Q-learning with Q(s', a') for max Q(s', .), a' an action of the policy in s'.

    a' is drawn before the update and is the next action of the episode
    (`next_action` is `taken`): also where a step limit cuts the episode, for its value.
    """

    config: SARSAConfig
    next_action: int | None = None
    """The action that the last update has drawn, where it is to be taken."""

    def start_episode(self, episode: int) -> None:
        """Lower epsilon, from the second episode on; no action is drawn yet."""
        super().start_episode(episode)
        self.next_action = None

    def act(self, state: np.ndarray) -> int:
        """The action that the last update has drawn, or a new one."""
        action, self.next_action = self.next_action, None
        return super().act(state) if action is None else action

    def next_value(self, next_state: int) -> float:
        """The value of an epsilon-greedy action in the next state."""
        action = self.explore(next_state)
        if self.config.next_action == "taken":
            self.next_action = action
        return float(self.q[next_state, action])
