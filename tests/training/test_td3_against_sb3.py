"""TD3 of both engines reaches the returns of Stable-Baselines3's."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from se_hpo.agents.td3_config import TD3Config
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, task_job, train

STEPS, RANDOM_EPISODES, TESTS = 8000, 5, 10
CONFIG = TD3Config(
    batch_size=64,
    hidden_size=64,
    lr=1e-3,
    gamma=0.98,
    init_episodes=RANDOM_EPISODES,
    max_env_steps=STEPS,
    test_episodes=TESTS,
)


def sb3_score(seed: int) -> float:
    """Mean return of greedy tests of an agent with the same hyperparameters."""
    sb3 = pytest.importorskip("stable_baselines3")
    noise = pytest.importorskip("stable_baselines3.common.noise")
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    env = gymnasium.make("Pendulum-v1")
    agent = sb3.TD3(
        "MlpPolicy",
        env,
        learning_rate=CONFIG.lr,
        learning_starts=200 * RANDOM_EPISODES,
        batch_size=CONFIG.batch_size,
        gamma=CONFIG.gamma,
        train_freq=1,
        action_noise=noise.NormalActionNoise(np.zeros(1), CONFIG.action_std),
        policy_kwargs={"net_arch": [CONFIG.hidden_size] * CONFIG.hidden_layers},
        seed=seed,
        device="cpu",
    )
    agent.learn(STEPS)
    return float(evaluation.evaluate_policy(agent, env, TESTS, warn=False)[0])


@pytest.mark.slow
@needs_engine
def test_it_reaches_the_returns_of_stable_baselines3_on_pendulum():
    theirs = [sb3_score(seed) for seed in range(4)]
    jobs = [task_job(seed, "Pendulum-v1", CONFIG) for seed in range(20)]
    by_engine = {
        "native": [r.score for r in train(*jobs, n_threads=2)],
        "torch": [run_job(job).score for job in jobs[:4]],
    }
    lowest = min(theirs) - 30  # the standard error of a mean over 10 starts
    for engine, ours in by_engine.items():
        assert np.median(ours) >= lowest, (engine, ours, theirs)
