"""Gridworlds from maps: their rules, their best returns, Gymnasium's checks."""

import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from se_hpo.envs.gridworld import GRIDWORLDS, GridWorld
from se_hpo.envs.tasks import get_task, list_tasks, make_env, measure_random_returns
from se_hpo.errors import UserError
from tests.helpers.gridworlds import best_return, follow

RIGHT, LEFT, DOWN, UP = range(4)
BEST = {
    "EmptyRoom22-v0": 0.99,
    "EmptyRoom23-v0": 0.98,
    "EmptyRoom33-v0": 0.97,
    "EmptyRoom-v0": 0.93,
    "WallRoom-v0": 0.93,
    "HoleRoom-v0": 0.93,
    "HoleRoomLarge-v0": 0.91,
    "HoleRoomLargeShifted-v0": 0.83,
    "Cliff-v0": -12.0,
}

every_world = pytest.mark.parametrize("name", GRIDWORLDS)


def play(env, actions):
    """Reward, state and whether it ended, of each action from the start."""
    env.reset(seed=0)
    return [env.step(a)[:3] for a in actions]


@every_world
def test_value_iteration_finds_the_best_return(name):
    env = GridWorld(**GRIDWORLDS[name].fields())
    assert best_return(env) == pytest.approx(BEST[name])
    assert best_return(env) >= GRIDWORLDS[name].solved_return


@every_world
def test_gymnasium_finds_nothing_wrong(name):
    env = gymnasium.make(f"se_hpo:{name}", render_mode="ansi")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    assert env.spec.max_episode_steps == GRIDWORLDS[name].max_steps
    assert env.spec.reward_threshold == GRIDWORLDS[name].solved_return


def test_the_ids_are_there_by_the_module_that_gymnasium_imports():
    code = "import gymnasium; print(gymnasium.make('se_hpo:Cliff-v0').reset(seed=1))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (out.stdout, out.stderr) == ("(36, {})\n", "")


def test_the_best_way_along_the_cliff_is_free_at_its_end():
    with gymnasium.make("se_hpo:Cliff-v0") as env:
        steps = play(env, [UP, *[RIGHT] * 11, DOWN])
    assert [reward for _, reward, _ in steps] == [-1.0] * 12 + [0.0]
    assert [ended for *_, ended in steps] == [False] * 12 + [True]
    assert steps[-1][0] == 47


def test_a_fall_from_the_cliff_ends_the_episode():
    with gymnasium.make("se_hpo:Cliff-v0") as env:
        assert play(env, [RIGHT]) == [(37, -100.0, True)]


def test_who_does_nothing_on_the_cliff_pays_for_50_steps():
    with make_env(get_task("Cliff-v0")) as env:
        env.reset()
        answers = [env.step(LEFT)[1:4] for _ in range(50)]
    assert sum(reward for reward, *_ in answers) == -50
    assert [end[1:] for end in answers] == [(False, False)] * 49 + [(False, True)]


def test_borders_and_walls_hold_and_holes_end():
    wall = GridWorld(**GRIDWORLDS["WallRoom-v0"].fields())
    assert play(wall, [UP, LEFT, RIGHT, RIGHT]) == [
        (0, -0.01, False),
        (0, -0.01, False),
        (1, -0.01, False),
        (1, -0.01, False),
    ]
    hole = GridWorld(**GRIDWORLDS["HoleRoom-v0"].fields())
    assert play(hole, [RIGHT, RIGHT])[-1] == (2, -1.0, True)
    assert hole.step(LEFT)[:3] == (2, -1.0, True), "there is no way out"


def test_a_start_may_stand_anywhere_and_a_map_may_be_one_row():
    env = GridWorld("G.S", -1.0, 5.0, 0.0, render_mode="ansi")
    assert env.reset() == (2, {})
    assert env.render() == "G.X"
    assert play(env, [DOWN, LEFT, LEFT]) == [
        (2, -1.0, False),
        (1, -1.0, False),
        (0, 5.0, True),
    ]
    assert env.render() == "X.S"
    assert GridWorld("S\nG", 0, 1, 0).render() is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "lines of one length"),
        ("S.\n.", "lines of one length"),
        ("S.\n..\n", "lines of one length"),
        ("S?\n..", r"has '\?': its cells are S, G, O, #, \."),
        ("..\n.G", r"has 0 starts \(S\): give it one"),
        ("SS\n.G", "has 2 starts"),
    ],
)
def test_what_is_no_map_is_refused_with_the_mend(text, hint):
    with pytest.raises(UserError, match=hint) as caught:
        GridWorld(text, 0.0, 1.0, -1.0)
    assert "\n" not in str(caught.value)


@every_world
def test_it_is_a_task_with_one_hot_observations(name):
    spec, world = get_task(name), GRIDWORLDS[name]
    assert get_task(f"se_hpo:{name}") == spec
    assert name in list_tasks()
    cells = len(world.map.replace("\n", ""))
    assert (spec.obs_size, spec.n_actions) == (cells, 4)
    assert (spec.discrete_obs, spec.continuous) == (True, False)
    assert (spec.native, spec.native_fields) == ("gridworld", world.fields())
    with make_env(spec) as env:
        state, _ = env.reset(seed=0)
        assert state.dtype == np.float32
        assert state.tolist() == np.eye(cells)[env.unwrapped.state].tolist()
        assert env.observation_space.contains(state)


@every_world
def test_random_returns_are_what_random_actions_return(name):
    spec = get_task(name)
    with make_env(spec) as env:
        mean, worst = measure_random_returns(env, seed=1, episodes=400)
    room = 3 * (spec.solved_return - spec.worst_return) / 20
    assert abs(mean - spec.random_return) < room
    assert worst >= spec.worst_return - 1e-9


def test_the_greedy_way_of_value_iteration_is_the_best_one():
    env = GridWorld(**GRIDWORLDS["Cliff-v0"].fields())
    assert follow(env) == -12
