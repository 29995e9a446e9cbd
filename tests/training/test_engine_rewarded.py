"""Reward networks in both engines: same rewards, same trainings, and who sees which."""

from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError
from se_hpo.training import native_engine
from se_hpo.training.environments import training_env
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, needs_testing, testing, train
from tests.helpers.reward_networks import INFO_TASK, RN_KINDS, random_rn

NATIVE = [pytest.param(kind, id=kind.name) for kind in RN_KINDS if kind.native]
ALL = [pytest.param(kind, id=kind.name) for kind in RN_KINDS]
each_terminal = pytest.mark.parametrize("terminal", ["zero", "network"])
AGENT = DDQNConfig(
    train_episodes=6,
    test_episodes=1,
    init_episodes=6,  # random networks differ, so that only lengths could agree
    stop_window=2,
    batch_size=8,
    hidden_size=8,
    gamma=0.9,
)


def learned(rn):
    return LearnedEnv(rn.se_config, rn.psi)


def native_task(rn, discount, isa):
    spec, kind = get_task(rn.task), kind_of(rn.se_config)
    config = {
        "kind": kind.name,
        "discount": discount,
        **dataclasses.asdict(rn.se_config),
    }
    nets = kind.layout(rn.se_config, spec.obs_size, spec.n_actions)
    return testing.LearnedTask(
        *(spec.native, dict(spec.native_fields), config),
        *([net[1:3] for net in nets], rn.psi, spec.obs_size, spec.n_actions),
        *(spec.discrete_obs, isa.replace("-", "_"), spec.continuous),
    )


@needs_testing
@each_terminal
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("task", ["CartPole-v0", "Acrobot-v1", "MountainCar-v0"])
def test_rewards_mean_the_same_to_both_engines(task, kind, terminal):
    spec, ends = get_task(task), 0
    for isa in native_engine.isas():
        rn = random_rn(kind, task, terminal_potential=terminal, hidden_layers=2)
        native, function = native_task(rn, 0.9, isa), RewardFunction(rn, 0.9)
        env, rng = make_env(spec).unwrapped, np.random.default_rng(0)
        for _ in range(4):
            state = native.reset()
            env.reset(seed=0)
            env.state = np.array(native.state)
            function.reset(state, {})
            for _ in range(60):
                action = int(rng.integers(spec.n_actions))
                state, reward, ended = native.step(action)
                theirs, task_reward, terminated, *_ = env.step(action)
                assert ended == terminated
                np.testing.assert_allclose(state, theirs, rtol=0, atol=1e-5)
                want = function.step(float(task_reward), state, terminated, {})
                assert reward == pytest.approx(want, abs=1e-5)
                if ended:
                    ends += 1
                    break
    assert ends or task != "CartPole-v0"


@needs_testing
@each_terminal
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("task", ["Cliff-v0", "WallRoom-v0"])
def test_tables_mean_the_same_to_both_engines(task, kind, terminal):
    rn = random_rn(kind, task, terminal_potential=terminal)
    isa = native_engine.isas()[0]
    native, function = native_task(rn, 0.9, isa), RewardFunction(rn, 0.9)
    env, rng, ends = make_env(get_task(task)), np.random.default_rng(0), 0
    for _ in range(20):
        theirs, info = env.reset()
        np.testing.assert_array_equal(native.reset(), theirs)
        function.reset(theirs, info)
        ended = False
        while not ended:
            action = int(rng.choice(4, p=[0.4, 0.1, 0.3, 0.2]))
            theirs, task_reward, terminated, truncated, info = env.step(action)
            state, reward, native_ended = native.step(action)
            np.testing.assert_array_equal(state, theirs)
            assert native_ended == terminated
            want = function.step(task_reward, theirs, terminated, info)
            assert reward == pytest.approx(want, abs=1e-5)
            ended, ends = terminated or truncated, ends + terminated
    assert ends


@needs_testing
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("task", ["MountainCarContinuous-v0", "Pendulum-v1"])
def test_continuous_actions_mean_the_same_to_both_engines(task, kind):
    rn = random_rn(kind, task)
    native = native_task(rn, 0.9, native_engine.isas()[0])
    function, rng = RewardFunction(rn, 0.9), np.random.default_rng(0)
    env = make_env(get_task(task))
    for _ in range(3):
        state = native.reset()
        env.reset(seed=0)
        env.unwrapped.state = np.array(native.state)
        function.reset(state, {})
        for _ in range(50):
            action = rng.uniform(-1, 1, 1).astype(np.float32)
            state, reward, ended = native.step_continuous(action)
            theirs, task_reward, terminated, *_ = env.step(action)
            np.testing.assert_allclose(state, theirs, rtol=0, atol=1e-4)
            assert ended == terminated
            want = function.step(float(task_reward), state, terminated, {})
            assert reward == pytest.approx(want, abs=1e-4)


@needs_engine
@pytest.mark.parametrize("kind", NATIVE)
@pytest.mark.parametrize("repeat", [1, 3])
def test_a_training_is_of_the_same_form_in_both_engines(kind, repeat):
    agent = dataclasses.replace(AGENT, action_repeat=repeat)
    job = TrainingJob("CartPole-v0", agent, 3, learned(random_rn(kind)))
    by_torch, (native,) = run_job(job), train(job)
    for result in (by_torch, native):
        assert result.stop_reason == "train_episodes"
        assert len(result.episode_lengths) == 6
        assert np.isfinite(result.episode_returns).all()
        # The reward is the network's, the tests' is the task's.
        assert (result.episode_returns != result.episode_lengths).all()
        assert 8 <= result.test_returns[0] == result.test_env_steps


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("repeat", [1, 3])
def test_one_reward_per_decision_however_long_an_action_is_held(kind, repeat):
    rn = random_rn(kind)
    spec, agent = get_task(rn.task), dataclasses.replace(AGENT, action_repeat=repeat)
    env = training_env(spec, learned(rn), 7, agent)
    task, function = make_env(spec), RewardFunction(rn, agent.gamma)
    task.reset(seed=7)
    state, info = task.reset()
    np.testing.assert_array_equal(env.reset(), state.astype(np.float32))
    function.reset(state.astype(np.float32), info)
    ended = False
    while not ended:
        total = 0.0
        for _ in range(repeat):
            state, reward, terminated, truncated, info = task.step(1)
            total += float(reward)
            if ended := terminated or truncated:
                break
        step = env.step(1)
        want = function.step(total, state.astype(np.float32), terminated, info)
        assert step.reward == pytest.approx(want, abs=1e-12)
        assert (step.done, step.ended) == (float(terminated), ended)


@needs_engine
@pytest.mark.parametrize("kind", NATIVE)
def test_only_tests_on_the_task_end_a_training(kind):
    """The network's returns are beyond the solved return; those of tests are not."""
    rn = random_rn(kind)
    rn.psi[-1] = 1e6  # bias of the output
    if rn.se_config.potential:
        rn.psi[-1] = -1e6
    for tests in (False, True):
        job = TrainingJob(
            "CartPole-v0", AGENT, 3, learned(rn), test_while_training=tests
        )
        for result in (run_job(job), *train(job)):
            assert result.stop_reason == "train_episodes"
            assert max(result.episode_returns) > 195
            assert len(result.curve_returns) == (6 if tests else 0)


class Poisoned(gymnasium.Wrapper):
    """A task whose rewards are NaN."""

    def step(self, action):
        state, _, terminated, truncated, info = self.env.step(action)
        return state, float("nan"), terminated, truncated, info


@pytest.mark.parametrize("kind", ALL)
def test_the_tasks_reward_never_reaches_an_agent_of_an_exclusive_kind(
    kind, monkeypatch
):
    """Where it is NaN in training; tests see the task as it is."""
    rn, made = random_rn(kind), []

    def poisoned(spec):
        made.append(make_env(spec))
        return Poisoned(made[-1]) if len(made) == 1 else made[-1]

    monkeypatch.setattr("se_hpo.training.environments.make_env", poisoned)
    result = run_job(TrainingJob(rn.task, AGENT, 3, learned(rn)))
    assert (result.stop_reason == "diverged") == kind.config.additive
    if kind.native and native_engine.available():
        made.clear()
        monkeypatch.setattr("se_hpo.training.native_engine.make_env", poisoned)
        job = TrainingJob(INFO_TASK, AGENT, 3, learned(random_rn(kind, INFO_TASK)))
        (result,) = train(job)
        assert (result.stop_reason == "diverged") == kind.config.additive
        assert len(made) > 1 or kind.config.additive


@needs_engine
@pytest.mark.parametrize("kind", NATIVE)
def test_rewards_of_the_network_never_reach_a_test(kind):
    """Whatever it gives: tests of agents that learn nothing are the task's alone."""
    agent = dataclasses.replace(AGENT, test_episodes=5)
    results = []
    for scale in (1.0, 1e3):
        job = TrainingJob(
            *("CartPole-v0", agent, 3, learned(random_rn(kind, scale=scale))),
            test_while_training=True,
        )
        results.append([run_job(job), *train(job)])
    plain = TrainingJob("CartPole-v0", agent, 3, test_while_training=True)
    results.append([run_job(plain), *train(plain)])
    for column in zip(*results, strict=True):
        assert len({r.test_returns.tobytes() for r in column}) == 1
        assert len({r.curve_returns.tobytes() for r in column}) == 1
        assert len({r.episode_returns.tobytes() for r in column}) == 3
        assert len({r.episode_lengths.tobytes() for r in column}) == 1


@needs_engine
def test_kinds_with_info_are_trained_by_torch():
    rn = random_rn("additive_info")
    job = TrainingJob(INFO_TASK, AGENT, 3, learned(rn))
    with InnerLoop("auto") as loop:
        assert loop.engine_for(job) == "torch"
    with pytest.raises(UserError, match=r"native engine has no reward network .*: use"):
        train(job)


@pytest.mark.parametrize("kind", [k for k in RN_KINDS if "info" in k.name])
def test_info_that_the_task_lacks_is_one_line_at_the_start(kind):
    rn = random_rn(kind, "CartPole-v0")
    with pytest.raises(UserError, match=r"reads speed, distance of .* CartPole-v0 has"):
        run_job(TrainingJob("CartPole-v0", AGENT, 3, learned(rn)))
