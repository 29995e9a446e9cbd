"""An environment of one's own, as own_environment.py and its recipe name it."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Balance(gymnasium.Env):
    """Keep a sliding mass near the middle by pushing it to the left or to the right."""

    def __init__(self) -> None:
        self.observation_space = Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-0.3, 0.3, 2)  # position, velocity
        return self.state.astype(np.float32), {}

    def step(self, action):
        position, velocity = self.state
        velocity += 0.2 * (2 * action - 1)
        position += 0.1 * velocity
        self.state = np.array([position, velocity])
        out = bool(abs(position) > 1)
        return self.state.astype(np.float32), 1.0, out, False, {}


# An SE needs to know how long an episode is, and which return is good enough.
if "Balance-v0" not in gymnasium.registry:
    gymnasium.register(
        "Balance-v0", Balance, reward_threshold=95, max_episode_steps=100
    )
