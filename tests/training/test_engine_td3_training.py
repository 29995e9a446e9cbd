"""Discrete TD3 of the native engine: whole trainings."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from se_hpo import seeding
from se_hpo.agents import AGENTS, kind_of, register_agent
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.config.variation import vary_agent
from se_hpo.envs.learned import LearnedEnv
from se_hpo.errors import UserError
from se_hpo.names import STOP_REASONS
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.process_pool import ProcessPool
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import (
    SE,
    SMALL_TD3,
    constant_psi,
    forced_isa,
    needs_engine,
    random_psi,
    se_job,
    task_job,
    to_bytes,
    train,
)

pytestmark = needs_engine


def td3_job(
    seed: int = 0, psi: np.ndarray | None = None, **agent: object
) -> TrainingJob:
    return se_job(seed, psi, SMALL_TD3, **agent)


def test_results_do_not_depend_on_threads_or_neighbours(monkeypatch):
    jobs = [
        td3_job(1),
        task_job(2),
        td3_job(3, batch_size=33, hidden_layers=3, activation="relu"),
        task_job(4, "MountainCar-v0", SMALL_TD3, train_episodes=3, gumbel_hard=True),
        task_job(5, "Acrobot-v1", SMALL_TD3, train_episodes=2, layer_norm=False),
        td3_job(6, activation="prelu", policy_delay=1),
    ]
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            expected = [to_bytes(r) for r in train(*jobs)]
            assert [to_bytes(r) for r in train(*jobs, n_threads=3)] == expected
            backwards = train(*jobs[::-1], n_threads=2)
            assert [to_bytes(r) for r in backwards] == expected[::-1]
            assert [to_bytes(train(job)[0]) for job in jobs] == expected
            assert to_bytes(train(td3_job(7, jobs[0].learned.psi))[0]) != expected[0]


@pytest.mark.parametrize(
    "field",
    [
        {"policy_delay": 3},
        {"action_std": 0.3},
        {"policy_std": 0.5},
        {"policy_std_clip": 0.01},
        {"gumbel_temperature": 0.5},
        {"gumbel_anneal_updates": 20},
        {"gumbel_hard": True},
        {"layer_norm": False},
    ],
    ids=lambda field: next(iter(field)),
)
def test_every_field_matters(field):
    # On an SE the returns tell any other action.
    a, b = train(*(td3_job(lr=1e-2, **more) for more in ({}, field)))
    assert to_bytes(a) != to_bytes(b)


def test_it_learns_cartpole():
    config = TD3DiscreteConfig(
        batch_size=48, hidden_size=48, hidden_layers=1, lr=2e-3, max_env_steps=8000
    )
    jobs = [task_job(seed, config=config) for seed in range(5)]
    scores = sorted(r.score for r in train(*jobs, n_threads=2))
    assert scores[2] >= 180, scores


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_psi_diverges_and_leaves_neighbours_alone(value):
    psi = random_psi()
    psi[3] = value
    alone = to_bytes(train(td3_job(1))[0])
    diverged, good = train(td3_job(9, psi), td3_job(1), n_threads=2)
    assert to_bytes(good) == alone
    assert diverged.stop_reason == "diverged"
    assert diverged.test_returns.tolist() == [8.0, 8.0]
    assert diverged.env_steps == diverged.test_env_steps == 0


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_exploding_values_diverge(activation):
    psi = constant_psi(done=0.0, reward=1e30)
    (result,) = train(td3_job(psi=psi, activation=activation, lr=1e30))
    assert result.stop_reason == "diverged"


@pytest.mark.parametrize("hard", [False, True])
def test_an_overflow_of_the_loss_diverges_at_the_same_step_as_in_torch(
    hard, monkeypatch
):
    # The errors, 1e20, are finite in float32, their squares are not.
    psi = constant_psi(done=0.0, reward=1e20)
    job = td3_job(psi=psi, max_env_steps=300, gumbel_hard=hard)
    torch = run_job(job)
    assert (torch.stop_reason, torch.env_steps) == ("diverged", 201)
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            (native,) = train(job)
        assert native.stop_reason == "diverged"
        assert native.episode_returns.tolist() == torch.episode_returns.tolist()
        assert native.test_returns.tolist() == torch.test_returns.tolist()


def jobs(n: int, native_engine: str, base: TD3DiscreteConfig) -> list[TrainingJob]:
    """Agents with hyperparameters of their own on the task."""
    out = []
    for i in range(n):
        rng = seeding.generator(9, "td3 agreement", native_engine, i)
        seed = seeding.integer_seed(9, native_engine, i)
        out.append(TrainingJob("CartPole-v0", vary_agent(base, rng), seed))
    return out


BASE = TD3DiscreteConfig(
    train_episodes=40,
    test_episodes=5,
    init_episodes=2,
    batch_size=32,
    hidden_size=32,
    hidden_layers=1,
    lr=3e-3,
    gumbel_anneal_updates=300,
)


def test_short_trainings_agree_with_the_torch_engine():
    base = dataclasses.replace(BASE, max_env_steps=200)
    native = train(*jobs(160, "native", base), n_threads=2)
    torch = [run_job(job) for job in jobs(8, "torch", base)]
    for value in (lambda r: len(r.episode_returns), lambda r: r.score):
        a, b = ([value(r) for r in results] for results in (native, torch))
        assert ks_2samp(a, b).pvalue > 1e-3, (np.mean(a), np.mean(b))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("hard", [False, True])
def test_100_whole_trainings_agree_with_the_torch_engine(hard):
    base = dataclasses.replace(
        BASE, train_episodes=100, max_env_steps=3000, hidden_layers=2, gumbel_hard=hard
    )
    native = train(*jobs(200, "native", base), n_threads=2)
    pool = ProcessPool(2)
    try:
        torch = pool.run(jobs(100, "torch", base))
    finally:
        pool.close()
    for value in (lambda r: r.env_steps, lambda r: r.score):
        a, b = ([value(r) for r in results] for results in (native, torch))
        assert ks_2samp(a, b).pvalue > 0.01, (np.mean(a), np.mean(b))


def test_a_replaced_agent_is_not_trained_natively(monkeypatch):
    monkeypatch.setitem(AGENTS, "td3_discrete", AGENTS["td3_discrete"])
    assert kind_of(SMALL_TD3).native
    register_agent("td3_discrete", TD3DiscreteConfig, AGENTS["ddqn"].make)
    assert not kind_of(SMALL_TD3).native
    with pytest.raises(UserError, match="no 'td3_discrete'"):
        train(td3_job())


def test_an_older_build_says_what_it_lacks(monkeypatch):
    old = SimpleNamespace(
        algorithms=lambda: ["ddqn"], usable_isas=lambda: ["x"], agent_bytes=None
    )
    monkeypatch.setattr(native_engine, "_engine", old)
    monkeypatch.setenv(native_engine.ISA_VARIABLE, "x")
    with pytest.raises(UserError, match="built before it had 'td3_discrete'"):
        train(td3_job())


ODD = st.sampled_from([0, -1, 2**31, 2**63, 10**30])
FLOATS = st.one_of(
    *[st.floats(0, 3)] * 8, st.sampled_from([-1.0, 1e300, 5e-324, np.nan, np.inf])
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": st.one_of(*[st.integers(1, 40)] * 8, ODD),
        "buffer_size": st.one_of(*[st.integers(1, 40)] * 8, ODD),
        "hidden_size": st.one_of(*[st.integers(1, 40)] * 8, ODD),
        "hidden_layers": st.one_of(*[st.integers(1, 4)] * 8, ODD),
        "init_episodes": st.integers(0, 3),
        "activation": st.sampled_from(ACTIVATIONS),
        "policy_delay": st.one_of(*[st.integers(1, 5)] * 8, ODD),
        "gumbel_anneal_updates": st.one_of(*[st.integers(0, 50)] * 8, ODD),
        "gumbel_hard": st.booleans(),
        "layer_norm": st.booleans(),
        **{k: FLOATS for k in ("lr", "gamma", "tau", "gumbel_temperature")},
        **{k: FLOATS for k in ("action_std", "policy_std", "policy_std_clip")},
    },
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    agent=FIELDS,
    on_se=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    task=st.sampled_from(["CartPole-v0", "Acrobot-v1", "MountainCar-v0"]),
    n_threads=st.sampled_from([1, 2]),
)
def test_any_job_gives_a_sound_result_or_a_user_error(
    agent, on_se, seed, task, n_threads
):
    limits = {"train_episodes": 3, "max_env_steps": 60, "test_episodes": 1}
    try:
        config = TD3DiscreteConfig(
            **{**limits, "hidden_size": 8, "batch_size": 8, **agent}
        )
        learned = LearnedEnv(SE, random_psi(SE, task)) if on_se else None
        job = TrainingJob(task, config, seed, learned)
        (result,) = native_engine.train_agents([job], n_threads)
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert result.stop_reason in STOP_REASONS
    assert len(result.test_returns) == 1
    assert np.isfinite(result.test_returns).all()
    assert 0 <= result.env_steps <= 60


def test_sizes_beyond_any_memory_are_refused_before_they_are_allocated():
    for fields in ({"hidden_size": 9000}, {"policy_delay": 2**60}):
        with pytest.raises(UserError, match=r"GiB|policy_delay"):
            train(td3_job(**fields))


LONG_TRAINING = """
from tests.helpers.engine_jobs import SMALL_TD3, constant_psi, se_job, train

psi = constant_psi(done=0.0)
jobs = [
    se_job(i, psi, SMALL_TD3, batch_size=512, hidden_size=512, hidden_layers=3,
           train_episodes=10**9, plateau_tolerance=0.0)
    for i in range(3)
]
print("started", flush=True)
try:
    train(*jobs, n_threads=2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(4)
"""


def test_ctrl_c_ends_a_training_that_would_never_end():
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_TRAINING], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        threading.Event().wait(0.5)  # let it get into an update
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert (rest, child.returncode) == ("interrupted\n", 4)
