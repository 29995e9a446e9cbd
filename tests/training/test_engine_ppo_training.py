"""PPO of the native engine: whole trainings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from se_hpo import seeding
from se_hpo.agents.config import ACTIVATIONS
from se_hpo.agents.ppo_config import VARIANTS, PPOConfig
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
    SMALL_PPO,
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


def ppo_job(
    seed: int = 0, psi: np.ndarray | None = None, **agent: object
) -> TrainingJob:
    return se_job(seed, psi, SMALL_PPO, **agent)


def test_results_do_not_depend_on_threads_or_neighbours(monkeypatch):
    jobs = [
        ppo_job(1),
        task_job(2, config=SMALL_PPO),
        ppo_job(3, batch_size=33, hidden_layers=3, activation="relu"),
        task_job(4, "MountainCar-v0", SMALL_PPO, train_episodes=3, gae_lambda=1.0),
        task_job(5, config=SMALL_PPO, variant="authors"),
        ppo_job(6, activation="prelu", init_episodes=4),
        task_job(7, "Pendulum-v1", SMALL_PPO, train_episodes=3, batch_size=7),
        task_job(8, "Pendulum-v1", SMALL_PPO, train_episodes=6, variant="authors"),
    ]
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            expected = [to_bytes(r) for r in train(*jobs)]
            assert [to_bytes(r) for r in train(*jobs, n_threads=3)] == expected
            backwards = train(*jobs[::-1], n_threads=2)
            assert [to_bytes(r) for r in backwards] == expected[::-1]
            assert to_bytes(train(ppo_job(9, jobs[0].learned.psi))[0]) != expected[0]


@pytest.mark.parametrize(
    "field",
    [
        {"rollout_steps": 60},
        {"batch_size": 20},
        {"epochs": 4},
        {"gamma": 0.5},
        {"gae_lambda": 0.0},
        {"clip_range": 0.01},
        {"ent_coef": 1.0},
        {"vf_coef": 0.1},
        {"max_grad_norm": 0.01},
        {"init_episodes": 3},
        {"variant": "authors"},
    ],
    ids=lambda field: next(iter(field)),
)
def test_every_field_matters(field):
    # On an SE the returns tell any other action.
    a, b = train(*(ppo_job(**more) for more in ({}, field)))
    assert to_bytes(a) != to_bytes(b)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_learns_cartpole(variant):
    config = PPOConfig(
        rollout_steps=256,
        epochs=10,
        update_episodes=8,
        lr=2e-3,
        gamma=0.98,
        variant=variant,
        max_env_steps=12_000,
    )
    jobs = [task_job(seed, config=config) for seed in range(5)]
    scores = sorted(r.score for r in train(*jobs, n_threads=2))
    assert scores[2] >= 180, scores


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_overflow_of_the_loss_diverges_at_the_same_step_as_in_torch(
    variant, monkeypatch
):
    # The errors, 1e20, are finite in float32, their squares are not.
    psi = constant_psi(done=0.0, reward=1e20)
    job = ppo_job(psi=psi, variant=variant, max_env_steps=1000)
    if variant == "authors":  # standardized, unless it is of a single step
        job = task_job(config=SMALL_PPO, variant=variant, lr=1e30)
    torch = run_job(job)
    assert torch.stop_reason == "diverged"
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            (native,) = train(job)
        assert native.stop_reason == "diverged"
        if variant == "standard":
            assert torch.env_steps == 50
            assert native.episode_returns.tolist() == torch.episode_returns.tolist()
        assert native.test_returns.tolist() == torch.test_returns.tolist()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_exploding_values_diverge(activation):
    psi = constant_psi(done=0.0, reward=1e30)
    (result,) = train(ppo_job(psi=psi, activation=activation, lr=1e30))
    assert result.stop_reason == "diverged"


def jobs(
    n: int, engine: str, base: PPOConfig, task: str = "CartPole-v0"
) -> list[TrainingJob]:
    """Agents with hyperparameters of their own on the task."""
    out = []
    for i in range(n):
        rng = seeding.generator(9, "ppo agreement", engine, i)
        seed = seeding.integer_seed(9, engine, i)
        out.append(TrainingJob(task, vary_agent(base, rng), seed))
    return out


BASE = PPOConfig(
    test_episodes=5,
    rollout_steps=200,
    batch_size=32,
    epochs=5,
    hidden_size=32,
    update_episodes=6,
    lr=3e-3,
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_short_trainings_agree_with_the_torch_engine(variant):
    base = dataclasses.replace(BASE, variant=variant, max_env_steps=900)
    native = train(*jobs(160, "native", base), n_threads=2)
    torch = [run_job(job) for job in jobs(12, "torch", base)]
    for value in (lambda r: len(r.episode_returns), lambda r: r.score):
        a, b = ([value(r) for r in results] for results in (native, torch))
        assert ks_2samp(a, b).pvalue > 1e-3, (np.mean(a), np.mean(b))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("task", ["CartPole-v0", "Pendulum-v1"])
def test_100_whole_trainings_agree_with_the_torch_engine(task, variant):
    base = dataclasses.replace(BASE, variant=variant, max_env_steps=6000)
    native = train(*jobs(200, "native", base, task), n_threads=2)
    pool = ProcessPool(2)
    try:
        torch = pool.run(jobs(100, "torch", base, task))
    finally:
        pool.close()
    for value in (lambda r: r.episode_returns.mean(), lambda r: r.score):
        a, b = ([value(r) for r in results] for results in (native, torch))
        assert ks_2samp(a, b).pvalue > 0.01, (np.mean(a), np.mean(b))


ODD = st.sampled_from([0, -1, 2**31, 2**63, 10**30])
COUNTS = st.one_of(*[st.integers(1, 40)] * 8, ODD)
FLOATS = st.one_of(
    *[st.floats(0, 3)] * 8, st.sampled_from([-1.0, 1e300, 5e-324, np.nan, np.inf])
)
COUNTED = ("rollout_steps", "batch_size", "epochs", "hidden_size", "update_episodes")
REAL = ("gae_lambda", "lr", "gamma", "clip_range", "ent_coef", "vf_coef", "action_std")
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "init_episodes": st.integers(0, 3),
        "hidden_layers": st.one_of(*[st.integers(1, 4)] * 8, ODD),
        "activation": st.sampled_from(ACTIVATIONS),
        "variant": st.sampled_from(VARIANTS),
        **{name: COUNTS for name in COUNTED},
        **{name: FLOATS for name in (*REAL, "max_grad_norm")},
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
        config = PPOConfig(**{**limits, "hidden_size": 8, "batch_size": 8, **agent})
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


@pytest.mark.parametrize("field", ["hidden_size", "rollout_steps", "epochs"])
def test_sizes_beyond_any_memory_are_refused_before_they_are_allocated(field):
    with pytest.raises(UserError, match=f"GiB|{field}"):
        train(ppo_job(**{field: 2**24 if field == "epochs" else 2**40}))
