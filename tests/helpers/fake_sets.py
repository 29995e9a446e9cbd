"""Sets of random SEs as `python -m se_hpo.train` writes them, without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.storage.files import write_json
from se_hpo.storage.paths import RunPaths, SESetPaths

AGENT = DDQNConfig(
    batch_size=8, hidden_size=8, hidden_layers=1, max_env_steps=300, init_episodes=2
)
CONFIG = RunConfig(agent=AGENT, se=SyntheticEnvConfig(hidden_size=8))


def make_sets(root: Path, n: int = 2, **changes: Any) -> RunPaths:
    """A run with a set of varied and a set of fixed SEs; the first SE is solved."""
    run = RunPaths(root)
    make_set(run.ses / "varied", "se_varied", n, **changes)
    make_set(run.ses / "fixed", "se_fixed", n, **changes)
    return run


def make_set(
    root: Path,
    train_env: str = "se_varied",
    n: int = 2,
    config: RunConfig = CONFIG,
    task: str = "CartPole-v0",
    solved: tuple[int, ...] = (0,),
) -> SESetPaths:
    config = replace(config, task=task)
    paths = SESetPaths(root)
    data = {
        "format": 1,
        "train_env": train_env,
        "task": task,
        "config": config.to_dict(),
        "seed": 0,
        "n_envs": n,
        "generations": 3,
        "origin": {},
        "versions": {},
        "attempts": [],
    }
    write_json(paths.set, data)
    for index in range(n):
        add_se(paths, train_env, index, config, index in solved)
    return paths


def add_se(
    paths: SESetPaths, train_env: str, index: int, config: RunConfig, solved: bool
) -> None:
    rng = np.random.default_rng([index, *train_env.encode()])
    psi = initial_psi(config.se, get_task(config.task), rng)
    save_se(paths.checkpoint(index), psi, config.task, config.se)
    outcome = SEOutcome(
        index=index,
        seed=index,
        train_env=train_env,
        task=config.task,
        solved=solved,
        solved_at=2 if solved else None,
        generations=3,
        best_score=196.0 if solved else 50.0 + index,
        final_score=40.0,
        reason="solved" if solved else "budget",
        trainings=100,
        env_steps_se=1000,
        env_steps_task=100,
        wall_seconds=1.0,
        cpu_seconds=1.0,
        engine="native",
        host="laptop",
    )
    write_json(paths.outcome(index), outcome.to_dict())
