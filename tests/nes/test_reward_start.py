"""Reward networks that start like the task's reward."""

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.q_learning_config import QLearningConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.errors import UserError
from se_hpo.nes import reward_start
from se_hpo.nes.generation import random_psi
from se_hpo.nes.reward_start import like_the_task, random_transitions
from se_hpo.nes.run import run_nes
from se_hpo.registries import LEARNED
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop

KINDS = ("exclusive_potential", "additive_potential", "exclusive", "additive")
NES_OF_START = NESConfig(
    start="task_reward",
    population=2,
    n_center_evaluations=2,
    n_initial=2,
    fitness="area",
    horizon=60,
    stop_when_solved=False,
)


def made(kind, task="Cliff-v0", agent=None, **values):
    se = LEARNED[kind].config(hidden_size=32, **values)
    return RunConfig(task, agent or QLearningConfig(), se, NES_OF_START)


def rewards(config, psi, seen):
    """What an agent gets of each transition, by the reward function itself."""
    function = RewardFunction(SECheckpoint(psi, config.task, config.se), 0.8)
    got = []
    for before, after, reward, ends in zip(
        seen.before, seen.after, seen.reward, seen.terminated, strict=True
    ):
        function.reset(before, {})
        got.append(function.step(float(reward), after, bool(ends), {}))
    return np.array(got)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [{}, {"activation": "tanh", "hidden_layers": 2}])
def test_agents_get_about_the_reward_of_the_task(kind, values):
    config = made(kind, **values)
    seen = random_transitions(config, seed=0)
    psi = like_the_task(
        config, random_psi(config, 0, 0), seen, np.random.default_rng(0)
    )
    error = rewards(config, psi, seen) - seen.reward
    assert np.sqrt(np.mean(error**2)) < 0.5  # rewards are -1 and -100
    random = rewards(config, random_psi(config, 0, 0), seen) - seen.reward
    if "exclusive" in kind:
        assert np.sqrt(np.mean(random**2)) > 20


def test_the_random_policy_gets_about():
    seen = random_transitions(made("exclusive"), seed=0)
    assert len(np.unique(seen.after.argmax(axis=1))) >= 40  # of 48 cells
    assert seen.env_steps == len(seen.reward)


def test_a_deep_network_comes_near_the_reward_of_cartpole():
    config = made("exclusive_potential", "CartPole-v0", DDQNConfig(), hidden_layers=2)
    seen = random_transitions(config, seed=1)
    start = random_psi(config, 1, 0)
    fitted = like_the_task(config, start, seen, np.random.default_rng(1))
    assert fitted.dtype == np.float32

    def error(psi):
        function = RewardFunction(SECheckpoint(psi, config.task, config.se), 0.99)
        potential = 0.99 * function.outputs(seen.after) - function.outputs(seen.before)
        return float(np.mean((potential - seen.reward) ** 2))

    assert error(fitted) < 0.01 * error(start)


def test_the_fit_takes_one_thread(monkeypatch):
    threads = []
    original = reward_start._fitted

    def fitted(*args):
        blas = [lib for lib in threadpool_info() if lib["user_api"] == "blas"]
        threads.extend(lib["num_threads"] for lib in blas)
        return original(*args)

    monkeypatch.setattr(reward_start, "_fitted", fitted)
    monkeypatch.setattr(reward_start, "_UPDATES", 2)
    config = made("exclusive")
    seen = random_transitions(config, seed=0)
    like_the_task(config, random_psi(config, 0, 0), seen, np.random.default_rng(0))
    assert set(threads) == {1}


def test_the_fit_is_that_of_the_seed():
    config = made("exclusive")
    seen = [random_transitions(config, seed=3) for _ in range(2)]
    assert seen[0].before.tobytes() == seen[1].before.tobytes()
    psi = random_psi(config, 3, 0)
    fits = [like_the_task(config, psi, s, np.random.default_rng(5)) for s in seen]
    assert fits[0].tobytes() == fits[1].tobytes()


@pytest.mark.parametrize("n_initial", [1, 2])
def test_a_run_starts_there_and_counts_the_steps(tmp_path, n_initial, monkeypatch):
    monkeypatch.setattr(reward_start, "STEPS", 50_000)
    nes = NESConfig(**{**vars(NES_OF_START), "n_initial": n_initial})
    config = RunConfig("Cliff-v0", QLearningConfig(), made("exclusive").se, nes)
    paths = TrialPaths(tmp_path)
    with InnerLoop("auto") as loop:
        run_nes(config, 0, paths, loop, 2)
    first, second = (line for _, line in read_json_lines(paths.generations))
    assert first["env_steps_task"] - second["env_steps_task"] > 40_000


def test_an_se_cannot_start_from_a_reward():
    with pytest.raises(UserError, match="is for reward networks: choose 'random'"):
        RunConfig(se=SyntheticEnvConfig(), nes=NESConfig(start="task_reward"))
