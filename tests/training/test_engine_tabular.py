"""Native gridworlds and tabular agents against those in Python, step by step."""

from __future__ import annotations

import dataclasses

import gymnasium
import numpy as np
import pytest

from se_hpo.agents import AGENTS, DivergedError, make_agent
from se_hpo.envs.gridworld import GRIDWORLDS, GridWorld
from se_hpo.training import native_engine, torch_engine
from se_hpo.training.jobs import TrainingJob
from tests.helpers.engine_jobs import needs_testing, testing, to_bytes, train
from tests.helpers.engine_random import EXPLORATION, EngineRandom

pytestmark = needs_testing

KINDS = [
    ("q_learning", {}),
    ("q_learning", {"count_bonus": 0.1, "lr": 0.37, "q_init": -1.5}),
    ("sarsa", {"lr": 0.7, "gamma": 0.93}),
    ("sarsa", {"next_action": "drawn", "count_bonus": 0.005, "lr": 0.3}),
]
EYE = np.eye(48, dtype=np.float32)
every_kind = pytest.mark.parametrize(("name", "values"), KINDS)
MAPS = {name: world.fields() for name, world in GRIDWORLDS.items()}
MAPS["one row"] = {**MAPS["Cliff-v0"], "map": "G.S#O"}
MAPS["one column"] = {**MAPS["Cliff-v0"], "map": "G\n.\nS\n#"}


@pytest.mark.parametrize("name", MAPS)
def test_the_native_gridworld_goes_where_pythons_goes(name):
    env = GridWorld(**MAPS[name])
    actions = np.random.default_rng(0).integers(4, size=20_000)
    walked = testing.walk(MAPS[name], len(env.cells), actions)
    env.reset()
    for action, *got in zip(actions, *(a.tolist() for a in walked), strict=True):
        expected = env.step(action)[:3]
        assert tuple(got) == expected
        if expected[2]:
            env.reset()


def native_agent(config, name, seed):
    fields = {"algorithm": name, **dataclasses.asdict(config)}
    isa = native_engine.isas()[0].replace("-", "_")
    return testing.TabularAgent(fields, 48, 4, seed, isa)


def make_both(name, seed, **values):
    """A native agent, and one in Python with the native generator."""
    config = AGENTS[name].config(**values)
    fields = {"algorithm": name, **dataclasses.asdict(config)}
    isa = native_engine.isas()[0].replace("-", "_")
    ours = make_agent(config, 48, 4, seed)
    ours.rng = EngineRandom(seed, EXPLORATION)
    return testing.TabularAgent(fields, 48, 4, seed, isa), ours


@every_kind
def test_actions_and_tables_stay_equal_to_the_last_bit(name, values):
    agents = make_both(name, seed=4, eps_init=0.4, eps_decay=0.99, **values)
    world, rng = GridWorld(**MAPS["Cliff-v0"]), np.random.default_rng(2)
    for episode in range(150):
        state, _ = world.reset()
        for agent in agents:
            agent.start_episode(episode)
        for _ in range(50):
            actions = [agent.act(EYE[state]) for agent in agents]
            assert actions[0] == actions[1]
            there, reward, ended, *_ = world.step(actions[0])
            done = float(ended) if episode % 3 else float(rng.uniform(-0.2, 1.2))
            for agent in agents:
                agent.remember(EYE[state], actions[0], reward / 7, EYE[there], done)
                agent.update()
            state = there
            if ended:
                break
        np.testing.assert_array_equal(agents[0].q, agents[1].q)
        best = [[agent.act_greedily(x) for x in EYE] for agent in agents]
        assert best[0] == best[1]
    assert np.abs(agents[0].q).max() > 5


@every_kind
@pytest.mark.parametrize("task", ["Cliff-v0", "HoleRoomLargeShifted-v0"])
def test_whole_trainings_are_the_same_with_the_same_generator(
    name, values, task, monkeypatch
):
    config = AGENTS[name].config(train_episodes=60, test_episodes=2, **values)

    def with_native_generator(*args, **kw):
        agent = make_agent(*args, **kw)
        agent.rng = EngineRandom(job.seed, EXPLORATION)
        return agent

    monkeypatch.setattr(torch_engine, "make_agent", with_native_generator)
    for seed in range(3):
        job = TrainingJob(task, config, seed, test_while_training=True)
        (native,) = train(job)
        assert to_bytes(native) == to_bytes(torch_engine.run_job(job))


@every_kind
def test_a_value_that_is_not_finite_ends_the_training_in_both(name, values):
    agents = make_both(name, seed=0, **{**values, "q_init": 1e308, "gamma": 1.0})
    for agent in agents:
        agent.remember(EYE[0], 0, 0.0, EYE[1], -3e38)
    assert not agents[0].update()
    with pytest.raises(DivergedError):
        agents[1].update()


@every_kind
def test_the_same_job_gives_the_same_bytes_whatever_the_threads(name, values):
    config = AGENTS[name].config(train_episodes=50, **values)
    jobs = [TrainingJob("Cliff-v0", config, seed) for seed in range(12)]
    one, three = train(*jobs), train(*jobs, n_threads=3)
    assert [to_bytes(r) for r in one] == [to_bytes(r) for r in three]
    assert len({to_bytes(r) for r in one}) > 6


def test_a_native_gridworld_of_ones_own_is_stepped_in_python(register_grid):
    config = AGENTS["q_learning"].config(train_episodes=30, test_episodes=1)
    (result,) = train(TrainingJob(register_grid, config, 0, stop_by_rule=False))
    assert result.score == pytest.approx(1 - 2 * 0.1)


@pytest.fixture
def register_grid():
    """An id of a map of one's own."""
    fields = {"step_reward": -0.1, "goal_reward": 1.0, "hole_reward": -1.0}
    gymnasium.register(
        "test/Own-v0",
        GridWorld,
        max_episode_steps=20,
        reward_threshold=0.7,
        kwargs={"map": "S.O\nO.G", **fields},
    )
    yield "test/Own-v0"
    del gymnasium.registry["test/Own-v0"]
