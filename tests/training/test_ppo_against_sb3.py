"""PPO of both engines learns as fast and as much as Stable-Baselines3's."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, train

CARTPOLE = PPOConfig(max_env_steps=20_480)  # the defaults of both
PENDULUM = PPOConfig(max_env_steps=30_720, rollout_steps=1024, gamma=0.9, lr=1e-3)


def sb3(task: str, config: PPOConfig, seed: int) -> tuple[float, float]:
    """Mean return of the training episodes and of greedy tests."""
    sb3 = pytest.importorskip("stable_baselines3")
    monitor = pytest.importorskip("stable_baselines3.common.monitor")
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    env = gymnasium.make(task)
    if isinstance(env.action_space, gymnasium.spaces.Box):
        one = np.float32(1)
        env = gymnasium.wrappers.RescaleAction(env, -one, one)
    env = monitor.Monitor(env)
    agent = sb3.PPO(
        "MlpPolicy",
        env,
        n_steps=config.rollout_steps,
        gamma=config.gamma,
        learning_rate=config.lr,
        seed=seed,
        device="cpu",
    )
    agent.learn(config.max_env_steps)
    in_training = float(np.mean(env.get_episode_rewards()))
    return in_training, float(evaluation.evaluate_policy(agent, env, 10)[0])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@needs_engine
@pytest.mark.parametrize(
    ("task", "config"), [("CartPole-v1", CARTPOLE), ("Pendulum-v1", PENDULUM)]
)
def test_it_learns_as_fast_and_as_much_as_that_of_stable_baselines3(task, config):
    theirs = np.array([sb3(task, config, seed) for seed in range(4)])
    jobs = [TrainingJob(task, config, seed, stop_by_rule=False) for seed in range(60)]
    results = {
        "native": train(*jobs, n_threads=2),
        "torch": [run_job(job) for job in jobs[:4]],
    }
    for engine, of_engine in results.items():
        ours = np.array([[r.episode_returns.mean(), r.score] for r in of_engine])
        worse = mannwhitneyu(ours, theirs, alternative="less")
        assert (worse.pvalue > 0.02).all(), (engine, ours, theirs)
