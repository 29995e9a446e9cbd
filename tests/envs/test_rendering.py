"""An SE's states are drawn as the task draws its own."""

import copy
import pickle

import gymnasium
import numpy as np
import pytest

from se_hpo.envs.rendering import STATE_OF, StateRenderer
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
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
