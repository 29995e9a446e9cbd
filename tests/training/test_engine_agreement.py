"""Both engines draw from the same distribution of whole trainings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import ks_2samp

from se_hpo import seeding
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.config.variation import vary_agent
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob, TrainingResult
from se_hpo.training.process_pool import ProcessPool
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import (
    constant_psi,
    forced_isa,
    needs_engine,
    random_psi,
    se_job,
    train,
)

pytestmark = needs_engine

BASE = DDQNConfig(
    train_episodes=40, test_episodes=5, init_episodes=2, batch_size=32, hidden_size=32
)
BASE = dataclasses.replace(BASE, hidden_layers=1, eps_decay=0.8, lr=3e-3)
SE = SyntheticEnvConfig(hidden_size=16)


def jobs(
    n: int, on_se: bool, native_engine: str, base: DDQNConfig = BASE
) -> list[TrainingJob]:
    """Agents with hyperparameters of their own; SEs are drawn anew for each."""
    out = []
    for i in range(n):
        rng = seeding.generator(8, "agreement", native_engine, int(on_se), i)
        agent = vary_agent(base, rng)
        seed = int(rng.integers(2**31)) if on_se else 0
        learned = LearnedEnv(SE, random_psi(SE, seed=seed)) if on_se else None
        seed = seeding.integer_seed(8, native_engine, int(on_se), i)
        out.append(TrainingJob("CartPole-v0", agent, seed, learned))
    return out


def assert_same_distribution(
    native: list[TrainingResult], torch: list[TrainingResult], level: float
) -> None:
    for value in (lambda r: r.env_steps, lambda r: r.score):
        a, b = ([value(r) for r in results] for results in (native, torch))
        assert ks_2samp(a, b).pvalue > level, (np.mean(a), np.mean(b))


@pytest.mark.parametrize("on_se", [True, False], ids=["se", "task"])
def test_short_trainings_agree(on_se):
    base = dataclasses.replace(BASE, train_episodes=20, max_env_steps=400)
    native = train(*jobs(160, on_se, "native", base), n_threads=2)
    torch = [run_job(job) for job in jobs(20, on_se, "torch", base)]
    assert_same_distribution(native, torch, level=0.001)  # rounding redraws all


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("on_se", [True, False], ids=["se", "task"])
def test_200_whole_trainings_agree(on_se):
    base = dataclasses.replace(BASE, train_episodes=200, max_env_steps=6000)
    native = train(*jobs(200, on_se, "native", base), n_threads=2)
    pool = ProcessPool(2)
    try:
        torch = pool.run(jobs(200, on_se, "torch", base))
    finally:
        pool.close()
    assert_same_distribution(native, torch, level=0.01)
    assert {r.stop_reason for r in native} == {r.stop_reason for r in torch}


def assert_same_shape(native: TrainingResult, torch: TrainingResult) -> None:
    """Same end after as many episodes and steps, cut off or not."""
    assert native.stop_reason == torch.stop_reason
    assert native.episode_lengths.shape == torch.episode_lengths.shape
    assert native.episode_returns.shape == torch.episode_returns.shape
    assert native.test_returns.shape == torch.test_returns.shape
    if native.stop_reason == "diverged":
        assert native.episode_lengths.tolist() == torch.episode_lengths.tolist()
        assert native.episode_returns.tolist() == torch.episode_returns.tolist()
        assert native.test_returns.tolist() == torch.test_returns.tolist()
        assert native.test_env_steps == torch.test_env_steps


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, -1])
def test_psi_that_is_not_finite_is_not_trained_on_at_all(at, bad):
    psi = random_psi()
    psi[at] = bad
    job = se_job(psi=psi)
    (native,) = train(job)
    assert_same_shape(native, run_job(job))
    assert native.stop_reason == "diverged"
    assert native.env_steps == len(native.episode_returns) == 0


@pytest.mark.parametrize("mean", [None, "sample", "batch"])
def test_an_overflow_of_the_squared_error_diverges_at_the_same_step(mean, monkeypatch):
    # The errors, 1e20, are finite in float32, their squares are not.
    job = se_job(psi=constant_psi(done=0.0, reward=1e20), max_env_steps=300)
    if mean:
        agent = DuelingDDQNConfig(
            **dataclasses.asdict(job.agent), feature_size=5, advantage_mean=mean
        )
        job = dataclasses.replace(job, agent=agent)
    torch = run_job(job)
    assert (torch.stop_reason, torch.env_steps) == ("diverged", 201)
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            assert_same_shape(train(job)[0], torch)


def overflowing_psi(se: SyntheticEnvConfig, second: float) -> np.ndarray:
    """The first layer's units are +inf; `second` times that goes into the second's."""
    psi = np.zeros_like(random_psi(se))
    for name, value in split_psi(psi, se, 4, 2):
        _, layer, kind = name.split(".")
        if layer == "0":
            value[...] = 3e38 if kind == "bias" else 0
            if kind == "weight":
                value[:, :2] = 3e38  # one of the actions
        elif layer == "1" and kind == "weight":
            value[...] = second
        elif layer == "2":
            value[...] = 0.25
    return psi


@pytest.mark.parametrize("hidden", [1, 7, 15, 16, 17])
@pytest.mark.parametrize("activation", ["relu", "tanh", "leaky_relu"])
@pytest.mark.parametrize("second", [-1.0, 1.0])
def test_what_ends_as_diverged_does_not_depend_on_the_width_of_vectors(
    hidden, activation, second, monkeypatch
):
    se = SyntheticEnvConfig(activation, hidden, 2)
    job = dataclasses.replace(
        se_job(max_env_steps=30), learned=LearnedEnv(se, overflowing_psi(se, second))
    )
    torch = run_job(job)
    # relu turns -inf into 0 and tanh any infinity into 1: these SEs are sound.
    sound = activation == "tanh" or (activation == "relu" and second < 0)
    assert (torch.stop_reason == "diverged") == (not sound)
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            (native,) = train(job)
        assert_same_shape(native, torch)
        assert native.episode_lengths.tolist() == torch.episode_lengths.tolist()


def test_parameters_that_do_not_fit_are_the_same_error_in_both_engines():
    job = dataclasses.replace(se_job(), task="Acrobot-v1")
    with pytest.raises(UserError, match=r"^psi is a float32 array") as by_torch:
        run_job(job)
    with pytest.raises(UserError, match=r"^job 0: psi is a float32 array") as by_native:
        train(job)
    assert str(by_native.value) == f"job 0: {by_torch.value}"


def test_both_engines_agree_on_deterministic_outcomes():
    """What no random number can change: lengths, stop reasons, divergence."""
    spec = get_task("CartPole-v0")
    good, bad = random_psi(SE), np.full_like(random_psi(SE), np.nan)
    for psi in (good, bad):
        for max_env_steps in (0, 123):
            agent = dataclasses.replace(
                BASE, train_episodes=4, max_env_steps=max_env_steps, test_episodes=2
            )
            job = TrainingJob("CartPole-v0", agent, 3, LearnedEnv(SE, psi))
            (native,), torch = train(job), run_job(job)
            assert_same_shape(native, torch)
            if psi is bad:
                assert native.test_returns.tolist() == [spec.worst_return] * 2
                assert native.test_returns.tolist() == torch.test_returns.tolist()
