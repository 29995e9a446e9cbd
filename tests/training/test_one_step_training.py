"""Trainings on one-step SEs: the engines agree, and what diverges never has a score."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.td3_config import TD3Config
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import split_psi
from se_hpo.envs.tasks import get_task
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine, to_bytes, train
from tests.helpers.learned_starts import aiming_se, leaning_se, random_se

TINY: dict[str, Any] = {
    **{"test_episodes": 3, "batch_size": 16, "hidden_size": 16, "hidden_layers": 1},
    **{"se_steps": 200, "lr": 5e-3, "activation": "relu"},
}
ROLLOUTS: dict[str, Any] = {"rollout_steps": 32, "epochs": 6, "se_steps": 384}
AGENTS = {
    "ddqn": DDQNConfig(**TINY),
    "dueling_ddqn": DuelingDDQNConfig(**TINY, feature_size=16),
    "dueling_ddqn batch": DuelingDDQNConfig(
        **TINY, feature_size=16, advantage_mean="batch"
    ),
    "td3_discrete": TD3DiscreteConfig(
        **TINY | {"se_steps": 300, "lr": 1e-2}, gumbel_anneal_updates=150
    ),
    "td3": TD3Config(**TINY),
    "ppo": PPOConfig(**TINY | ROLLOUTS),
    "ppo continuous": PPOConfig(**TINY | ROLLOUTS),
}
each_agent = pytest.mark.parametrize("name", AGENTS)
CONTINUOUS = ("td3", "ppo continuous")


def job_on(se: SECheckpoint, name: str, seed: int, **values: Any) -> TrainingJob:
    config = replace(AGENTS[name], **values)
    return TrainingJob(se.task, config, seed, LearnedEnv(se.se_config, se.psi))


def late(result: Any) -> float:
    """Mean reward of the last quarter of a training."""
    returns = result.episode_returns
    return float(np.mean(returns[-len(returns) // 4 :]))


@needs_engine
@each_agent
def test_agents_of_both_engines_are_as_good(name):
    se = aiming_se() if name in CONTINUOUS else leaning_se()
    by_native = train(*(job_on(se, name, seed) for seed in range(60)), n_threads=2)
    by_torch = [run_job(job_on(se, name, 1000 + seed)) for seed in range(8)]
    early = [float(np.mean(r.episode_returns[:64])) for r in by_native]
    assert np.mean([late(r) for r in by_native]) > np.mean(early) + 0.1, "they learn"
    # An engine whose agents never learn is told apart by each of these values.
    values = [late] if name in CONTINUOUS else [late, lambda r: r.score]
    for value in values:
        mine, theirs = ([value(r) for r in rs] for rs in (by_native, by_torch))
        told = np.mean(mine), np.mean(theirs)
        assert ks_2samp(mine, theirs).pvalue > 0.001, told


@needs_engine
@pytest.mark.parametrize("kind", ["one_step", "mdp_learned_start"])
def test_the_bytes_do_not_depend_on_the_threads(kind):
    jobs = [
        job_on(random_se(kind, task), name, seed)
        for seed in range(3)
        for name in AGENTS
        for task in ["Pendulum-v1" if name in CONTINUOUS else "CartPole-v0"]
    ]
    one, two = (map(to_bytes, train(*jobs, n_threads=n)) for n in (1, 2))
    assert list(one) == list(two)


@each_agent
@pytest.mark.parametrize("net", ["init", "reward"])
@pytest.mark.parametrize(
    "engine", ["torch", pytest.param("native", marks=needs_engine)]
)
def test_huge_weights_end_as_diverged_and_never_as_a_score(name, net, engine):
    task = "Pendulum-v1" if name in CONTINUOUS else "CartPole-v0"
    se, spec = random_se("one_step", task), get_task(task)
    for part, values in split_psi(se.psi, se.se_config, spec.obs_size, spec.n_actions):
        if part.startswith(net):
            values *= 3e38 if net == "init" else 1e15
    with np.errstate(over="ignore"):
        job = job_on(se, name, 0)
    result = run_job(job) if engine == "torch" else train(job)[0]
    assert result.stop_reason == "diverged"
    assert result.test_returns.tolist() == [spec.worst_return] * 3
    assert np.isfinite(result.score)
