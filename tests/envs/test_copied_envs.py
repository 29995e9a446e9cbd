"""Copies and pickles of SEs go on as the original would, and without touching it."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task
from tests.helpers.places import DATA

LEARNED = DATA / "cartpole_se.safetensors"
TASK = "CartPole-v0"
LIMIT = 7


def by_pickle(env):
    return pickle.loads(pickle.dumps(env))


def wrapped(checkpoint=LEARNED):
    env_id = "Synthetic/CartPole-v0"
    return gymnasium.make(env_id, checkpoint=checkpoint, max_episode_steps=LIMIT)


def unwrapped(checkpoint=LEARNED):
    return SyntheticEnv(TASK, checkpoint)


def vector(mode):
    return gymnasium.make_vec(
        "Synthetic/CartPole-v0",
        num_envs=3,
        checkpoint=LEARNED,
        max_episode_steps=LIMIT,
        autoreset_mode=mode,
    )


def plain(value):
    """Arrays as lists, so that == compares everything to the last bit."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()  # of an object array: a list of arrays and None
    return [plain(v) for v in value] if isinstance(value, tuple | list) else value


def start(env, mid_episode):
    """Leave the environment as it was made, or after 10 steps."""
    if mid_episode:
        env.reset(seed=3)
        play(env, 10)
    return env


def play(env, steps):
    """Everything that an environment answers; ended episodes are followed by others."""
    answers = []
    for t in range(steps):
        action = t % 2
        if isinstance(env, gymnasium.vector.VectorEnv):
            action = (t + np.arange(env.num_envs)) % 2
        answers.append(env.step(action))
        ended = np.logical_or(*answers[-1][2:4])
        mode = env.metadata.get("autoreset_mode", AutoresetMode.DISABLED)
        if mode is AutoresetMode.DISABLED and ended.any():
            options = {"reset_mask": ended} if ended.shape else None
            answers.append(env.reset(options=options))
    return plain(tuple(answers))


def goes_on(env, mid_episode):
    first = [] if mid_episode else plain(env.reset(seed=5))
    return [first, play(env, 25), plain(env.reset(seed=4)), play(env, 3)]


def assert_copy_goes_on_like_the_original(make, duplicate, mid_episode):
    expected = goes_on(start(make(), mid_episode), mid_episode)
    original = start(make(), mid_episode)
    copied = duplicate(original)
    assert goes_on(copied, mid_episode) == expected
    assert goes_on(original, mid_episode) == expected  # the copy has not moved it


every_way = pytest.mark.parametrize("duplicate", [copy.deepcopy, by_pickle])
every_moment = pytest.mark.parametrize(
    "mid_episode", [False, True], ids=["before reset", "mid-episode"]
)


@every_way
@every_moment
@pytest.mark.parametrize("make", [wrapped, unwrapped])
def test_a_copy_of_a_single_se_goes_on_like_the_original(make, duplicate, mid_episode):
    assert_copy_goes_on_like_the_original(make, duplicate, mid_episode)


@every_way
@every_moment
@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_copy_of_a_vectorized_se_goes_on_like_the_original(
    mode, duplicate, mid_episode
):
    assert_copy_goes_on_like_the_original(lambda: vector(mode), duplicate, mid_episode)


@every_way
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layers", [1, 3])
def test_every_network_can_be_copied(activation, layers, duplicate):
    config = SyntheticEnvConfig(activation, 9, layers)
    psi = initial_psi(config, get_task(TASK), np.random.default_rng(0))
    se = SECheckpoint(psi, TASK, config)
    original = start(unwrapped(se), mid_episode=True)
    copied = duplicate(original)
    assert play(copied, 9) == play(original, 9)


@every_way
def test_a_copy_and_the_original_step_in_turns_without_touching_each_other(duplicate):
    original, alone = (start(unwrapped(), mid_episode=True) for _ in range(2))
    copied = duplicate(original)
    for t in range(10):
        copied.step(1)
        assert plain(original.step(t % 2)) == plain(alone.step(t % 2))
