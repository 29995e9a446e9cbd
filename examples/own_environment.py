"""Learn an SE for an environment of your own, and see what it teaches.

    cd examples
    python own_environment.py

Processes that train import the module that the task names, `own_environment`, from
the folder where this is started: so start it where the file is.
"""

import argparse

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

import se_hpo

TASK = "own_environment:Balance-v0"


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

if __name__ == "__main__":
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--generations", type=int, default=40, help="at most so many")
    flags.add_argument("--agents", type=int, default=5, help="that try the SE")
    args = flags.parse_args()

    learned = se_hpo.train.run(
        config="own_environment.yaml", num_envs=1, generations=args.generations
    )
    print(learned.ses()[["solved", "generations", "best_score", "env_steps_task"]])
    evaluation = se_hpo.evaluate.run(
        envs=learned.folder,
        task=TASK,  # allows to import the module that it names
        num_agents=args.agents,
        fixed_steps=500,
    )
    print(evaluation.summary())  # on the SE and on the task, 500 steps each
    checkpoint = learned.ses()["checkpoint"].iloc[0]
    se = gymnasium.make("se_hpo:Synthetic", checkpoint=checkpoint)
    print(f"{checkpoint}: {se.observation_space}, {se.action_space}")
