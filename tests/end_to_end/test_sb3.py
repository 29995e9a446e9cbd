"""Other people's agents: Stable-Baselines3's DQN on learned SEs, tested on the task.

The learning runs use one thread and take 10 to 60 s each.
"""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.envs.tasks import get_task, make_env
from tests.helpers.places import DATA

pytest.importorskip(
    "stable_baselines3", reason="the extra sb3 is not installed: pip install -e .[sb3]"
)
from stable_baselines3 import DQN
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.evaluation import evaluate_policy

TASK = get_task("CartPole-v0")


class RawDoneBuffer(ReplayBuffer):
    """Stores the SE's raw done output, as this project's own agents do."""

    def add(self, obs, next_obs, action, reward, done, infos):
        raw_done = np.array([info["raw_done"] for info in infos])
        super().add(obs, next_obs, action, reward, raw_done, infos)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(name: str) -> gymnasium.Env:
    return gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=DATA / name)


def train(name: str, env_steps: int, **settings: Any) -> DQN:
    """DQN with settings near those of the agents that the SEs were learned with."""
    settings = {
        "learning_rate": 1e-3,
        "batch_size": 64,
        "gamma": 0.988,
        "learning_starts": 200,
        "train_freq": 1,
        "tau": 0.00848,
        "target_update_interval": 1,
        "exploration_fraction": 0.5,
        "exploration_initial_eps": 0.8,
        "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [32], "activation_fn": torch.nn.Tanh},
        **settings,
    }
    model = DQN("MlpPolicy", make(name), seed=0, device="cpu", **settings)
    return model.learn(env_steps)


def mean_return_on_the_task(model: DQN) -> float:
    env = make_env(TASK)
    env.reset(seed=1)
    with pytest.warns(UserWarning, match="not wrapped with a ``Monitor``"):
        return evaluate_policy(model, env, n_eval_episodes=20)[0]


def test_dqn_trained_on_a_learned_se_balances_the_real_pole():
    model = train("cartpole_se_terminated_only.safetensors", env_steps=3000)
    score = mean_return_on_the_task(model)
    assert score >= 100 > 4 * TASK.random_return


def test_a_replay_buffer_can_store_the_raw_done_output():
    model = train(
        "cartpole_se.safetensors", env_steps=50, replay_buffer_class=RawDoneBuffer
    )
    env = make("cartpole_se.safetensors")
    buffer = model.replay_buffer
    for i in range(50):
        env.reset()
        env.unwrapped._nets.state[:] = buffer.observations[i, 0]
        info = env.step(int(buffer.actions[i, 0, 0]))[4]
        assert buffer.dones[i, 0] == pytest.approx(info["raw_done"], abs=1e-5)
    assert (buffer.dones[:50] != 0).all()


@pytest.mark.slow
def test_with_the_raw_done_output_dqn_learns_on_an_se_of_the_papers_kind():
    model = train(
        "cartpole_se.safetensors",
        env_steps=10_000,
        replay_buffer_class=RawDoneBuffer,
        learning_rate=3e-4,
        batch_size=199,
        policy_kwargs={"net_arch": [57], "activation_fn": torch.nn.Tanh},
    )
    assert mean_return_on_the_task(model) >= 100
