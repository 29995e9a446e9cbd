"""Tasks `Scaled/<id>`: bounds, spaces, Gymnasium ids, checkpoints, bad input."""

import json
import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env

import se_hpo
from se_hpo.envs import tasks
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.learned.reward_network import ExclusivePotentialConfig
from se_hpo.envs.mujoco_extra import make_theirs
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.registration import register_scaled_task, register_synthetic_env
from se_hpo.envs.scaling import (
    MEASURED,
    ScaledObservations,
    bounds_of,
    stored_bounds,
    unscaled,
)
from se_hpo.envs.tasks import get_task, import_task, list_tasks, make_env, measure_task
from se_hpo.errors import UserError
from tests.helpers.mujoco import HAVE_MUJOCO

SCALED = [
    f"Scaled/{task}"
    for task in list_tasks()
    if not tasks.known_task(task).discrete_obs
    and (HAVE_MUJOCO or task != "HalfCheetah-v5")
]
BOX = Box(
    np.array([-2.0, 0.0, -np.inf, -3.4e38]), np.array([6.0, np.inf, np.inf, 3.4e38])
)


class Wide(gymnasium.Env):
    """Observations of which one alone has bounds; the fourth never changes."""

    def __init__(self, space=BOX):
        self.observation_space, self.action_space = space, Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.seen(), {}

    def step(self, action):
        self.steps += 1
        return self.seen(), float(action), self.steps == 10, False, {}

    def seen(self):
        noise = self.np_random.uniform(-1, 1)
        numbers = [noise, self.steps, 123 + noise, 7.0]
        return np.array(numbers, self.observation_space.dtype).reshape(
            self.observation_space.shape
        )


@pytest.fixture
def wide():
    gymnasium.register("test/Wide-v0", Wide, reward_threshold=9.0, max_episode_steps=20)
    yield "test/Wide-v0"
    for env_id in (
        "test/Wide-v0",
        "Scaled/test.Wide-v0",
        "Synthetic/Scaled.test.Wide-v0",
    ):
        gymnasium.registry.pop(env_id, None)
    for known in (tasks._found, tasks._returns):
        known.pop("Scaled/test/Wide-v0", None)


@pytest.mark.parametrize("task", SCALED)
def test_a_scaled_task_is_the_task_but_for_its_observations(task):
    spec, base = get_task(task), get_task(task.removeprefix("Scaled/"))
    assert spec.id == task and len(spec.scale) == spec.obs_size
    for name in (
        "max_steps",
        "solved_return",
        "random_return",
        "worst_return",
        "native",
    ):
        assert getattr(spec, name) == getattr(base, name)
    low, high = np.array(spec.scale).T
    with make_env(spec) as env, make_env(base) as plain:
        env.action_space.seed(0)
        scaled, _ = env.reset(seed=3)
        raw, _ = plain.reset(seed=3)
        for _ in range(50):
            assert scaled.dtype == np.float32
            expected = 2 * (raw - low) / (high - low) - 1
            np.testing.assert_allclose(scaled, expected, rtol=0, atol=1e-6)
            action = env.action_space.sample()
            scaled, *outcome, _ = env.step(action)
            raw, *expected, _ = plain.step(action)
            assert outcome == expected
            if any(outcome[1:]):
                break


@pytest.mark.parametrize("task", SCALED)
def test_its_space_is_the_unit_box_where_the_tasks_has_bounds(task):
    with make_env(get_task(task)) as env:
        low, high = env.observation_space.low, env.observation_space.high
        plain = env.unwrapped.observation_space
    finite = np.isfinite(plain.low) & np.isfinite(plain.high)
    np.testing.assert_array_equal(low, np.where(finite, -1, -np.inf))
    np.testing.assert_array_equal(high, np.where(finite, 1, np.inf))


@pytest.mark.parametrize("env_id", MEASURED)
def test_the_bounds_in_the_package_are_what_random_episodes_show(env_id):
    if env_id == "HalfCheetah-v5" and not HAVE_MUJOCO:
        pytest.skip("needs MuJoCo")
    with make_theirs(env_id, gymnasium.spec(env_id)) as env:
        found = tasks._measured_bounds(f"Scaled/{env_id}", env)
    np.testing.assert_allclose(found, MEASURED[env_id], rtol=0.1)


def test_the_ends_of_the_bounds_are_exact_in_float32():
    with make_env(get_task("Scaled/MountainCar-v0")) as env:
        box = env.unwrapped.observation_space
        assert env.observation(box.low).tolist() == [-1, -1]
        assert env.observation(box.high).tolist() == [1, 1]


@pytest.mark.parametrize("task", SCALED)
def test_it_is_a_gymnasium_id_that_follows_its_api(task, recwarn):
    env = gymnasium.make(f"se_hpo:{task}")
    check_env(env, skip_render_check=True)
    spec = get_task(task)
    assert env.spec.max_episode_steps == spec.max_steps
    assert env.spec.reward_threshold == spec.solved_return
    with make_env(spec) as ours:
        state, _ = env.reset(seed=5)
        np.testing.assert_array_equal(state, ours.reset(seed=5)[0])
    again = gymnasium.make(env.spec)
    np.testing.assert_array_equal(again.reset(seed=5)[0], state)
    assert not [w for w in recwarn if "out of date" in str(w.message)]


def test_its_vector_environment_gives_the_same_observations():
    envs = gymnasium.make_vec("se_hpo:Scaled/CartPole-v0", num_envs=3)
    env = gymnasium.make("se_hpo:Scaled/CartPole-v0")
    observations, _ = envs.reset(seed=1)
    for i, observation in enumerate(observations):
        np.testing.assert_array_equal(observation, env.reset(seed=1 + i)[0])
    envs.close()


def test_a_task_of_ones_own_is_measured_where_it_has_no_bounds(wide):
    spec = measure_task("Scaled/test/Wide-v0")
    assert spec.scale == ((-2.0, 6.0), (0.0, 10.0), (122.0, 124.0), (6.0, 8.0))
    assert spec.random_return == measure_task(wide).random_return
    with make_env(spec) as env:
        box = env.observation_space
        assert box.low.tolist()[:3] == [-1, -1, -np.inf]
        assert box.high.tolist()[:3] == [1, np.inf, np.inf]
        state, _ = env.reset(seed=0)
        assert state[1] == -1 and state[3] == 0 and np.abs(state).max() <= 1
        assert pickle.loads(pickle.dumps(env)).reset(seed=0)[0].tolist() == list(state)


@pytest.mark.parametrize("dtype", [np.float64, np.uint8])
def test_observations_of_any_shape_and_type_are_flat_float32_ones(wide, dtype):
    space = Box(0, 255, (2, 2), dtype)
    gymnasium.registry["test/Wide-v0"].kwargs["space"] = space
    spec = get_task("Scaled/test/Wide-v0")
    assert spec.scale == ((0.0, 255.0),) * 4
    with make_env(spec) as env:
        env.unwrapped.seen = lambda: np.array([[0, 51], [204, 255]], dtype)
        state, _ = env.reset()
    assert state.dtype == np.float32
    np.testing.assert_allclose(state, [-1, -0.6, 0.6, 1], rtol=1e-6)


def test_bounds_that_were_told_are_those_of_the_task(wide):
    task = "Scaled/test/Wide-v0"
    measured = json.loads(json.dumps(tasks.returns_of(task)))
    assert stored_bounds(measured["scale"]) == get_task(task).scale
    told = measured | {"scale": [[-1, 1], [0, 5], [0, 200], [0, 9]]}
    tasks.use_returns(task, told)
    assert get_task(task).scale == ((-1, 1), (0, 5), (0, 200), (0, 9))
    for wrong in ("all", [[1, 0]] * 4, [[0, float("nan")]] * 4, [1, 2], None):
        tasks.use_returns(task, measured | {"scale": wrong})
        assert get_task(task).scale == stored_bounds(measured["scale"])
    tasks.use_returns("test/Wide-v0", told)
    assert get_task("test/Wide-v0").scale == ()


def test_what_random_episodes_show_is_rounded_outwards_to_two_digits():
    endless = Box(-np.inf, np.inf, (4,))
    low, high = np.array([[-1.3945, 0.0012, -12345.0, 5.0], [1.61, 0.0017, 999.0, 5.0]])
    expected = ((-1.4, 1.7), (0.0012, 0.0017), (-13000.0, 1000.0), (4.0, 6.0))
    assert bounds_of(endless, low, high) == expected


@pytest.mark.parametrize(
    ("task", "base"),
    [
        ("Scaled/CartPole-v0", "CartPole-v0"),
        ("my.tasks:Scaled/lab/Pole-v1", "my.tasks:lab/Pole-v1"),
        ("lab/Scaled-v0", None),
        ("", None),
    ],
)
def test_the_id_inside_a_scaled_one(task, base):
    assert unscaled(task) == base


@pytest.mark.parametrize(
    ("task", "hint"),
    [
        ("Scaled/Cliff-v0", "nothing is to be scaled; write Cliff-v0"),
        ("Scaled/Scaled/CartPole-v0", "scaled twice: write Scaled/CartPole-v0"),
        ("se_hpo:Scaled/Scaled/Acrobot-v1", "twice: write se_hpo:Scaled/Acrobot-v1"),
        ("Scaled/json:Pole-v1", "write json:Scaled/Pole-v1"),
        ("Scaled/CartPol-v0", "did you mean 'Scaled/CartPole-v0'"),
        ("Scaled/", "known: Acrobot-v1"),
        ("Scaled", "unknown task"),
        ("no_such_module:Scaled/Pole-v1", "No module named 'no_such_module'"),
        ("Scaled/Blackjack-v1", "observations Tuple"),
    ],
)
def test_what_cannot_be_scaled_is_refused_with_the_mend(task, hint):
    with pytest.raises(UserError, match=hint) as caught:
        import_task(task)
    assert "\n" not in str(caught.value)


def se_for(task, path, config=None, **metadata):
    config = config or SyntheticEnvConfig(hidden_size=4)
    psi = initial_psi(config, get_task(task), np.random.default_rng(0))
    save_se(path, psi, task, config, metadata)
    return path


@pytest.mark.parametrize("env_id", ["Synthetic", "Synthetic/Scaled.CartPole-v0"])
def test_an_se_of_a_scaled_task_starts_in_scaled_states(tmp_path, env_id):
    path = se_for("Scaled/CartPole-v0", tmp_path / "se.safetensors")
    env = gymnasium.make(f"se_hpo:{env_id}", checkpoint=str(path))
    with make_env(get_task("Scaled/CartPole-v0")) as task:
        expected = task.reset(seed=4)[0]
    np.testing.assert_array_equal(env.reset(seed=4)[0], expected)
    assert env.spec.max_episode_steps in (200, None)
    envs = gymnasium.make_vec(f"se_hpo:{env_id}", num_envs=2, checkpoint=str(path))
    np.testing.assert_array_equal(envs.reset(seed=4)[0][0], expected)


def test_ids_of_ones_own_scaled_tasks_follow_the_rule_for_slashes(wide, tmp_path):
    assert register_synthetic_env("Scaled/test/Wide-v0") == (
        "Synthetic/Scaled.test.Wide-v0"
    )
    assert register_scaled_task(wide) == "Scaled/test.Wide-v0"
    with gymnasium.make("Scaled/test.Wide-v0") as env:
        assert env.reset(seed=0)[0][3] == 0
    path = se_for("Scaled/test/Wide-v0", tmp_path / "se.safetensors")
    assert gymnasium.make("Synthetic/Scaled.test.Wide-v0", checkpoint=str(path))


def test_a_checkpoint_says_how_observations_were_scaled(tmp_path):
    path = se_for("Scaled/CartPole-v0", tmp_path / "se.safetensors")
    found = load_se(path)
    assert found.task == "Scaled/CartPole-v0"
    assert stored_bounds(found.metadata["scale"]) == get_task(found.task).scale
    plain = load_se(se_for("CartPole-v0", tmp_path / "plain.safetensors"))
    assert "scale" not in plain.metadata
    with pytest.raises(UserError, match=r"for Scaled/CartPole-v0, not for CartPole"):
        load_se(path, "CartPole-v0")


@pytest.mark.parametrize("scale", [[[-1, 1]] * 4, "no", [], [[0, 1]]])
def test_a_checkpoint_that_was_scaled_otherwise_is_refused(tmp_path, scale):
    path = se_for("Scaled/CartPole-v0", tmp_path / "se.safetensors", scale=scale)
    with pytest.raises(UserError, match=r"scaled from .*, here Scaled/Cart") as caught:
        load_se(path)
    assert "\n" not in str(caught.value)


def test_so_is_one_of_a_task_of_ones_own(wide, tmp_path):
    task, path = "Scaled/test/Wide-v0", tmp_path / "se.safetensors"
    se_for(task, path)
    measured = tasks.returns_of(task)
    tasks.use_returns(task, measured | {"scale": [[-1.0, 1.0]] * 4})
    assert load_se(path).task == task, "a file is read where its task is unknown"
    with pytest.raises(UserError, match="scaled from"):
        gymnasium.make("se_hpo:Synthetic", checkpoint=str(path))


def test_a_reward_network_of_a_scaled_task_sees_scaled_observations(tmp_path):
    task, path = "Scaled/CartPole-v0", tmp_path / "rn.safetensors"
    config = ExclusivePotentialConfig(hidden_size=4)
    se_for(task, path, config, discount=0.9)
    made = gymnasium.make("se_hpo:Rewarded/Scaled.CartPole-v0", checkpoint=str(path))
    own = gymnasium.make("se_hpo:Scaled/CartPole-v0")
    wrapped = se_hpo.RewardNetwork(own, path)
    for env in (made, wrapped):
        env.reset(seed=1)
    outcomes = [env.step(1) for env in (made, wrapped)]
    np.testing.assert_array_equal(outcomes[0][0], outcomes[1][0])
    assert outcomes[0][1] == outcomes[1][1]
    envs = gymnasium.make_vec("se_hpo:Scaled/CartPole-v0", num_envs=2)
    many = se_hpo.RewardNetworkVector(envs, path)
    many.reset(seed=1)
    rewards = many.step(np.array([1, 1]))[1]
    assert rewards[0] == pytest.approx(outcomes[0][1], rel=1e-5)


@pytest.mark.parametrize("make", ["one", "vector"])
def test_a_reward_network_on_the_other_observations_is_refused(tmp_path, make):
    config = ExclusivePotentialConfig(hidden_size=4)
    for mine, other in [("", "se_hpo:Scaled/"), ("Scaled/", "")]:
        path = tmp_path / "rn.safetensors"
        se_for(f"{mine}CartPole-v1", path, config, discount=0.9)
        env_id, mend = f"{other}CartPole-v1", "scaled: take another environment"
        if make == "one":
            with pytest.raises(UserError, match=mend):
                se_hpo.RewardNetwork(gymnasium.make(env_id), path)
        else:
            with pytest.raises(UserError, match=mend):
                envs = gymnasium.make_vec(env_id, num_envs=2)
                se_hpo.RewardNetworkVector(envs, path)


def test_a_wrapper_remembers_what_it_was_made_with():
    env = gymnasium.make("se_hpo:Scaled/Pendulum-v1")
    names = [wrapper.name for wrapper in env.spec.additional_wrappers]
    assert ScaledObservations.__name__ in names
    copied = gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())
    np.testing.assert_array_equal(
        gymnasium.make(copied).reset(seed=2)[0], env.reset(seed=2)[0]
    )
