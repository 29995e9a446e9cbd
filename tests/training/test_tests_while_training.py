"""Tests while training, and held actions, mean the same to both engines."""

import dataclasses

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.errors import UserError
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from tests.helpers.engine_jobs import needs_engine

AGENT = DDQNConfig(
    train_episodes=12, init_episodes=2, test_episodes=3, hidden_size=8, batch_size=8
)
ENGINES = [pytest.param("native", marks=needs_engine), "torch"]


def trained(engine, **values):
    agent = {k: v for k, v in values.items() if hasattr(AGENT, k)}
    rest = {k: v for k, v in values.items() if k not in agent}
    job = TrainingJob("CartPole-v0", dataclasses.replace(AGENT, **agent), 5, **rest)
    with InnerLoop(engine) as loop:
        return loop.train_agents([job])[0]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_test_follows_every_episode_and_changes_no_training(engine):
    plain = trained(engine)
    tested = trained(engine, test_while_training=True)
    assert plain.curve_returns.size == 0
    assert tested.curve_returns.shape == (12,)
    assert tested.curve_steps.tolist() == np.cumsum(tested.episode_lengths).tolist()
    assert tested.episode_returns.tobytes() == plain.episode_returns.tobytes()
    assert tested.test_returns.tobytes() == plain.test_returns.tobytes()
    steps = tested.curve_returns.sum()  # CartPole: 1 per step
    assert tested.test_env_steps == plain.test_env_steps + steps


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("limit", [0, 130])
def test_tests_lie_so_many_steps_apart_and_the_last_episode_has_one(engine, limit):
    shared = {"test_while_training": True, "max_env_steps": limit}
    result = trained(engine, **shared, test_every=50)
    wanted, ends = [], np.cumsum(result.episode_lengths)
    for end in ends:
        if end - (wanted[-1] if wanted else 0) >= 50 or end == ends[-1]:
            wanted.append(end)
    assert 2 <= len(wanted) < len(ends)
    assert result.curve_steps.tolist() == wanted
    assert len(result.curve_returns) == len(wanted)
    plain = trained(engine, max_env_steps=limit)
    assert result.test_returns.tobytes() == plain.test_returns.tobytes()


def test_no_steps_between_tests_are_refused():
    with pytest.raises(UserError, match="test_every = 0: must be >= 1"):
        trained("torch", test_every=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_curve_is_that_of_the_seed(engine):
    first, second = (trained(engine, test_while_training=True) for _ in range(2))
    assert first.curve_returns.tobytes() == second.curve_returns.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_held_actions_are_counted_in_steps_of_the_task(engine):
    result = trained(engine, action_repeat=4, max_env_steps=100, train_episodes=99)
    assert 100 <= result.env_steps <= 103
    assert result.episode_returns.tolist() == result.episode_lengths.tolist()
    assert result.test_env_steps == result.test_returns.sum()
    assert np.all(result.episode_lengths <= 200)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_held_action_ends_with_the_step_limit(engine):
    result = trained(engine, action_repeat=7, train_episodes=300, hidden_size=32)
    assert result.episode_lengths.max() <= 200
