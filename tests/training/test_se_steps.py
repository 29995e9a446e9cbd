"""Trainings of a fixed number of steps on an SE (`se_steps`), in both engines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.registry import AgentKind, make_agent
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.registries import AGENTS
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import (
    SE,
    SMALL,
    constant_psi,
    needs_engine,
    random_psi,
    to_bytes,
    train,
)
from tests.helpers.learned_starts import aiming_se, constant_se, random_se, telling_se
from tests.helpers.reward_networks import random_rn

engines = pytest.mark.parametrize(
    "train_one",
    [run_job, pytest.param(lambda job: train(job)[0], marks=needs_engine)],
    ids=["torch", "native"],
)
SHORT: dict[str, Any] = {"test_episodes": 1, "batch_size": 8, "hidden_size": 8}
ALGORITHMS = [DDQNConfig, TD3DiscreteConfig, PPOConfig]


def job_on(se: Any, config: AgentConfig, seed: int = 0) -> TrainingJob:
    return TrainingJob(se.task, config, seed, LearnedEnv(se.se_config, se.psi))


def mdp_job(config: AgentConfig, done: float = 0.0) -> TrainingJob:
    """On an SE with the same reward ever: the rule `plateau` would soon end it."""
    return TrainingJob("CartPole-v0", config, 0, LearnedEnv(SE, constant_psi(done)))


@engines
@pytest.mark.parametrize("steps", [1, 64, 150])
@pytest.mark.parametrize("agent", ALGORITHMS)
def test_a_training_takes_exactly_so_many_steps(agent, steps, train_one):
    # Other limits and rules are not looked at: each would end it earlier.
    config = agent(
        **SHORT, se_steps=steps, train_episodes=1, max_env_steps=7, init_episodes=0
    )
    config = replace(config, stop_window=1)
    jobs = [job_on(random_se("one_step"), config)]
    if agent is DDQNConfig:
        jobs += [mdp_job(config), mdp_job(config, done=1)]
        jobs += [job_on(constant_se("mdp_learned_start", max_steps=9), config)]
    for job in jobs:
        result = train_one(job)
        assert (result.env_steps, result.stop_reason) == (steps, "max_env_steps")


@dataclass(frozen=True)
class SpyConfig(AgentConfig):
    pass


class Spy:
    """Notes what it is asked for, step by step."""

    def __init__(self, *_: Any) -> None:
        self.acts, self.updates = 0, []
        self.seen: list[tuple[int, int]] = []
        made.append(self)

    def start_episode(self, episode: int) -> None:
        pass

    def at_step(self, step: int, total: int) -> None:
        assert step == self.acts, "before it acts"
        self.seen.append((step, total))

    def act(self, state: np.ndarray) -> int:
        self.acts += 1
        return 0

    def act_greedily(self, state: np.ndarray) -> int:
        return 0

    def remember(self, *_: Any) -> None:
        pass

    def update(self) -> None:
        self.updates.append(self.acts - 1)


made: list[Spy] = []


@pytest.fixture
def spy(monkeypatch):
    kind = AgentKind("spy", "Spy", SpyConfig, Spy)
    monkeypatch.setitem(AGENTS, "spy", kind)
    made.clear()
    return made


@pytest.mark.parametrize("first", [64, 0, 90, 200])
def test_learning_starts_at_a_step_and_the_agent_is_told_each(spy, first):
    default = {} if first == 64 else {"se_init_steps": first}
    config = SpyConfig(se_steps=150, test_episodes=1, init_episodes=0, **default)
    run_job(job_on(random_se("mdp_learned_start"), config))
    (agent,) = spy
    assert agent.seen == [(step, 150) for step in range(150)]
    assert agent.updates == list(range(first, 150))


def test_on_a_task_no_agent_is_told_of_steps(spy):
    config = SpyConfig(se_steps=150, test_episodes=1, train_episodes=3, init_episodes=1)
    run_job(TrainingJob("CartPole-v0", config, 0))
    (agent,) = spy
    assert not agent.seen and agent.updates


def explored(train_one: Any, total: int, **values: Any) -> np.ndarray:
    """Share of actions that were not greedy, per step, over agents that never learn."""
    config = DDQNConfig(
        **SHORT, se_steps=total, se_init_steps=total, eps_decay=0.5, **values
    )
    returns = [
        train_one(job_on(telling_se(), config, seed)).episode_returns
        for seed in range(40)
    ]
    # In the one state there is, an agent's greedy action is ever the same: the last.
    return np.mean([r != r[-1] for r in returns], axis=0)


@engines
def test_epsilon_falls_in_a_line_to_its_least_at_half_of_the_steps(train_one):
    share = explored(train_one, 40, eps_init=1.0, eps_min=0.0)
    epsilon = np.maximum(0, 1 - 2 * np.arange(40) / 40)
    assert not share[20:].any()
    for part in (
        slice(0, 10),
        slice(10, 20),
    ):  # half of the random ones are greedy, too
        expected = epsilon[part].mean() / 2
        np.testing.assert_allclose(share[part].mean(), expected, atol=0.08)


def test_epsilon_lies_between_the_agent_s_own_ends():
    config = DDQNConfig(**SHORT, eps_init=0.25, eps_min=0.05)
    agent = make_agent(config, 4, 2, seed=0)
    found = []
    for step in (0, 25, 50, 99):
        agent.start_episode(step)  # which alone would lower it by eps_decay
        agent.at_step(step, 100)
        found.append(agent.epsilon)
    np.testing.assert_allclose(found, [0.25, 0.15, 0.05, 0.05])


@engines
def test_td3_acts_at_random_up_to_the_step_from_which_it_learns(train_one):
    config = TD3Config(**SHORT, se_steps=100, action_std=0.0, lr=1e-30)
    for first in (64, 30):
        job = job_on(aiming_se(), replace(config, se_init_steps=first))
        returns = train_one(job).episode_returns
        assert len(set(returns[:first])) == first, "uniform"
        assert len(set(returns[first:])) == 1, "the actor's, in the one state there is"


@engines
def test_what_is_rewarded_before_learning_starts_is_learned_from_later(train_one):
    """And nothing is learned at all where learning starts only after the end."""
    config = DDQNConfig(**SHORT, se_steps=100, lr=0.02, eps_min=0.0)
    last = {
        first: [
            train_one(
                job_on(telling_se(), replace(config, se_init_steps=first), seed)
            ).episode_returns[-1]
            for seed in range(6)
        ]
        for first in (64, 100)
    }
    assert min(last[64]) == 1, "the action that pays"
    assert min(last[100]) == 0, "what it would have done at first"


@engines
def test_on_the_task_it_changes_nothing(train_one):
    jobs = [
        TrainingJob("CartPole-v0", replace(SMALL, se_steps=steps, train_episodes=3), 5)
        for steps in (None, 50)
    ]
    assert len({to_bytes(train_one(job)) for job in jobs}) == 1


@engines
def test_on_a_reward_network_it_changes_nothing(train_one):
    rn = random_rn("exclusive_potential", "CartPole-v0")
    jobs = [
        TrainingJob(
            rn.task,
            replace(SMALL, se_steps=steps, train_episodes=3),
            5,
            LearnedEnv(rn.se_config, rn.psi),
        )
        for steps in (None, 50)
    ]
    assert len({to_bytes(train_one(job)) for job in jobs}) == 1


@engines
def test_without_steps_an_se_is_trained_on_by_rule_as_ever(train_one):
    config = replace(SMALL, train_episodes=8, max_env_steps=100)
    learned = LearnedEnv(SyntheticEnvConfig(hidden_size=7), random_psi())
    result = train_one(TrainingJob("CartPole-v0", config, 1, learned))
    ever = train_one(
        TrainingJob("CartPole-v0", replace(config, se_init_steps=3), 1, learned)
    )
    assert to_bytes(result) == to_bytes(ever), "se_init_steps alone says nothing"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"se_steps": 0}, "DDQNConfig.se_steps = 0: must be >= 1"),
        ({"se_steps": -5}, "DDQNConfig.se_steps = -5"),
        ({"se_steps": "many"}, "DDQNConfig.se_steps = 'many'"),
        ({"se_steps": 1.5}, "DDQNConfig.se_steps = 1.5"),
        ({"se_steps": True}, "DDQNConfig.se_steps = True"),
        ({"se_init_steps": -1}, "DDQNConfig.se_init_steps = -1: must be >= 0"),
        ({"se_init_steps": None}, "DDQNConfig.se_init_steps = None"),
    ],
)
def test_no_number_of_steps_is_refused_in_one_line(values, told):
    with pytest.raises(UserError) as error:
        DDQNConfig(**values)
    assert str(error.value).startswith(told) and "\n" not in str(error.value)
