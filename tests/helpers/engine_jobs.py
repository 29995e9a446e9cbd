"""Jobs and helpers that the engine's tests share."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import n_parameters
from se_hpo.envs.tasks import get_task
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob, TrainingResult

try:
    from se_hpo import _engine_testing as testing
except ImportError:  # not built, or not in a checkout
    testing = None

needs_engine = pytest.mark.skipif(
    not native_engine.available(), reason=str(native_engine.unavailable_reason())
)

needs_testing = pytest.mark.skipif(
    testing is None or not native_engine.available(),
    reason="needs se_hpo._engine_testing: `pip install -e .` builds it",
)

SMALL = DDQNConfig(
    train_episodes=30,
    test_episodes=2,
    init_episodes=1,
    batch_size=17,
    hidden_size=9,
    hidden_layers=1,
    lr=1e-3,
)
SMALL_TD3 = TD3DiscreteConfig(
    train_episodes=30,
    test_episodes=2,
    init_episodes=1,
    batch_size=17,
    hidden_size=9,
    lr=1e-3,
    gumbel_anneal_updates=200,
)
SMALL_PPO = PPOConfig(
    train_episodes=30,
    test_episodes=2,
    rollout_steps=50,
    batch_size=17,
    epochs=3,
    hidden_size=9,
    lr=1e-2,
    update_episodes=3,
)
SE = SyntheticEnvConfig(hidden_size=7)


def random_psi(
    se: SyntheticEnvConfig = SE, task: str = "CartPole-v0", seed: int = 0
) -> np.ndarray:
    spec = get_task(task)
    size = n_parameters(se, spec.obs_size, spec.n_actions)
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.3, 0.3, size).astype(np.float32)


def constant_psi(done: float, reward: float = 1.0, task: str = "CartPole-v0") -> Any:
    """An SE whose outputs ignore their input: weights 0, chosen output biases."""
    psi = np.zeros_like(random_psi(task=task))
    ends = net_ends(task)
    psi[ends[1] - 1], psi[ends[2] - 1] = reward, done
    return psi


def net_ends(task: str = "CartPole-v0", se: SyntheticEnvConfig = SE) -> list[int]:
    """Where the state, reward and done net end in psi, one hidden layer."""
    spec = get_task(task)
    hidden = se.hidden_size * (spec.obs_size + spec.n_actions + 1)
    sizes = [hidden + n * (se.hidden_size + 1) for n in (spec.obs_size, 1, 1)]
    return [int(end) for end in np.cumsum(sizes)]


def se_job(
    seed: int = 0, psi: Any = None, config: AgentConfig = SMALL, **agent: Any
) -> TrainingJob:
    psi = random_psi(seed=seed) if psi is None else psi
    config = dataclasses.replace(config, **agent)
    return TrainingJob("CartPole-v0", config, seed, LearnedEnv(SE, psi))


def task_job(
    seed: int = 0, task: str = "CartPole-v0", config: AgentConfig = SMALL, **agent: Any
) -> TrainingJob:
    return TrainingJob(task, dataclasses.replace(config, **agent), seed)


def to_bytes(result: TrainingResult) -> bytes:
    """Everything in a result."""
    arrays = (result.test_returns, result.episode_returns, result.episode_lengths)
    rest = f"{result.test_env_steps} {result.stop_reason}"
    return b"|".join(a.tobytes() for a in arrays) + rest.encode()


def train(*jobs: TrainingJob, n_threads: int = 1) -> list[TrainingResult]:
    return native_engine.train_agents(jobs, n_threads)


@contextmanager
def forced_isa(monkeypatch: pytest.MonkeyPatch, isa: str) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv(native_engine.ISA_VARIABLE, isa)
        yield
