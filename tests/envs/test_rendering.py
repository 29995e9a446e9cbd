"""An SE's states are drawn as the task draws its own."""

import copy
import pickle
from functools import partial

import gymnasium
import numpy as np
import pytest

from se_hpo.envs.rendering import STATE_OF, StateRenderer
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError
from tests.helpers.learned_starts import KINDS, random_se
from tests.helpers.places import DATA

pytest.importorskip("pygame")
SE = DATA / "cartpole_se.safetensors"


@pytest.mark.parametrize("name", STATE_OF)
def test_a_state_of_the_task_is_drawn_as_the_task_draws_it(name: str) -> None:
    env = gymnasium.make(name, render_mode="rgb_array")
    observation, _ = env.reset(seed=3)
    if name == "Pendulum-v1":
        env.unwrapped.last_u = None  # no arrow of the last action
    drawn = StateRenderer(get_task(name), "rgb_array").draw(observation)
    np.testing.assert_array_equal(drawn, env.render())


def test_an_environment_renders_and_copies_render_too(tmp_path) -> None:
    env = gymnasium.make(
        "se_hpo:Synthetic/CartPole-v0", checkpoint=SE, render_mode="rgb_array"
    )
    env.reset(seed=1)
    first = env.render()
    env.step(1)
    assert first.shape == (400, 600, 3) and (first != env.render()).any()
    for other in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        np.testing.assert_array_equal(other.render(), env.render())
    env.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["CartPole-v1", "Scaled/CartPole-v1", "Pendulum-v1"])
def test_learned_starts_are_drawn_too(kind, name) -> None:
    se = random_se(kind, name)
    env = gymnasium.make("se_hpo:Synthetic", checkpoint=se, render_mode="rgb_array")
    observation, _ = env.reset(seed=1)
    first = env.render()
    assert first.dtype == np.uint8 and first.ndim == 3
    expected = StateRenderer(get_task(name), "rgb_array").draw(observation)
    np.testing.assert_array_equal(first, expected)
    other = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(other.render(), first)
    env.close()


def test_what_the_zoo_holds_is_drawn_and_before_a_reset_nothing() -> None:
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v1", render_mode="rgb_array")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.unwrapped.render()
    env.reset(seed=0)
    assert env.render().shape == (400, 600, 3)


def test_scaled_observations_are_drawn_as_what_they_are_of() -> None:
    task = get_task("Scaled/CartPole-v1")
    scaled = make_env(task)
    observation, _ = scaled.reset(seed=3)
    plain, _ = make_env(get_task("CartPole-v1")).reset(seed=3)
    drawn = StateRenderer(task, "rgb_array").draw(observation)
    same = StateRenderer(get_task("CartPole-v1"), "rgb_array").draw(plain)
    assert (drawn != same).mean() < 1e-3


def test_copies_that_cannot_be_drawn_say_what_can() -> None:
    made = partial(gymnasium.make_vec, "se_hpo:Synthetic/CartPole-v1", num_envs=2)
    with pytest.raises(UserError, match="vectorization_mode='sync'"):
        made(render_mode="rgb_array", vectorization_mode="vector_entry_point")
    drawn = made(render_mode="rgb_array", vectorization_mode="sync")
    drawn.reset(seed=0)
    assert len(drawn.render()) == 2


def test_states_that_no_task_has_are_drawn() -> None:
    renderer = StateRenderer(get_task("CartPole-v0"), "rgb_array")
    for state in ([np.nan] * 4, [np.inf, 0, -np.inf, 0], [1e30, 0, 1e30, 0]):
        assert renderer.draw(np.array(state)).dtype == np.uint8


def test_without_a_mode_nothing_is_drawn_and_other_modes_are_refused() -> None:
    env = gymnasium.make("se_hpo:Synthetic/CartPole-v0", checkpoint=SE)
    env.reset(seed=1)
    assert env.unwrapped.render() is None
    with pytest.raises(UserError, match="rgb_array"):
        StateRenderer(get_task("CartPole-v0"), "human")
    with pytest.raises(UserError, match="cannot be drawn"):
        StateRenderer(get_task("Cliff-v0"), "rgb_array")
