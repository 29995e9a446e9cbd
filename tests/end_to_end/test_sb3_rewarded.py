"""Other people's agents on reward networks: Stable-Baselines3's, as they are."""

import gymnasium
import numpy as np
import pytest
import torch

import se_hpo
from se_hpo.envs.reward_function import RewardFunction
from tests.helpers.reward_networks import INFO_TASK, random_rn

pytest.importorskip(
    "stable_baselines3", reason="the extra sb3 is not installed: pip install -e .[sb3]"
)
from stable_baselines3 import DQN, PPO, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

POTENTIAL = random_rn("additive_potential", metadata={"discount": 0.99})
SMALL = {"seed": 0, "device": "cpu", "policy_kwargs": {"net_arch": [16]}}


class Kept(BaseCallback):
    """Keeps what the environments answered."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards: list[np.ndarray] = []
        self.task_rewards: list[list[float]] = []

    def _on_step(self) -> bool:
        self.rewards.append(np.array(self.locals["rewards"]))
        infos = self.locals["infos"]
        self.task_rewards.append([info["task_reward"] for info in infos])
        return True


def envs(rn, n: int, **kwargs) -> VecEnv:
    """SB3's own vectors, each copy in its `Monitor`."""
    return make_vec_env(
        f"se_hpo:Rewarded/{rn.task}", n, seed=1, env_kwargs={"checkpoint": rn}, **kwargs
    )


def learn(model: BaseAlgorithm, steps: int) -> Kept:
    before, kept = torch.get_num_threads(), Kept()
    torch.set_num_threads(1)
    try:
        model.learn(steps, callback=kept)
    finally:
        torch.set_num_threads(before)
    return kept


def test_dqn_trains_unchanged_on_rewards_of_the_network():
    model = DQN("MlpPolicy", envs(POTENTIAL, 1), learning_starts=20, **SMALL)
    kept = learn(model, 120)
    assert np.concatenate(kept.task_rewards).tolist() == [1.0] * 120
    function, buffer = RewardFunction(POTENTIAL, 0.99), model.replay_buffer
    for i in range(100):
        function.reset(buffer.observations[i, 0], {})
        end = bool(buffer.dones[i, 0])
        reward = function.step(1.0, buffer.next_observations[i, 0], end, {})
        assert buffer.rewards[i, 0] == pytest.approx(reward, abs=1e-4)
        assert reward != 1.0


@pytest.mark.parametrize("vectors", [None, SubprocVecEnv])
def test_ppo_trains_unchanged_on_several_copies(vectors):
    model = PPO(
        "MlpPolicy", envs(POTENTIAL, 2, vec_env_cls=vectors), n_steps=32, **SMALL
    )
    try:
        kept = learn(model, 128)
    finally:
        model.env.close()
    assert np.ravel(kept.task_rewards).tolist() == [1.0] * 128
    assert not (np.array(kept.rewards) == 1.0).any()


def test_sb3_accepts_it_and_its_monitor_sees_both_rewards():
    make = gymnasium.make
    check_env(
        make("Rewarded/CartPole-v0", checkpoint=POTENTIAL), skip_render_check=True
    )
    rn = random_rn("additive_info", INFO_TASK)
    monitor = Monitor(
        se_hpo.RewardNetwork(make(INFO_TASK), rn), info_keywords=("task_reward",)
    )
    monitor.reset(seed=0)
    ended = False
    while not ended:
        *_, terminated, truncated, info = monitor.step(0)
        ended = terminated or truncated
    assert info["episode"]["task_reward"] == info["task_reward"]
    assert monitor.get_episode_rewards() == pytest.approx(
        [info["episode"]["r"]], abs=1e-5
    )


@pytest.mark.parametrize("task", ["MountainCarContinuous-v0", "Pendulum-v1"])
def test_td3_trains_unchanged_on_continuous_actions(task):
    rn = random_rn("additive_potential", task, metadata={"discount": 0.99})
    env = se_hpo.RewardNetwork(gymnasium.make(task), rn)
    model = TD3("MlpPolicy", env, learning_starts=30, **SMALL)
    kept = learn(model, 60)
    assert np.isfinite(kept.rewards).all()
    assert np.ravel(kept.rewards).tolist() != np.ravel(kept.task_rewards).tolist()
