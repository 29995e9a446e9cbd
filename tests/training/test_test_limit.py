"""A step limit of tests that is not the task's, and what a diverged agent then gets."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob, under_limit
from tests.helpers.engine_jobs import needs_engine

AGENT = DDQNConfig(
    train_episodes=2, init_episodes=1, test_episodes=2, hidden_size=4, batch_size=4
)
ENGINES = [pytest.param("native", marks=needs_engine), "torch"]
SE = SyntheticEnvConfig(hidden_size=3)


def result_of(engine, task="MountainCar-v0", agent=AGENT, psi=None, **values):
    if psi is None:
        psi = initial_psi(SE, get_task(task), np.random.default_rng(0))
    job = TrainingJob(task, agent, 3, LearnedEnv(SE, psi), **values)
    with InnerLoop(engine) as loop:
        return loop.train_agents([job])[0]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("limit", [150, 1000])
def test_tests_end_at_the_limit_and_trainings_at_the_tasks(engine, limit):
    plain = result_of(engine, test_while_training=True)
    assert plain.test_returns.tolist() == [-200, -200]
    result = result_of(engine, test_while_training=True, max_test_steps=limit)
    assert result.test_returns.tolist() == [-limit] * 2
    assert result.curve_returns.tolist() == [-limit] * len(plain.curve_returns)
    assert result.episode_lengths.tolist() == plain.episode_lengths.tolist()
    assert result.test_env_steps == limit * (2 + len(plain.curve_returns))


@pytest.mark.parametrize("engine", ENGINES)
def test_held_actions_end_at_the_limit_too(engine):
    agent = dataclasses.replace(AGENT, action_repeat=7)
    result = result_of(engine, agent=agent, max_test_steps=300)
    assert result.test_returns.tolist() == [-300, -300]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_diverged_agent_gets_the_worst_that_so_many_steps_can_come_to(engine):
    psi = initial_psi(SE, get_task("MountainCar-v0"), np.random.default_rng(0))
    psi[:] = np.nan
    for limit, worst in ((None, -200.0), (1000, -1000.0)):
        result = result_of(engine, psi=psi, max_test_steps=limit)
        assert result.stop_reason == "diverged"
        assert result.test_returns.tolist() == [worst, worst]


@pytest.mark.parametrize("engine", ENGINES)
def test_training_on_the_task_keeps_the_tasks_limit(engine):
    job = TrainingJob("MountainCar-v0", AGENT, 3, max_test_steps=1000)
    with InnerLoop(engine) as loop:
        result = loop.train_agents([job])[0]
    assert result.episode_lengths.max() <= 200
    assert result.test_returns.min() == -1000


class Endless(gymnasium.Env):
    """A task in Python that only a limit ends; each step costs 1."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        return np.zeros(2, np.float32), -1.0, False, False, {}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("on_task", [True, False])
def test_so_it_is_with_a_task_in_python(engine, on_task):
    env_id = "test/Endless-v0"
    gymnasium.register(env_id, Endless, reward_threshold=0.0, max_episode_steps=9)
    try:
        psi = initial_psi(SE, get_task(env_id), np.random.default_rng(0))
        learned = None if on_task else LearnedEnv(SE, psi)
        for limit in (5, 30):
            job = TrainingJob(env_id, AGENT, 3, learned, max_test_steps=limit)
            with InnerLoop(engine) as loop:
                result = loop.train_agents([job])[0]
            assert result.test_returns.tolist() == [-limit, -limit]
            assert result.episode_lengths.max() <= 9
            assert not on_task or result.episode_lengths.tolist() == [9, 9]
    finally:
        del gymnasium.registry[env_id]


def test_rollouts_may_be_tested_so_too():
    agent = PPOConfig(train_episodes=1, test_episodes=1, hidden_size=4)
    result = result_of("auto", agent=agent, max_test_steps=400)
    assert result.test_returns.tolist() == [-400]


@pytest.mark.parametrize(
    ("task", "limit", "worst"),
    [
        ("MountainCar-v0", 1000, -1000.0),
        ("MountainCar-v0", 100, -200.0),
        ("CartPole-v0", 1000, 8.0),
        ("Acrobot-v1", 750, -750.0),
    ],
)
def test_the_worst_return_is_never_better_than_the_tasks(task, limit, worst):
    spec = get_task(task)
    assert under_limit(spec, None) is spec
    found = under_limit(spec, limit)
    assert (found.max_steps, found.worst_return) == (limit, worst)


def test_a_limit_without_a_step_is_refused():
    with pytest.raises(UserError, match="max_test_steps = 0: must be >= 1, or None"):
        TrainingJob("CartPole-v0", AGENT, 1, max_test_steps=0)
