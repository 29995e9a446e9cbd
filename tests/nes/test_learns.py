"""The whole loop learns: an SE on which real agents learn a tiny task."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.nes.run import run_nes
from se_hpo.storage.paths import TrialPaths
from se_hpo.training import native_engine
from se_hpo.training.inner_loop import InnerLoop

EPISODE = 20


class Signs(gymnasium.Env):
    """Reward 1 for action 1 on a positive observation or action 0 on a negative one."""

    observation_space = Box(-1.0, 1.0, (1,), np.float32)
    action_space = Discrete(2)

    def _draw(self):
        self.x = self.np_random.uniform(-1.0, 1.0, 1).astype(np.float32)
        return self.x

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action):
        reward = float(action == (self.x[0] > 0))
        return self._draw(), reward, False, False, {}


@pytest.fixture(autouse=True)
def _registered():
    gymnasium.register(
        "Signs-v0", Signs, max_episode_steps=EPISODE, reward_threshold=EPISODE - 0.5
    )
    yield
    del gymnasium.registry["Signs-v0"]


CONFIG = RunConfig(
    task="Signs-v0",
    agent=DDQNConfig(
        train_episodes=20, init_episodes=1, batch_size=32, hidden_size=16,
        hidden_layers=1, lr=5e-3, tau=0.05, gamma=0.5, test_episodes=5,
    ),
    se=SyntheticEnvConfig(hidden_size=8),
    nes=NESConfig(
        population=16, noise_std=0.2, step_size=0.5, score_transform="nes_unnormalized",
        n_center_evaluations=4, common_random_numbers=True,
    ),
)  # fmt: skip


@pytest.mark.skipif(
    not native_engine.available(), reason=str(native_engine.unavailable_reason())
)
def test_center_score_of_real_agents_improves_over_five_seeds(tmp_path):
    gains, ends = [], []
    with InnerLoop("native", 2) as inner_loop:
        for seed in range(5):
            paths = TrialPaths(tmp_path / str(seed))
            scores = run_nes(CONFIG, seed, paths, inner_loop, 20).center_scores
            gains.append(scores[-1] - scores[0])
            ends.append(scores[-3:].mean())
    standard_error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    # One-sided t test with four degrees of freedom at the level 0.001.
    assert np.mean(gains) > 7.17 * standard_error, gains
    assert np.median(ends) > 15.0, "random actions give 10, the best 20"
