"""Both engines draw from the same distribution of whole trainings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import ks_2samp

from se_hpo import seeding
from se_hpo.config import DDQNConfig, SyntheticEnvConfig
from se_hpo.jobs import TrainingJob, TrainingResult
from se_hpo.process_pool import ProcessPool
from se_hpo.tasks import get_task
from se_hpo.training import run_job
from se_hpo.variation import vary_agent
from tests.engine_jobs import needs_engine, random_psi, train

pytestmark = needs_engine

BASE = DDQNConfig(
    train_episodes=40, test_episodes=5, init_episodes=2, batch_size=32, hidden_size=32
)
BASE = dataclasses.replace(BASE, hidden_layers=1, eps_decay=0.8, lr=3e-3)
SE = SyntheticEnvConfig(hidden_size=16)


def jobs(
    n: int, on_se: bool, engine: str, base: DDQNConfig = BASE
) -> list[TrainingJob]:
    """Agents with hyperparameters of their own; SEs are drawn anew for each."""
    out = []
    for i in range(n):
        rng = seeding.generator(8, "agreement", engine, int(on_se), i)
        agent = vary_agent(base, rng)
        psi = random_psi(SE, seed=int(rng.integers(2**31))) if on_se else None
        seed = seeding.integer_seed(8, engine, int(on_se), i)
        out.append(TrainingJob("CartPole-v0", agent, seed, SE if on_se else None, psi))
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


def test_both_engines_agree_on_deterministic_outcomes():
    """What no random number can change: lengths, stop reasons, divergence."""
    spec = get_task("CartPole-v0")
    good, bad = random_psi(SE), np.full_like(random_psi(SE), np.nan)
    for psi in (good, bad):
        for max_env_steps in (0, 123):
            agent = dataclasses.replace(
                BASE, train_episodes=4, max_env_steps=max_env_steps, test_episodes=2
            )
            job = TrainingJob("CartPole-v0", agent, 3, SE, psi)
            (native,), torch = train(job), run_job(job)
            assert native.stop_reason == torch.stop_reason
            assert len(native.test_returns) == len(torch.test_returns)
            if psi is bad:
                assert native.test_returns.tolist() == [spec.worst_return] * 2
                assert native.test_returns.tolist() == torch.test_returns.tolist()
