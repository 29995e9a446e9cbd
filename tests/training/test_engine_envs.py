"""Native tasks against Gymnasium, the native SE against the torch SE, step by step."""

from __future__ import annotations

import dataclasses
import math

import gymnasium
import numpy as np
import pytest
import torch

from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned.mdp import SyntheticEnvConfig, layout
from se_hpo.envs.scaling import ScaledObservations
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task, known_task, list_tasks, make_env
from se_hpo.training import native_engine
from tests.helpers.engine_jobs import needs_testing, random_psi, testing

pytestmark = needs_testing

VECTOR_TASKS = [
    t
    for t in list_tasks()
    if t != "CartPole-v1" and known_task(t).native not in (None, "gridworld")
]
CONTINUOUS = [t for t in VECTOR_TASKS if get_task(t).continuous]
ISAS = [isa.replace("-", "_") for isa in native_engine.isas()]


@pytest.mark.parametrize("task", CONTINUOUS)
@pytest.mark.parametrize("force", ["weak", "full", "too much", "with the speed"])
def test_a_continuous_task_equals_gymnasium_bit_by_bit(task, force):
    spec, rng = get_task(task), np.random.default_rng(0)
    native, env = testing.NativeTask(spec.native, 0), make_env(spec)
    factor, ends = {"weak": 0.5, "too much": 1.6}.get(force, 1.0), 0
    for seed in range(8):
        obs, _ = env.reset(seed=seed)
        native.reset()
        native.state = np.array(env.unwrapped.state)
        ended = False
        while not ended:
            action = (factor * rng.uniform(-1, 1, 1)).astype(np.float32)
            if force == "with the speed":
                action = np.where(obs[-1:] < 0, -1, 1).astype(np.float32)
            obs, reward, terminated, truncated, _ = env.step(action)
            got, got_reward, got_ended = native.step(action)
            assert got.tobytes() == obs.tobytes()
            assert (got_reward, got_ended) == (reward, terminated)
            ends, ended = ends + terminated, terminated or truncated
    assert (ends == 8) == (force == "with the speed" and task != "Pendulum-v1")


@pytest.mark.parametrize("task", [t for t in VECTOR_TASKS if t not in CONTINUOUS])
def test_task_follows_gymnasium_for_20000_random_steps(task):
    spec = get_task(task)
    native = testing.NativeTask(spec.native, 0)
    env = make_env(spec).unwrapped
    rng = np.random.default_rng(0)
    ends = 0
    env.reset(seed=0)
    native.state = np.array(env.state)
    for _ in range(20_000):
        action = int(rng.integers(spec.n_actions))
        expected, reward, terminated, _, _ = env.step(action)
        got, got_reward, got_ended = native.step(action)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
        assert (got_reward, got_ended) == (reward, terminated)
        if terminated or rng.random() < 0.005:
            ends += terminated
            env.reset()
            native.state = np.array(env.state)
    assert ends > 0 or task != "CartPole-v0"


def test_mountain_car_and_acrobot_end_at_their_goals():
    # Random actions hardly ever get there, so both are set down before the goal.
    for task, state, action in (
        ("MountainCar-v0", [0.45, 0.06], 2),
        ("MountainCar-v0", [-1.19, -0.05], 0),
        ("Acrobot-v1", [math.pi - 0.3, 0.1, 1.0, 0.0], 2),
        ("Acrobot-v1", [3.1, -3.1, 12.5, -28.2], 0),
    ):
        spec = get_task(task)
        native = testing.NativeTask(spec.native, 0)
        env = make_env(spec).unwrapped
        env.reset(seed=0)
        env.state, native.state = np.array(state), state
        ended = False
        for _ in range(5):
            expected, reward, terminated, _, _ = env.step(action)
            got = native.step(action)
            np.testing.assert_allclose(got[0], expected, rtol=0, atol=1e-5)
            assert got[1:] == (reward, terminated)
            ended = ended or terminated
        assert ended or state[0] == -1.19


@pytest.mark.parametrize("task", VECTOR_TASKS)
def test_start_states_have_gymnasiums_distribution(task):
    spec = get_task(task)
    native, env = testing.NativeTask(spec.native, 5), make_env(spec)
    env.reset(seed=5)
    mine = np.array([native.reset() for _ in range(3000)])
    theirs = np.array([env.reset()[0] for _ in range(3000)])
    np.testing.assert_allclose(mine.min(axis=0), theirs.min(axis=0), atol=5e-3)
    np.testing.assert_allclose(mine.max(axis=0), theirs.max(axis=0), atol=5e-3)
    atol = max(5e-3, 0.02 * np.ptp(theirs, axis=0).max())
    np.testing.assert_allclose(mine.std(axis=0), theirs.std(axis=0), atol=atol)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_se_step_equals_the_torch_se(activation, isa):
    rng = np.random.default_rng(0)
    for layers in (1, 2, 3):
        for hidden in (1, 7, 83, 167):
            se = SyntheticEnvConfig(activation, hidden, layers)
            for task in ("CartPole-v0", "Acrobot-v1"):
                spec = get_task(task)
                psi = random_psi(se, task, seed=hidden)
                env = SyntheticEnv(spec.id, SECheckpoint(psi, spec.id, se))
                state, _ = env.reset(seed=1)
                for _ in range(5):
                    action = int(rng.integers(spec.n_actions))
                    got = testing.learned_step(
                        {"kind": "mdp", **dataclasses.asdict(se)},
                        [net[1:3] for net in layout(se, spec.obs_size, spec.n_actions)],
                        psi,
                        spec.n_actions,
                        state,
                        action,
                        isa,
                    )
                    state, reward, terminated, _, info = env.step(action)
                    scale = 1 + float(np.abs(state).max())
                    np.testing.assert_allclose(got[0], state, rtol=0, atol=1e-5 * scale)
                    assert got[1] == pytest.approx(reward, abs=1e-5 * scale)
                    assert got[2] == pytest.approx(info["raw_done"], abs=1e-5 * scale)
                    assert got[3] == (got[2] > 0.5)
                    if terminated:
                        state, _ = env.reset()


@pytest.mark.parametrize("isa", ISAS)
def test_activations_are_torchs_and_pass_nan_through(isa):
    x = np.concatenate([np.linspace(-12, 12, 100_001), [1e30, -1e30, 0.0, 1e-20]])
    x = x.astype(np.float32)
    t = torch.from_numpy(x).double()
    expected = {
        "tanh": torch.tanh(t),
        "relu": torch.relu(t),
        "leaky_relu": torch.nn.functional.leaky_relu(t),
        "prelu": torch.nn.functional.leaky_relu(t, 0.25),
    }
    for name, values in expected.items():
        got = testing.activate(name, x, isa)
        np.testing.assert_allclose(got, values, rtol=1e-6, atol=1e-6)
        for n in range(1, 40):  # wherever it stands in a vector
            ones = np.ones(n, np.float32)
            ones[-1] = np.nan
            assert np.isnan(testing.activate(name, ones, isa)[-1])


def test_initial_parameters_are_uniform_like_torchs_linear():
    config = {
        "algorithm": "ddqn",
        **dataclasses.asdict(DDQNConfig(hidden_size=400, activation="prelu")),
    }
    flat = testing.initial_parameters(config, 9, 3, 7, ISAS[0])
    first, rest = np.split(flat, [400 * 10])
    second, rest = np.split(rest, [400 * 401])
    last, slope = np.split(rest, [3 * 401])
    assert slope.tolist() == [0.25]
    for values, fan_in in ((first, 9), (second, 400), (last, 400)):
        bound = 1 / math.sqrt(fan_in)
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() >= 0.98 * bound
        assert values.mean() == pytest.approx(0, abs=0.1 * bound)
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)


@pytest.mark.parametrize("task", VECTOR_TASKS)
def test_scaled_observations_are_pythons_bit_by_bit(task):
    """Of the same raw ones: the dynamics are compared above."""
    spec, rng = get_task(f"Scaled/{task}"), np.random.default_rng(1)
    scaled = testing.NativeTask(spec.native, 0, spec.scale)
    raw = testing.NativeTask(spec.native, 0)
    python = ScaledObservations(gymnasium.make(spec.gymnasium_id), spec.scale)
    ended, spread = True, []
    for _ in range(3000):
        if ended:
            got, plain, ended = scaled.reset(), raw.reset(), False
        else:
            action = int(rng.integers(spec.n_actions))
            if spec.continuous:
                action = rng.uniform(-1, 1, spec.n_actions).astype(np.float32)
            got, reward, ended = scaled.step(action)
            plain, *outcome = raw.step(action)
            assert outcome == [reward, ended]
        assert got.tobytes() == python.observation(plain).tobytes()
        spread.append(got)
    assert 0.5 < np.abs(spread).max() < 2
