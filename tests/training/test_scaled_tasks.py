"""Trainings on scaled tasks, with SEs and reward networks, in both engines."""

import dataclasses

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.sb3_config import SB3Config
from se_hpo.envs import tasks
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.scaling import ScaledObservations
from se_hpo.envs.tasks import get_task
from se_hpo.registries import AGENTS
from se_hpo.training.environments import training_env
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine

AGENT = DDQNConfig(
    train_episodes=3, init_episodes=1, test_episodes=2, hidden_size=8, batch_size=8
)
ENGINES = [pytest.param("native", marks=needs_engine), "torch"]


class Seen(gymnasium.Env):
    """Its observation is 0 or 10 and its reward 1 for action 1 at 10, else 0."""

    observation_space, action_space = Box(0.0, 10.0, (1,)), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = np.array([10.0], np.float32)
        return self.state, {}

    def step(self, action):
        reward = float(action == 1 and self.state[0] == 10)
        self.state = 10 - self.state
        return self.state, reward, False, False, {}


@pytest.fixture
def own():
    env_id = "test/Seen-v0"
    gymnasium.register(env_id, Seen, reward_threshold=30.0, max_episode_steps=20)
    yield f"Scaled/{env_id}"
    del gymnasium.registry[env_id]
    for known in (tasks._found, tasks._returns):
        known.pop(f"Scaled/{env_id}", None)


def trained(engine, task, agent=AGENT, learned=None):
    with InnerLoop(engine) as loop:
        return loop.train_agents([TrainingJob(task, agent, 7, learned)])[0]


def learned_for(task):
    config = SyntheticEnvConfig(hidden_size=4)
    psi = initial_psi(config, get_task(task), np.random.default_rng(2))
    return LearnedEnv(config, psi)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("on_task", [True, False])
def test_agents_of_either_engine_meet_other_observations(engine, on_task):
    agent = dataclasses.replace(AGENT, eps_init=0.5, lr=1e-2, train_episodes=12)
    found = [
        trained(engine, task, agent, None if on_task else learned_for(task))
        for task in ("CartPole-v0", "Scaled/CartPole-v0")
    ]
    assert found[0].episode_returns.tolist() != found[1].episode_returns.tolist()
    assert all(8 <= x <= 200 for result in found for x in result.test_returns)


def test_an_mdp_se_starts_in_scaled_states():
    spec = get_task("Scaled/MountainCar-v0")
    env = training_env(spec, learned_for(spec.id), 3, AGENT)
    plain = training_env(get_task("MountainCar-v0"), learned_for(spec.id), 3, AGENT)
    state, raw = env.reset(), plain.reset()
    low, high = np.array(spec.scale).T
    np.testing.assert_allclose(state, 2 * (raw - low) / (high - low) - 1, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("on_task", [True, False])
def test_a_task_in_python_is_scaled_once(engine, own, on_task, monkeypatch):
    given = []
    scale = ScaledObservations.observation

    def kept(self, observation):
        given.append(scale(self, observation))
        return given[-1]

    monkeypatch.setattr(ScaledObservations, "observation", kept)
    learned = None if on_task else learned_for(own)
    result = trained(engine, own, learned=learned)
    assert len(result.test_returns) == 2
    assert {float(x[0]) for x in given} == {-1.0, 1.0}


@needs_engine
def test_the_engine_is_told_nothing_of_scale_where_python_scales(own):
    from se_hpo.training.native_engine import _flatten

    flat = _flatten(0, TrainingJob(own, AGENT, 7))
    assert flat["task"]["native"] is None and "factory" in flat["task"]
    assert flat["task"]["factory"](1).reset().tolist() == [1.0]


def test_agents_of_stable_baselines3_get_scaled_observations(monkeypatch):
    pytest.importorskip("stable_baselines3")
    from se_hpo.agents.sb3 import SB3Agent

    config = dataclasses.replace(
        AGENTS["sb3:DQN"].config(), train_steps=60, test_episodes=1
    )
    assert isinstance(config, SB3Config)
    seen, act = [], SB3Agent.act_greedily

    def kept(self, state):
        seen.append(state)
        return act(self, state)

    monkeypatch.setattr(SB3Agent, "act_greedily", kept)
    run_job(TrainingJob("Scaled/MountainCar-v0", config, 1))
    positions = np.array(seen)[:, 0]
    assert positions[0] == pytest.approx(-2 / 9, abs=0.112), "of -0.6 to -0.4"
    assert np.abs(seen).max() <= 1 and np.array(seen)[:, 1].std() > 0.02
