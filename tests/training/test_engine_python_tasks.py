"""The native engine on tasks that are stepped in Python."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading

import gymnasium
import numpy as np
import pytest

from se_hpo.envs.tasks import get_task
from se_hpo.training import environments, native_engine, torch_engine
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, task_job, to_bytes, train

pytestmark = needs_engine


class _Odd(gymnasium.Env):
    """Two numbers in, one action that pays; raises when told to."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)
    fail = False
    obs_size = 2
    steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.uniform(-1, 1, self.obs_size), {}

    def step(self, action):
        if self.fail:
            raise RuntimeError("the simulator broke")
        self.steps += 1
        observation = self.np_random.uniform(-1, 1, self.obs_size)
        reward = self.reward(action)
        return observation, reward, bool(observation[0] > 0.95), False, {}

    def reward(self, action):
        return float(action == 1)


@pytest.fixture
def odd_task(monkeypatch):
    """A task without a native implementation."""
    spec = dataclasses.replace(
        get_task("CartPole-v0"),
        id="Odd-v0",
        max_steps=20,
        obs_size=2,
        n_actions=3,
        native=None,
        solved_return=1e9,
    )
    env = type("Odd", (_Odd,), {})
    monkeypatch.setattr(native_engine, "measure_task", lambda task: spec)
    monkeypatch.setattr(
        native_engine,
        "make_env",
        lambda spec: gymnasium.wrappers.TimeLimit(env(), spec.max_steps),
    )
    return env


def test_python_task_trains_in_threads_and_is_deterministic(odd_task):
    jobs = [task_job(seed, "Odd-v0", train_episodes=60, lr=1e-2) for seed in range(4)]
    one, three = train(*jobs), train(*jobs, n_threads=3)
    assert [to_bytes(r) for r in one] == [to_bytes(r) for r in three]
    lengths = np.concatenate([r.episode_lengths for r in one])
    assert lengths.max() == 20
    assert lengths.min() < 20
    for result in one:  # always action 1: one per step
        assert result.test_returns.sum() > 0.8 * result.test_env_steps


def test_error_of_a_python_task_reaches_the_caller(odd_task):
    odd_task.fail = True
    with pytest.raises(RuntimeError, match="the simulator broke"):
        train(*(task_job(seed, "Odd-v0") for seed in range(3)), n_threads=2)


def test_python_tasks_are_closed_also_after_an_error(odd_task):
    made, closed = [], []
    odd_task.__init__ = lambda self: made.append(id(self))
    odd_task.close = lambda self: closed.append(id(self))
    train(*(task_job(seed, "Odd-v0", train_episodes=2) for seed in range(3)))
    assert len(made) == 6  # one to train on, one to test on
    assert sorted(closed) == sorted(made)
    made.clear(), closed.clear()
    odd_task.fail = True
    with pytest.raises(RuntimeError, match="broke"):
        train(task_job(0, "Odd-v0"))
    assert len(closed) == len(made) > 0


def test_an_interruption_goes_before_the_error_of_a_job(odd_task):
    def step(self, action):
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.5)  # until the main thread has seen it
        raise RuntimeError("the simulator broke")

    odd_task.step = step
    with pytest.raises(KeyboardInterrupt):
        train(task_job(0, "Odd-v0"))


def test_references_are_counted_under_the_gil(odd_task):
    """The build asserts it at every count; many makers at once would show the rest."""
    factories = []
    original = native_engine._callback

    def callback(spec):
        factories.append(original(spec))
        return factories[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_engine, "_callback", callback)
        jobs = [task_job(seed, "Odd-v0", train_episodes=1) for seed in range(8)]
        train(*jobs, n_threads=4)
    for factory in factories:
        # this list, the loop variable, getrefcount's argument
        assert sys.getrefcount(factory) == 3


def test_python_task_with_other_observations_is_refused(odd_task):
    odd_task.obs_size = 5
    with pytest.raises(RuntimeError, match="5 numbers instead of 2"):
        train(task_job(0, "Odd-v0"))


@pytest.mark.parametrize("observation", ["abc", [[1, 2], [3]], {"a": 1}])
def test_an_observation_that_is_no_numbers_is_pythons_own_error(odd_task, observation):
    odd_task.step = lambda self, action: (observation, 0.0, False, False, {})
    with pytest.raises((ValueError, TypeError), match=r"float|inhomogeneous"):
        train(task_job(0, "Odd-v0"))


def test_thread_locals_of_a_task_last_from_one_call_to_the_next(odd_task):
    def reset(self, *, seed=None, options=None):
        self.local = threading.local()
        self.local.reward = 2.0
        np.seterr(divide="ignore")
        return _Odd.reset(self, seed=seed)

    def reward(self, action):
        assert np.geterr()["divide"] == "ignore"
        return self.local.reward

    odd_task.reset, odd_task.reward = reset, reward
    jobs = [task_job(seed, "Odd-v0", train_episodes=3) for seed in range(3)]
    for result in train(*jobs, n_threads=2):
        np.testing.assert_array_equal(
            result.episode_returns, 2.0 * result.episode_lengths
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e39])
def test_a_reward_that_is_not_finite_in_the_test_diverges(odd_task, bad, monkeypatch):
    monkeypatch.setattr(torch_engine, "measure_task", native_engine.measure_task)
    monkeypatch.setattr(environments, "make_env", native_engine.make_env)
    odd_task.envs = 0

    def init(self):
        odd_task.envs += 1
        self.in_test = odd_task.envs % 2 == 0

    odd_task.__init__ = init
    odd_task.reward = lambda self, action: bad if self.in_test else 1.0
    job = task_job(0, "Odd-v0", train_episodes=3)
    (native,) = train(job)
    torch = run_job(job)
    worst = get_task("CartPole-v0").worst_return
    for result in (native, torch):
        assert result.stop_reason == "diverged"
        assert len(result.episode_returns) == 3
        assert set(result.test_returns) == {worst}
    assert native.test_env_steps == torch.test_env_steps == 1
