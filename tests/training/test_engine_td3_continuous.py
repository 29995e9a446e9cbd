"""Native TD3 for continuous actions: updates, actions, whole trainings."""

from __future__ import annotations

import dataclasses
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ks_2samp, kstest

from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.td3 import TD3
from se_hpo.agents.td3_config import TD3Config
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import n_parameters
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training import native_engine
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job, test_agent
from tests.helpers.engine_jobs import (
    SE,
    SMALL,
    forced_isa,
    needs_testing,
    task_job,
    to_bytes,
    train,
)
from tests.helpers.engine_td3_oracle import (
    ACTIONS,
    ISAS,
    NETWORKS,
    OBS,
    continuous_batches,
    expected,
    native,
    relative_errors,
)

pytestmark = needs_testing

SMALL_TD3 = TD3Config(
    train_episodes=3, test_episodes=2, init_episodes=1, batch_size=17, hidden_size=9
)
CAR, PENDULUM = "MountainCarContinuous-v0", "Pendulum-v1"
SIZES = [(1, 1), (17, 19), (122, 57), (192, 128), (199, 171), (300, 1), (1, 171)]


def job(seed: int = 0, task: str = PENDULUM, **agent: Any) -> TrainingJob:
    return task_job(seed, task, SMALL_TD3, **agent)


# Updates


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_one_update_equals_torch(activation, isa):
    for (batch, hidden), layers in product(SIZES, [1, 2, 3]):
        config = TD3Config(
            activation=activation,
            batch_size=batch,
            hidden_size=hidden,
            hidden_layers=layers,
            policy_delay=1,
        )
        # Adam's first step is as large for a gradient of rounding errors, which a unit
        # at the kink of a relu can have. A wrong update is off with any seed.
        errors = (relative_errors(config, 1, isa, seed) for seed in range(2))
        close = 1e-5 if batch > 1 else 1e-4
        assert any(max(p) <= 1e-5 and max(g) <= close for p, g in errors), config


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_200_updates_stay_close_to_torch(activation):
    config = TD3Config(activation=activation, batch_size=17, hidden_size=19, tau=0.01)
    for isa, delay in zip(ISAS, (2, 3, 1), strict=False):
        changed = dataclasses.replace(config, policy_delay=delay)
        assert max(relative_errors(changed, 200, isa)[0]) <= 1e-3, isa


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_torch_engine_updates_as_torchs_own_modules_do(activation):
    config = TD3Config(activation=activation, batch_size=40, hidden_size=21, lr=1e-3)
    before, after = expected(config, 7, 3)
    agent = TD3(config, OBS, ACTIONS, 3)
    pairs = {
        "actor": (agent.actor_adam.parameters, agent.actor_target_parameters),
        "critics": (agent.critics_adam.parameters, agent.critics_target_parameters),
    }
    for name, vectors in pairs.items():
        for vector, values in zip(vectors, before[name], strict=True):
            vector.copy_(torch.from_numpy(values))
    for rows in continuous_batches(7, 40, 3):
        s, a, s2, r, d, noise = map(torch.from_numpy, rows)
        agent.update_on((s, s2, r[:, None], d[:, None], a), noise)
    for name, vectors in pairs.items():
        for vector, values in zip(vectors, after[name], strict=False):
            np.testing.assert_allclose(vector, values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("isa", ISAS)
def test_a_saturated_actor_rests(isa):
    # Of however small a gradient, Adam makes a full step: at |output| > 9, where tanh
    # is 1 in float32, it must be 0.
    config = TD3Config(batch_size=25, hidden_size=9, policy_delay=1)
    agent = native(config, isa)
    online, target, _ = agent.get("actor")
    online[-ACTIONS:] = 20, -20, 30
    agent.set("actor", online, target)
    (rows,) = continuous_batches(1, 25, 0)
    assert agent.update(*rows)
    after, _, gradient = agent.get("actor")
    assert not gradient.any()
    assert np.array_equal(after, online)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["actor", "first", "second", "reward"])
def test_what_is_not_finite_is_noticed(where, value, isa):
    config = TD3Config(batch_size=25, hidden_size=9, policy_delay=1)
    (rows,) = continuous_batches(1, 25, 0)
    agent = native(config, isa)
    agent.begin_episode(config.init_episodes)
    if where == "reward":
        rows[3][24] = value
    elif where == "actor":
        online, target, _ = agent.get("actor")
        online[-1] = value
        agent.set("actor", online, target)
        assert agent.explore(np.ones(OBS)) is None
        assert agent.exploit(np.ones(OBS)) is None
        return
    else:  # the bias of an output, which no activation hides
        online, target, _ = agent.get("critics")
        online[len(online) // 2 - 1 if where == "first" else -1] = value
        agent.set("critics", online, target)
    assert not agent.update(*rows)


@pytest.mark.parametrize("isa", ISAS)
def test_nan_in_a_target_is_noticed(isa):
    for name in NETWORKS:
        agent = native(TD3Config(batch_size=25, hidden_size=9), isa)
        online, target, _ = agent.get(name)
        target[-1] = np.nan
        agent.set(name, online, target)
        (rows,) = continuous_batches(1, 25, 0)
        assert not agent.update(*rows)


# Actions


@pytest.mark.parametrize("isa", ISAS)
def test_actions_are_the_actors_with_clipped_noise_after_random_ones(isa):
    config = TD3Config(hidden_size=8, init_episodes=2, action_std=0.3)
    agent = native(config, isa, seed=3)
    online, target, _ = agent.get("actor")
    online[:] = 0
    online[-ACTIONS:] = 0.0, 0.5, 3.0
    agent.set("actor", online, target)
    greedy = agent.exploit(np.ones(OBS))
    np.testing.assert_allclose(greedy, np.tanh([0.0, 0.5, 3.0]), rtol=1e-6)
    for episode in (0, 1):
        agent.begin_episode(episode)
        random = np.array([agent.explore(np.ones(OBS)) for _ in range(2000)])
        assert kstest(random.ravel(), "uniform", (-1, 2)).pvalue > 1e-3
        assert abs(np.corrcoef(random.T)[0, 1]) < 0.1
    agent.begin_episode(2)
    noisy = np.array([agent.explore(np.ones(OBS)) for _ in range(3000)])
    assert kstest(noisy[:, 0] / 0.3, "norm").pvalue > 1e-3
    assert noisy.max() == 1.0
    assert abs((noisy[:, 2] == 1).mean() - 0.49) < 0.05  # 0.995 is nearly the end
    assert np.array_equal(agent.exploit(np.ones(OBS)), greedy)


# Whole trainings


def test_results_do_not_depend_on_threads_or_neighbours(monkeypatch):
    jobs = [
        job(1),
        job(2, CAR, action_repeat=4),
        task_job(3),
        job(4, batch_size=33, hidden_layers=3, activation="prelu", policy_delay=1),
        job(5, CAR, action_repeat=7),
    ]
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            expected = [to_bytes(r) for r in train(*jobs)]
            assert [to_bytes(r) for r in train(*jobs, n_threads=3)] == expected
            backwards = train(*jobs[::-1], n_threads=2)
            assert [to_bytes(r) for r in backwards] == expected[::-1]
            assert to_bytes(train(job(7))[0]) != expected[0]


@pytest.mark.parametrize(
    "field",
    [
        {"policy_delay": 3},
        {"action_std": 0.3},
        {"policy_std": 0.5},
        {"policy_std_clip": 0.01},
        {"action_repeat": 2},
        {"init_episodes": 2},
    ],
    ids=lambda field: next(iter(field)),
)
def test_every_field_matters(field):
    a, b = train(*(job(lr=1e-2, **more) for more in ({}, field)))
    assert to_bytes(a) != to_bytes(b)


@pytest.mark.parametrize(
    ("task", "repeat", "lengths"),
    [
        (CAR, 1, [250]),
        (CAR, 3, [252]),
        (CAR, 2000, [999]),
        (PENDULUM, 3, [200, 51]),  # the 67th decision is held for two steps
        (PENDULUM, 2000, [200, 200]),
    ],
)
def test_held_actions_are_counted_alike_by_both_engines(task, repeat, lengths):
    held = job(1, task, action_repeat=repeat, max_env_steps=250)
    (ours,), theirs = train(held), run_job(held)
    for result in (ours, theirs):
        assert result.episode_lengths.tolist() == lengths
        assert result.test_env_steps == 2 * get_task(task).max_steps


def test_a_held_action_stops_at_the_goal():
    # Full force to and fro from the start: the car gets there within 250 steps.
    class Swing(TD3):
        def act_greedily(self, state: np.ndarray) -> np.ndarray:
            return np.array([1.0 if state[1] >= 0 else -1.0], np.float32)

    agent = Swing(SMALL_TD3, 2, 1, 0)
    log = test_agent(agent, get_task(CAR), 3, seed=0, action_repeat=3)
    assert log.env_steps < 3 * 250
    per_step = (300 - sum(log.returns)) / log.env_steps
    assert per_step == pytest.approx(0.1)  # 0.1 a^2 per step, 100 once per episode


def test_exploding_values_diverge_to_the_worst_return():
    (result,) = train(job(lr=1e30))
    assert result.stop_reason == "diverged"
    assert result.test_returns.tolist() == [-1896.2] * 2


def test_it_learns_pendulum():
    config = TD3Config(
        batch_size=64, hidden_size=48, lr=3e-3, tau=0.02, init_episodes=5
    )
    limits = {"max_env_steps": 8000, "test_episodes": 10}
    config = dataclasses.replace(config, gamma=0.95, **limits)
    jobs = [task_job(seed, PENDULUM, config) for seed in range(5)]
    scores = sorted(r.score for r in train(*jobs, n_threads=2))
    assert scores[2] >= -250, scores


def test_an_agent_of_other_actions_is_refused_with_those_that_can():
    with pytest.raises(UserError, match=r"'ddqn' takes discrete.*agents for it:.* td3"):
        train(task_job(0, PENDULUM, SMALL))
    with pytest.raises(UserError, match="'td3' takes continuous actions"):
        train(job(task="CartPole-v0"))


def test_an_se_of_a_task_with_continuous_actions_is_refused_with_the_mend():
    spec = get_task(PENDULUM)
    psi = np.zeros(n_parameters(SE, spec.obs_size, spec.n_actions), np.float32)
    on_se = dataclasses.replace(job(), learned=LearnedEnv(SE, psi))
    for refuses in (
        lambda: train(on_se),
        lambda: run_job(on_se),
        lambda: InnerLoop("auto").engine_for(on_se),
        lambda: SyntheticEnv(PENDULUM, SECheckpoint(psi, PENDULUM, SE)),
    ):
        with pytest.raises(UserError, match=r"discrete actions.*Pendulum.*rn\.kind"):
            refuses()


@pytest.mark.slow
def test_both_engines_train_alike():
    config = TD3Config(
        batch_size=32,
        hidden_size=24,
        lr=3e-3,
        tau=0.02,
        gamma=0.95,
        init_episodes=5,
        max_env_steps=3000,
        test_episodes=5,
    )
    jobs = [task_job(seed, PENDULUM, config) for seed in range(30)]
    ours = [r.score for r in train(*jobs, n_threads=2)]
    theirs = [run_job(j).score for j in jobs]
    assert ks_2samp(ours, theirs).pvalue > 1e-3, (ours, theirs)
