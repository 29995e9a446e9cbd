"""HalfCheetah: continuous actions, and reward networks that read the step's info."""

from dataclasses import fields, replace

import numpy as np
import pytest

from se_hpo.agents import AGENTS
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import initial_psi, n_parameters
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.registries import LEARNED
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from tests.helpers.mujoco import needs_mujoco
from tests.helpers.reward_networks import RN_KINDS

TASK = "HalfCheetah-v5"
READING = [kind.name for kind in RN_KINDS if hasattr(kind.config, "info_keys")]
STEPS = 120


def learned(kind, scale=1.0, task=TASK):
    config = LEARNED[kind].config()
    psi = initial_psi(config, get_task(task), np.random.default_rng(4))
    return LearnedEnv(config, np.float32(scale) * psi)


def train(rn=None, agent="td3", task=TASK, engine="auto", **values):
    small = {"batch_size": 8, "hidden_size": 8, "test_episodes": 1}
    own = {"init_episodes": 0, "max_env_steps": STEPS, **small, **values}
    job = TrainingJob(task, AGENTS[agent].config(**own), 3, rn, stop_by_rule=False)
    with InnerLoop(engine) as loop:
        return loop.train_agents([job])[0]


def as_bytes(result):
    return [np.asarray(getattr(result, f.name)).tobytes() for f in fields(result)]


@needs_mujoco
def test_td3_and_td3_with_icm_train_on_the_task():
    plain, curious = train(), train(agent="td3_icm", icm_hidden_size=8)
    for result in (plain, curious):
        assert (result.env_steps, result.stop_reason) == (STEPS, "max_env_steps")
        assert result.test_env_steps == 1000
    assert as_bytes(train()) == as_bytes(plain) != as_bytes(curious)


@needs_mujoco
@pytest.mark.parametrize("kind", [*READING, "additive_potential", "exclusive"])
def test_every_kind_of_reward_network_trains_an_agent(kind):
    result = train(learned(kind))
    assert result.test_returns.shape == (1,)
    assert (result.env_steps, result.stop_reason) == (STEPS, "max_env_steps")
    assert as_bytes(train(learned(kind))) == as_bytes(result)
    other = train(learned(kind, scale=2.0))
    assert not np.array_equal(other.episode_returns, result.episode_returns)


@needs_mujoco
def test_the_tasks_own_reward_is_a_weighted_sum_of_its_info():
    assert n_parameters(LEARNED["weighted_info"].config(), 17, 6) == 4
    rn = replace(learned("weighted_info"), psi=np.array([0, 0, 1, 1], np.float32))
    own, given = (train(x, engine="torch", init_episodes=1) for x in (None, rn))
    np.testing.assert_allclose(given.episode_returns, own.episode_returns, rtol=1e-5)


@pytest.mark.parametrize("kind", READING)
def test_kinds_that_read_the_info_are_refused_where_there_is_none(kind):
    task = "CartPole-v0"
    with pytest.raises(
        UserError, match=r"reads x_position.*CartPole-v0 has no numbers"
    ):
        train(learned(kind, task=task), "ddqn", task)


@needs_mujoco
def test_other_names_than_the_tasks_are_refused_with_those_that_it_has():
    rn = learned("additive_info")
    config = replace(rn.config, info_keys=("x_position", "x_velocity", "a", "b"))
    with pytest.raises(
        UserError, match=r"reads .*, a, b of .* has only x_position, x_v"
    ):
        train(replace(rn, config=config))


@needs_mujoco
def test_agents_of_discrete_actions_are_refused_with_those_that_can():
    with pytest.raises(UserError, match=r"'ddqn' takes discrete.*agents for it: td3"):
        train(agent="ddqn")
