"""Agents train on SEs with learned initial states: ours in both engines, and SB3's."""

import gymnasium
import numpy as np
import pytest

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.registries import AGENTS
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, train
from tests.helpers.learned_starts import (
    KINDS,
    constant_se,
    leaning_se,
    random_se,
)

each_kind = pytest.mark.parametrize("kind", KINDS)
SHORT = {"se_steps": 150, "test_episodes": 2, "batch_size": 16, "hidden_size": 8}
AGENTS_OF = [
    ("CartPole-v0", DDQNConfig),
    ("CartPole-v0", DuelingDDQNConfig),
    ("CartPole-v0", TD3DiscreteConfig),
    ("CartPole-v0", PPOConfig),
    ("Pendulum-v1", TD3Config),
    ("Pendulum-v1", PPOConfig),
]


def job_on(se, config, seed=1):
    return TrainingJob(se.task, config, seed, LearnedEnv(se.se_config, se.psi))


@each_kind
@pytest.mark.parametrize(
    ("task", "agent"), AGENTS_OF, ids=[f"{a.__name__} {t}" for t, a in AGENTS_OF]
)
def test_an_agent_trains_for_its_steps(task, agent, kind):
    config = agent(**SHORT)
    job = job_on(random_se(kind, task), config)
    result = run_job(job)
    assert result.stop_reason == "max_env_steps"
    assert sum(result.episode_lengths) == 150
    if kind == "one_step":
        assert set(result.episode_lengths) == {1}
    else:
        assert max(result.episode_lengths) <= 50
    assert result.test_returns.tobytes() == run_job(job).test_returns.tobytes()


@needs_engine
@each_kind
@pytest.mark.parametrize("done", [0.2, 0.8])
def test_both_engines_go_through_the_same_episodes(kind, done):
    """The SE is the same whatever happens: what an agent sees of it is, too."""
    job = job_on(constant_se(kind, done=done), DDQNConfig(**SHORT))
    by_torch, (native,) = run_job(job), train(job)
    assert native.stop_reason == by_torch.stop_reason
    assert native.episode_lengths.tolist() == by_torch.episode_lengths.tolist()
    np.testing.assert_allclose(native.episode_returns, by_torch.episode_returns)


def test_ddqn_learns_which_action_a_one_step_se_rewards():
    """On a bandit that pays for pushing to where the pole leans."""
    se = leaning_se()
    config = DDQNConfig(se_steps=800, test_episodes=10, lr=3e-3, activation="relu")
    assert run_job(job_on(se, config)).test_returns.mean() > 100


@each_kind
@pytest.mark.parametrize(
    ("algorithm", "task"),
    [
        ("DQN", "CartPole-v0"),
        ("PPO", "CartPole-v0"),
        ("A2C", "CartPole-v0"),
        ("SAC", "Pendulum-v1"),
    ],
)
def test_stable_baselines3_trains_on_it_as_it_is(algorithm, task, kind):
    sb3 = pytest.importorskip("stable_baselines3")
    se = random_se(kind, task)
    env = gymnasium.make(f"se_hpo:Synthetic/{task}", checkpoint=se)
    short = {"n_steps": 64} if algorithm in ("PPO", "A2C") else {"learning_starts": 50}
    model = getattr(sb3, algorithm)("MlpPolicy", env, seed=0, device="cpu", **short)
    model.learn(192)
    assert model.num_timesteps >= 192
    if algorithm == "DQN" and kind == "one_step":
        assert (model.replay_buffer.dones[:192] == 1).all()
    if algorithm == "DQN" and kind != "one_step":
        assert (model.replay_buffer.dones[:192] == 0).any()
    # And as an agent of this package, on what the inner loop gives it.
    config = AGENTS[f"sb3:{algorithm}"].config(train_steps=150, test_episodes=1)
    result = run_job(job_on(se, config))
    assert sum(result.episode_lengths) == 150
