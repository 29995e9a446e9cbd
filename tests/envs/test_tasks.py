import pickle
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from se_hpo.envs.tasks import (
    get_task,
    import_task,
    list_tasks,
    make_env,
    measure_random_returns,
    measure_task,
    returns_of,
    use_returns,
)
from se_hpo.errors import UserError
from tests.helpers.mujoco import HAVE_MUJOCO


class Corridor(gymnasium.Env):
    """Every step costs 1; action 1 ends the episode."""

    def __init__(self, observation_space=None, action_space=None):
        self.observation_space = observation_space or Box(-1, 1, (2, 3), np.float64)
        self.action_space = action_space or Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(self.observation_space.shape), {}

    def step(self, action):
        return np.ones(self.observation_space.shape), -1.0, action == 1, False, {}


@pytest.fixture
def register():
    """Registers `Corridor` for one test."""
    ids = []

    def register_corridor(env_id, threshold=-1.1, max_steps=50, **kwargs):
        gymnasium.register(
            env_id,
            Corridor,
            reward_threshold=threshold,
            max_episode_steps=max_steps,
            kwargs=kwargs,
        )
        ids.append(env_id)

    yield register_corridor
    for env_id in ids:
        gymnasium.registry.pop(env_id, None)


TASKS = [t for t in list_tasks() if HAVE_MUJOCO or t != "HalfCheetah-v5"]


@pytest.mark.parametrize("task", TASKS)
def test_measured_tasks_agree_with_gymnasium(task):
    spec, theirs = get_task(task), gymnasium.spec(get_task(task).gymnasium_id)
    with make_env(spec) as env:
        assert env.observation_space.shape == (spec.obs_size,)
        unit = Box(-1, 1, (spec.n_actions,), np.float32)
        discrete = Discrete(spec.n_actions)
        assert env.action_space == (unit if spec.continuous else discrete)
    if task != "CartPole-v0":  # Gymnasium knows it no more without a warning
        assert spec.max_steps == theirs.max_episode_steps
        ours = ("Pendulum-v1", "HalfCheetah-v5")
        assert spec.solved_return == theirs.reward_threshold or task in ours
    assert spec.worst_return <= spec.random_return < spec.solved_return


def test_random_returns_are_what_random_actions_return():
    spec = get_task("CartPole-v0")
    with make_env(spec) as env:
        mean, worst = measure_random_returns(env, seed=1, episodes=300)
    assert abs(mean - spec.random_return) < 2.5
    assert worst >= spec.worst_return


@pytest.mark.parametrize(
    ("task", "episodes", "mean", "worst"),
    [("MountainCarContinuous-v0", 10, 1.0, 0.5), ("Pendulum-v1", 100, 100.0, 0.0)],
)
def test_random_numbers_return_what_the_table_says(task, episodes, mean, worst):
    spec = get_task(task)
    with make_env(spec) as env:
        found = measure_random_returns(env, seed=1, episodes=episodes)
    assert abs(found[0] - spec.random_return) < mean
    assert found[1] >= spec.worst_return - worst


@pytest.mark.parametrize("task", ["CartPole-v0", "MountainCar-v0"])
def test_episodes_are_truncated_at_the_tasks_step_limit(task):
    spec = get_task(task)
    with make_env(spec) as env:
        env.reset(seed=0)
        env.unwrapped.state = np.zeros(spec.obs_size)
        for step in range(1, spec.max_steps + 1):
            if task == "CartPole-v0":
                env.unwrapped.state = np.zeros(spec.obs_size)
            *_, terminated, truncated, _ = env.step(0)
            assert not terminated
            assert truncated == (step == spec.max_steps)


def test_making_the_tasks_warns_of_nothing(recwarn):
    for task in TASKS:
        make_env(get_task(task)).close()
    assert not recwarn.list


def test_any_gymnasium_id_becomes_a_task(register):
    register("test/Corridor-v0")
    spec = get_task("test/Corridor-v0")
    assert (spec.obs_size, spec.n_actions, spec.native) == (6, 2, None)
    assert (spec.solved_return, spec.max_steps) == (-1.1, 50)
    assert np.isnan([spec.random_return, spec.worst_return]).all()
    spec = measure_task("test/Corridor-v0")
    assert abs(spec.random_return + 2) < 0.4  # geometric with p = 1/2
    assert spec.worst_return <= -4
    assert get_task("test/Corridor-v0") == spec
    with make_env(spec) as env:
        state, _ = env.reset()
        assert state.shape == (6,)


def test_a_task_whose_observations_are_flattened_can_be_pickled(register):
    register("test/Pickled-v0")
    with make_env(get_task("test/Pickled-v0")) as env:
        state, _ = pickle.loads(pickle.dumps(env)).reset()
    assert (state.shape, state.dtype) == ((6,), np.float64)


class Pushed(Corridor):
    """Gives back the action that reached it."""

    def step(self, action):
        self.action = action
        return np.ones(self.observation_space.shape), 0.0, False, False, {}


def pushed(low, high, dtype=np.float32):
    """A task made of `Pushed`, and its environment."""
    space = Box(np.array(low, dtype), np.array(high, dtype), dtype=dtype)
    gymnasium.register(
        "test/Pushed-v0",
        Pushed,
        reward_threshold=1.0,
        max_episode_steps=50,
        kwargs={"action_space": space},
    )
    try:
        spec = get_task("test/Pushed-v0")
        return spec, make_env(spec)
    finally:
        del gymnasium.registry["test/Pushed-v0"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_actions_of_a_box_are_scaled_and_their_ends_exact(dtype):
    low, high = [[0.1, -0.4], [-3.0, 0.0]], [[0.7, 0.4], [5.0, 1e30]]
    spec, env = pushed(low, high, dtype)
    assert (spec.continuous, spec.n_actions, env.action_space.shape) == (True, 4, (4,))
    env.reset()
    for unit, ends in ((-1, low), (1, high)):
        env.step(np.full(4, unit, np.float32))
        action = env.unwrapped.action
        assert action.dtype == dtype
        np.testing.assert_array_equal(action, np.array(ends, dtype))
    env.step(np.zeros(4, np.float32))
    middle = [[0.4, 0.0], [1.0, 5e29]]
    np.testing.assert_allclose(env.unwrapped.action, middle, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "space",
    [
        Box(-np.inf, np.inf, (1,)),
        Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float64),
        Box(-1.0, 1.0, (0,)),
        Box(2.0, 2.0, (1,)),
        Box(0, 5, (2,), np.int64),
    ],
    ids=["unbounded", "half", "empty", "one", "whole"],
)
def test_actions_that_cannot_be_scaled_are_refused_with_the_mend(register, space):
    register("test/Unbounded-v0", action_space=space)
    with pytest.raises(UserError, match="bounded Box actions; wrap") as caught:
        get_task("test/Unbounded-v0")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "hint"),
    [
        ("CartPol-v0", "did you mean 'CartPole-v0'"),
        ("Acrobot-v3", "did you mean 'Acrobot-v1'"),
        ("Nothing/Like-This-v7", "known: Acrobot-v1, CartPole-v0"),
        ("no id at all", "known: Acrobot-v1"),
        ("", "known: Acrobot-v1"),
        ("no_such_module:CartPole-v1", "No module named 'no_such_module'"),
        ("Blackjack-v1", "observations Tuple"),
    ],
)
def test_unusable_tasks_are_refused_with_the_mend(task, hint):
    with pytest.raises(UserError, match=hint) as caught:
        import_task(task)
    assert "\n" not in str(caught.value)


def test_gymnasium_ids_without_threshold_or_limit_are_refused(register):
    register("test/NoThreshold-v0", threshold=None)
    register("test/NoLimit-v0", max_steps=None)
    register("test/NaN-v0", threshold=float("nan"))
    register("test/Text-v0", threshold="ten")
    register("test/TooEasy-v0", threshold=-30.0)
    register("test/Shifted-v0", action_space=Discrete(2, start=1))
    for name, hint in [
        ("NoThreshold", "reward_threshold"),
        ("NoLimit", "max_episode_steps"),
        ("NaN", "reward_threshold = nan: register it with a finite number"),
        ("Text", "reward_threshold = 'ten': register it with a finite number"),
        ("TooEasy", "a higher one"),
        ("Shifted", "actions from 0"),
    ]:
        with pytest.raises(UserError, match=hint):
            measure_task(f"test/{name}-v0")


def test_looking_a_task_up_plays_nothing_and_imports_nothing(
    register, monkeypatch, tmp_path
):
    (tmp_path / "payload_of_a_task.py").write_text("raise AssertionError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Corridor, "reset", None)
    register("test/Pure-v0")
    assert get_task("test/Pure-v0").obs_size == 6
    with pytest.raises(UserError, match="trust the module payload_of_a_task"):
        get_task("payload_of_a_task:Foo-v0")
    with pytest.raises(UserError, match="imported"):
        import_task("payload_of_a_task:Foo-v0")


def test_returns_that_were_told_are_used_and_measure_nothing(register, monkeypatch):
    register("test/Told-v0")
    use_returns("test/Told-v0", {"random_return": -3.0, "worst_return": "low"})
    assert np.isnan(get_task("test/Told-v0").random_return)
    use_returns("test/Told-v0", {"random_return": -3.0, "worst_return": -9.5})
    monkeypatch.setattr(Corridor, "reset", None)
    spec = measure_task("test/Told-v0")
    assert (spec.random_return, spec.worst_return) == (-3, -9.5)
    assert returns_of("test/Told-v0") == {"random_return": -3, "worst_return": -9.5}
    assert returns_of("CartPole-v0") is None, "the package knows them"


def test_another_environment_of_the_same_id_is_another_task(register):
    register("test/Same-v0")
    measure_task("test/Same-v0")
    del gymnasium.registry["test/Same-v0"]
    register("test/Same-v0", max_steps=9, action_space=Discrete(5))
    spec = get_task("test/Same-v0")
    assert (spec.max_steps, spec.n_actions) == (9, 5)
    assert np.isnan(spec.random_return)


def test_importing_tasks_and_checkpoints_does_not_import_torch():
    code = (
        "import sys, se_hpo, se_hpo.envs.tasks, se_hpo.envs.checkpoint;"
        "import se_hpo.training.inner_loop;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_task_that_never_ends_is_refused_before_it_is_played():
    class Endless(gymnasium.Env):
        observation_space = Box(-1.0, 1.0, (1,), np.float32)
        action_space = Discrete(2)

        def reset(self, *, seed=None, options=None):
            return np.zeros(1, np.float32), {}

        def step(self, action):
            raise AssertionError("played")

    gymnasium.register("Endless-v0", Endless, reward_threshold=1.0)
    try:
        with pytest.raises(UserError, match="step limit"):
            get_task("Endless-v0")
    finally:
        del gymnasium.registry["Endless-v0"]
