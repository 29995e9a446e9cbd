import dataclasses
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

import se_hpo  # noqa: F401  # registers the ids
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.envs.checkpoint import SECheckpoint, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import (
    initial_psi,
    n_parameters,
    parameter_shapes,
    split_psi,
)
from se_hpo.envs.registration import register_synthetic_env
from se_hpo.envs.se_net import SyntheticEnvNet
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError

TASK = "CartPole-v0"
SPEC = get_task(TASK)
CONFIG = SyntheticEnvConfig(hidden_size=9, hidden_layers=2)


def from_parameters(task, se_config, psi):
    return SyntheticEnv(task, SECheckpoint(psi, task, se_config))


def random_psi(config=CONFIG, task=SPEC, seed=0):
    return initial_psi(config, task, np.random.default_rng(seed))


def bias_only_psi(next_state=(0, 0, 0, 0), reward=1.0, done=0.0):
    """An SE with constant outputs: all weights are 0."""
    psi = np.zeros(n_parameters(CONFIG, 4, 2), np.float32)
    parts = dict(split_psi(psi, CONFIG, 4, 2))
    parts["state.2.bias"][:] = next_state
    parts["reward.2.bias"][:] = reward
    parts["done.2.bias"][:] = done
    return psi


def numpy_step(psi, config, action, state):
    """The definition, written a second way."""
    activation = {
        "tanh": np.tanh,
        "relu": lambda x: np.maximum(x, 0),
        "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
        "prelu": lambda x: np.where(x > 0, x, 0.25 * x),
    }[config.activation]
    outputs, rest = [], psi.astype(np.float64)
    for n_outputs in (4, 1, 1):
        x = np.concatenate([np.eye(2)[action], state])
        sizes = [6, *[config.hidden_size] * config.hidden_layers, n_outputs]
        for layer in range(len(sizes) - 1):
            n_in, n_out = sizes[layer : layer + 2]
            weight, rest = (
                rest[: n_in * n_out].reshape(n_out, n_in),
                rest[n_in * n_out :],
            )
            bias, rest = rest[:n_out], rest[n_out:]
            x = weight @ x + bias
            x = activation(x) if layer < len(sizes) - 2 else x
        outputs.append(x)
    assert not len(rest)
    return np.concatenate(outputs)


@pytest.mark.parametrize("hidden_layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_step_and_module_compute_the_three_networks(activation, hidden_layers):
    config = SyntheticEnvConfig(activation, hidden_size=7, hidden_layers=hidden_layers)
    psi = random_psi(config)
    env = from_parameters(TASK, config, psi)
    state, _ = env.reset(seed=3)
    for action in (0, 1, 1):
        expected = numpy_step(psi, config, action, state)
        one_hot = torch.eye(2)[action]
        by_module = env.net(one_hot[None], torch.tensor(state)[None])
        state, reward, terminated, truncated, info = env.step(action)
        by_step = [*state, reward, info["raw_done"]]
        np.testing.assert_allclose(by_step, expected, atol=1e-6)
        np.testing.assert_allclose(
            torch.cat([by_module[0][0], by_module[1], by_module[2]]),
            expected,
            atol=1e-6,
        )
        assert terminated == (expected[-1] > 0.5)
        assert not truncated


@pytest.mark.parametrize(
    ("task", "activation", "size", "expected"),
    [
        ("CartPole-v0", "leaky_relu", 83, 2247),
        ("CartPole-v0", "leaky_relu", 128, 3462),
        ("Acrobot-v1", "prelu", 167, 6354),
        ("Acrobot-v1", "leaky_relu", 128, 4872),
    ],
)
def test_parameter_counts_of_the_papers_environments(task, activation, size, expected):
    spec, config = get_task(task), SyntheticEnvConfig(activation, size, 1)
    assert n_parameters(config, spec.obs_size, spec.n_actions) == expected
    assert random_psi(config, spec).shape == (expected,)


def test_initial_psi_is_uniform_within_one_over_root_fan_in():
    config = SyntheticEnvConfig(hidden_size=100, hidden_layers=2)
    psi = random_psi(config)
    assert psi.dtype == np.float32
    for name, values in split_psi(psi, config, 4, 2):
        bound = 6**-0.5 if ".0." in name else 0.1
        assert np.abs(values).max() <= bound
        if values.size >= 100:
            assert np.abs(values).max() > 0.9 * bound
            assert abs(values.std() - bound / 3**0.5) < 0.15 * bound
    assert (psi == random_psi(config)).all()
    assert not (psi == random_psi(config, seed=1)).any()


def test_psi_that_does_not_fit_is_refused():
    net = SyntheticEnvNet(CONFIG, 4, 2)
    psi = random_psi()
    for wrong in (psi[:-1], psi.astype(np.float64), psi[None]):
        with pytest.raises(ValueError, match=r"psi is a .*: must be a float32 vector"):
            net.load_psi(wrong)


def test_shapes_come_in_the_order_of_psi():
    names = list(parameter_shapes(CONFIG, 4, 2))
    assert names[:3] == ["state.0.weight", "state.0.bias", "state.1.weight"]
    assert names[-2:] == ["done.2.weight", "done.2.bias"]


@pytest.mark.filterwarnings("ignore:.*A Box observation space m:UserWarning")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render:UserWarning")
@pytest.mark.parametrize("task", ["CartPole-v0", "Acrobot-v1", "MountainCar-v0"])
def test_gymnasium_accepts_the_environment(task):
    psi = random_psi(task=get_task(task))
    check_env(from_parameters(task, CONFIG, psi))


def test_gymnasium_makes_it_from_a_checkpoint(tmp_path):
    save_se(tmp_path / "se.safetensors", random_psi(), TASK, CONFIG)
    env = gymnasium.make(
        "se_hpo:Synthetic/CartPole-v0", checkpoint=tmp_path / "se.safetensors"
    )
    assert (env.spec.max_episode_steps, env.spec.reward_threshold) == (200, 195.0)
    state, _ = env.reset(seed=5)
    with make_env(SPEC) as task_env:
        assert (state == task_env.reset(seed=5)[0]).all()
    direct = from_parameters(TASK, CONFIG, random_psi())
    direct.reset(seed=5)
    np.testing.assert_array_equal(env.step(1)[0], direct.step(1)[0])


def test_same_seed_and_actions_give_the_same_episode():
    def rollout():
        env = from_parameters(TASK, CONFIG, random_psi())
        env.reset(seed=11)
        steps = [env.step(a)[:2] for a in (0, 1, 1, 0)]
        again, _ = env.reset()
        return np.concatenate([*(s for s, _ in steps), again, [r for _, r in steps]])

    np.testing.assert_array_equal(rollout(), rollout())


def test_observations_are_not_overwritten_by_later_steps():
    env = from_parameters(TASK, CONFIG, random_psi())
    first, _ = env.reset(seed=0)
    kept = first.copy()
    second = env.step(0)[0]
    kept_second = second.copy()
    env.step(1)
    assert (first == kept).all() and (second == kept_second).all()
    assert not (first == second).all()


def test_episode_terminates_above_a_raw_done_of_one_half_only():
    for done, expected in [(0.5, False), (0.5001, True), (-3.0, False), (7.0, True)]:
        env = from_parameters(TASK, CONFIG, bias_only_psi(done=done))
        env.reset(seed=0)
        *_, terminated, truncated, info = env.step(0)
        assert (terminated, truncated) == (expected, False)
        assert info["raw_done"] == pytest.approx(done)


def test_made_environment_truncates_at_the_tasks_step_limit(tmp_path):
    save_se(tmp_path / "se.safetensors", bias_only_psi(), TASK, CONFIG)
    env = gymnasium.make(
        "se_hpo:Synthetic/CartPole-v0", checkpoint=str(tmp_path / "se.safetensors")
    )
    env.reset(seed=0)
    ends = [env.step(0)[2:4] for _ in range(200)]
    assert ends[:-1] == [(False, False)] * 199
    assert ends[-1] == (False, True)


def test_wrong_or_no_checkpoint_is_refused_with_the_mend(tmp_path):
    path = tmp_path / "se.safetensors"
    save_se(path, random_psi(), TASK, CONFIG)
    with pytest.raises(UserError, match="for CartPole-v0, not for Acrobot-v1"):
        gymnasium.make("se_hpo:Synthetic/Acrobot-v1", checkpoint=path)
    with pytest.raises(UserError, match="add checkpoint="):
        gymnasium.make("se_hpo:Synthetic/Pendulum-v1")


def test_making_the_version_0_environment_warns_of_no_newer_version(tmp_path):
    path = tmp_path / "se.safetensors"
    save_se(path, random_psi(), TASK, CONFIG)
    code = f"""
import gymnasium
gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint={str(path)!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=60
    )
    assert b"out of date" not in done.stderr


@pytest.mark.parametrize("task", ["CartPole-v0", "CartPole-v1", "Acrobot-v1"])
def test_an_id_without_a_task_takes_the_checkpoints(task, tmp_path):
    path, spec = tmp_path / "se.safetensors", get_task(task)
    save_se(path, random_psi(task=spec), task, CONFIG)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = gymnasium.make(f"se_hpo:Synthetic/{task}", checkpoint=path)
        env = gymnasium.make("se_hpo:Synthetic", checkpoint=path)
        envs = gymnasium.make_vec("se_hpo:Synthetic", num_envs=2, checkpoint=path)
        start, _ = env.reset(seed=3)
        env.step(env.action_space.n - 1)
    assert env.spec.max_episode_steps == spec.max_steps
    assert env.observation_space == named.observation_space
    np.testing.assert_array_equal(start, named.reset(seed=3)[0])
    np.testing.assert_array_equal(start, envs.reset(seed=3)[0][0])
    assert envs.unwrapped.task == spec


def test_tasks_of_two_namespaces_have_two_ids():
    specs = [dataclasses.replace(SPEC, id=f"{ns}/Pole-v0") for ns in "ab"]
    ids = [register_synthetic_env(spec) for spec in specs]
    try:
        assert len(set(ids)) == 2
        assert [gymnasium.spec(i).kwargs["task"] for i in ids] == [
            "a/Pole-v0",
            "b/Pole-v0",
        ]
    finally:
        for env_id in ids:
            del gymnasium.registry[env_id]


def test_further_tasks_can_be_registered():
    spec = dataclasses.replace(SPEC, id="some_module:space/Pole-v3", max_steps=7)
    env_id = register_synthetic_env(spec)
    try:
        assert env_id == register_synthetic_env(spec)
        assert env_id == "Synthetic/space.Pole-v3"
        assert gymnasium.spec(env_id).max_episode_steps == 7
    finally:
        del gymnasium.registry[env_id]


def test_a_checkpoint_in_memory_needs_no_file():
    env = SyntheticEnv(TASK, SECheckpoint(random_psi(), TASK, CONFIG))
    assert env.reset(seed=0)[0].shape == (4,)


def test_a_generator_that_is_set_draws_the_initial_states_as_in_the_task():
    env = from_parameters(TASK, CONFIG, random_psi())
    with make_env(SPEC) as task_env:
        env.np_random = np.random.default_rng(9)
        task_env.unwrapped.np_random = np.random.default_rng(9)
        assert env.np_random_seed == -1
        for _ in range(3):
            np.testing.assert_array_equal(env.reset()[0], task_env.reset()[0])


def test_np_random_is_the_generator_that_resets_draw_from():
    env = from_parameters(TASK, CONFIG, random_psi())
    env.reset(seed=5)
    assert env.np_random_seed == 5
    before = env.np_random.bit_generator.state
    with make_env(SPEC) as task_env:
        task_env.reset(seed=5)
        assert before == task_env.unwrapped.np_random.bit_generator.state
    env.reset()
    assert env.np_random_seed == 5
    assert env.np_random.bit_generator.state != before


def test_a_step_before_the_first_reset_is_refused():
    env = from_parameters(TASK, CONFIG, random_psi())
    with pytest.raises(ResetNeeded, match="call reset before step"):
        env.step(0)


@pytest.mark.parametrize(
    "action", [2, -1, np.int64(5), 0.5, 1.0, None, "0", [0], np.array([1])], ids=repr
)
def test_wrong_actions_are_refused_and_change_nothing(action):
    env, other = (from_parameters(TASK, CONFIG, random_psi()) for _ in range(2))
    env.reset(seed=0), other.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"not in Discrete\(2\)"):
        env.step(action)
    np.testing.assert_array_equal(env.step(1)[0], other.step(1)[0])


@pytest.mark.parametrize("action", [True, np.int64(1), np.uint8(1), np.array(1)])
def test_every_integer_of_the_action_space_is_an_action(action):
    env, other = (from_parameters(TASK, CONFIG, random_psi()) for _ in range(2))
    env.reset(seed=0), other.reset(seed=0)
    np.testing.assert_array_equal(env.step(action)[0], other.step(1)[0])
