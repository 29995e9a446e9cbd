"""Q-learning and SARSA: updates by hand, drawing, and what they learn on the cliff."""

import dataclasses

import numpy as np
import pytest

from se_hpo.agents import AGENTS, DivergedError, make_agent
from se_hpo.agents.q_learning_config import QLearningConfig
from se_hpo.agents.sarsa_config import SARSAConfig
from se_hpo.config.variation import vary_agent
from se_hpo.envs.gridworld import GRIDWORLDS, GridWorld
from se_hpo.errors import UserError
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.gridworlds import action_values

GREEDY = {"eps_init": 0.0, "eps_min": 0.0}
RANDOM = {"eps_init": 1.0, "eps_min": 1.0}
EYE = np.eye(3, dtype=np.float32)

both = pytest.mark.parametrize("name", ["q_learning", "sarsa"])


def make(name="q_learning", seed=0, **values):
    return make_agent(AGENTS[name].config(**values), 3, 2, seed)


def learn(agent, state, action, reward, next_state, done=0.0):
    agent.remember(EYE[state], action, reward, EYE[next_state], done)
    agent.update()


@both
def test_an_update_is_that_of_the_textbook(name):
    agent = make(name, lr=0.5, gamma=0.8, **GREEDY)
    agent.q[:] = [[1, 2], [3, 5], [7, 0]]
    learn(agent, 0, 0, -1.0, 1)
    assert agent.q[0, 0] == 1 + 0.5 * (-1 + 0.8 * 5 - 1)
    learn(agent, 1, 1, 2.0, 2, done=1.0)
    assert agent.q[1, 1] == 5 + 0.5 * (2 - 5)
    learn(agent, 2, 0, 0.0, 0, done=0.25)
    assert agent.q[2, 0] == 7 + 0.5 * (0.8 * 0.75 * 2 - 7)
    assert agent.q[[0, 1, 2], [1, 0, 1]].tolist() == [2, 3, 0], "the others stay"


@both
def test_the_bonus_falls_with_the_root_of_the_visits(name):
    agent = make(name, count_bonus=0.3, gamma=0.0)
    for n in range(1, 6):
        learn(agent, 0, 1, 1.0, 1)
        assert agent.q[0, 1] == pytest.approx(1 + 0.3 / np.sqrt(n))
    learn(agent, 0, 0, 1.0, 1)
    assert agent.q[0, 0] == pytest.approx(1.3), "each action has its own count"


@both
def test_the_table_starts_with_the_value_asked_for(name):
    assert make(name, q_init=-3.5).q.tolist() == [[-3.5] * 2] * 3


@both
def test_a_state_is_where_the_largest_number_is(name):
    agent = make(name, **GREEDY)
    agent.q[:] = [[0, 1], [1, 0], [2, 2]]
    seen = [np.array(x, np.float32) for x in ([0.3, 0.1, 0.2], [-2, -1, -9], [0, 0, 1])]
    assert [agent.act_greedily(x) for x in seen] == [1, 0, 0], "the first of equals"


@both
def test_epsilon_falls_once_per_episode_to_its_floor(name):
    agent = make(name, eps_init=0.8, eps_decay=0.5, eps_min=0.15)
    seen = []
    for episode in range(4):
        agent.start_episode(episode)
        seen.append(agent.epsilon)
    assert seen == [0.8, 0.4, 0.2, 0.15]


@both
def test_it_explores_as_often_as_epsilon_says_and_never_in_tests(name):
    agent = make(name, eps_init=0.3, eps_min=0.3)
    agent.q[0] = [1, 0]
    others = np.mean([agent.act(EYE[0]) for _ in range(4000)])
    assert others == pytest.approx(0.15, abs=0.02)
    assert not any(agent.act_greedily(EYE[0]) for _ in range(200))


@both
def test_a_value_that_is_not_finite_ends_the_training(name):
    agent = make(name, q_init=1e308, gamma=1.0, lr=1.0)
    with pytest.raises(DivergedError):
        learn(agent, 0, 0, 0.0, 1, done=-3e38)


def test_sarsa_takes_the_action_that_it_has_learned_from():
    agent = make("sarsa", gamma=1.0, **RANDOM)
    agent.start_episode(0)
    state, action, taken = 0, agent.act(EYE[0]), set()
    for step in range(60):
        agent.q[:] = [[10, 20], [30, 40], [50, 60]]
        there = (step + 1) % 3
        learn(agent, state, action, 0.0, there)
        target = agent.q[state, action]
        state, action = there, agent.act(EYE[there])
        assert target == [[10, 20], [30, 40], [50, 60]][state][action]
        taken.add((state, action))
    assert len(taken) == 6


def test_the_authors_sarsa_draws_the_action_to_take_again():
    agent = make("sarsa", gamma=1.0, next_action="drawn", **RANDOM)
    agent.start_episode(0)
    same = 0
    for _ in range(400):
        agent.q[:] = [[1, 1], [10, 20], [0, 0]]
        learn(agent, 0, 0, 0.0, 1)
        same += agent.act(EYE[1]) == [10, 20].index(agent.q[0, 0])
    assert 150 < same < 250


def test_the_action_drawn_at_an_episodes_end_is_not_taken_in_the_next():
    agent = make("sarsa", **RANDOM)
    starts = []
    for episode in range(200):
        agent.start_episode(episode)
        starts.append(agent.act(EYE[0]))
        learn(agent, 0, starts[-1], 0.0, 0)  # cut here by a step limit
        left = agent.next_action
        agent.start_episode(episode + 1)
        assert left is not None
        assert agent.next_action is None
    assert 60 < sum(starts) < 140


def test_a_cut_episode_is_bootstrapped_with_an_action_of_the_policy():
    agent = make("sarsa", gamma=0.5, **GREEDY)
    agent.q[:] = [[0, 0], [0, 8], [0, 0]]
    learn(agent, 0, 0, 1.0, 1, done=0.0)
    assert agent.q[0, 0] == 1 + 0.5 * 8


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"lr": 0.0}, r"lr = 0.0: must be in \(0, 1\]"),
        ({"lr": 1.5}, r"lr = 1.5: must be in \(0, 1\]"),
        ({"gamma": 1.01}, "gamma = 1.01"),
        ({"eps_min": -0.1}, "eps_min = -0.1"),
        ({"count_bonus": float("inf")}, "count_bonus = inf"),
        ({"q_init": float("nan")}, "q_init = nan: must be a finite number"),
        ({"next_action": "next"}, "next_action = 'next'"),
    ],
)
def test_values_out_of_range_are_refused_by_name(values, hint):
    with pytest.raises(UserError, match=hint):
        SARSAConfig(**values)


@both
def test_a_task_without_numbered_observations_is_refused_with_who_can(name):
    job = TrainingJob("CartPole-v0", AGENTS[name].config(), 0)
    with pytest.raises(UserError, match=rf"agent '{name}' .* agents for it: ddqn"):
        run_job(job)


def test_learning_rate_and_discount_vary_uniformly_in_the_papers_range():
    rng = np.random.default_rng(0)
    drawn = [vary_agent(QLearningConfig(), rng) for _ in range(2000)]
    for field in ("lr", "gamma"):
        values = [getattr(config, field) for config in drawn]
        assert 0.1 <= min(values) < 0.11
        assert 0.99 < max(values) <= 1
        quarters = np.histogram(values, 4, (0.1, 1))[0] / 2000
        np.testing.assert_allclose(quarters, 0.25, atol=0.04)
    rest = {dataclasses.replace(config, lr=1.0, gamma=0.8) for config in drawn}
    assert rest == {QLearningConfig()}


def cliff_job(config, seed):
    return TrainingJob("Cliff-v0", config, seed)


def test_q_learning_solves_the_cliff_in_about_as_many_steps_as_the_papers():
    config = QLearningConfig(stop_window=1, test_episodes=1)
    steps, scores = [], []
    for seed in range(11):
        curve = dataclasses.replace(cliff_job(config, seed), test_while_training=True)
        result = run_job(curve)
        steps.append(result.env_steps)
        scores.append(result.score)
    assert 700 < np.median(steps) < 1800, "1,100 to 1,450"
    assert min(scores) >= -20


def test_q_learning_finds_the_values_of_value_iteration():
    config = QLearningConfig(gamma=0.8, train_episodes=3000, eps_init=0.5, eps_min=0.5)
    agent = make_agent(config, 48, 4, 0)
    world = GridWorld(**GRIDWORLDS["Cliff-v0"].fields())
    eye = np.eye(48, dtype=np.float32)
    for episode in range(1500):
        agent.start_episode(episode)
        state, _ = world.reset()
        for _ in range(50):
            action = agent.act(eye[state])
            there, reward, ended, *_ = world.step(action)
            agent.remember(eye[state], action, reward, eye[there], float(ended))
            agent.update()
            state = there
            if ended:
                break
    best = action_values(world, discount=0.8)
    visited = agent.visits > 0
    state = 36
    for _ in range(12):  # along the best way
        action = int(best[state].argmax())
        assert visited[state, action]
        assert agent.q[state, action] == pytest.approx(best[state, action])
        world.state = state
        state = world.step(action)[0]
