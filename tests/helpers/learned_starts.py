"""SEs with learned initial states for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned.mdp_learned_start import LearnedStartConfig
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import initial_psi, n_parameters, split_psi
from se_hpo.envs.tasks import get_task

CONFIGS = {"one_step": OneStepConfig, "mdp_learned_start": LearnedStartConfig}
KINDS = list(CONFIGS)
TASKS = ("CartPole-v0", "Acrobot-v1", "Pendulum-v1")


def random_se(kind: str, task: str = "CartPole-v0", **sizes: Any) -> SECheckpoint:
    """Random parameters; sizes are those of its configuration."""
    config = CONFIGS[kind](**sizes)
    psi = initial_psi(config, get_task(task), np.random.default_rng(3))
    return SECheckpoint(psi, task, config)


def constant_se(kind: str, done: float = 0.0, **sizes: Any) -> SECheckpoint:
    """Of CartPole; initial state (1, 2, 3, 4), each step adds 1, the reward is 5."""
    config = CONFIGS[kind](**sizes)
    psi = np.zeros(n_parameters(config, 4, 2), np.float32)
    last = config.hidden_layers
    values = {"init": [1, 2, 3, 4], "state": 1, "reward": 5, "done": done}
    for name, part in split_psi(psi, config, 4, 2):
        net, layer, what = name.split(".")
        if (layer, what) == (str(last), "bias"):
            part[:] = values[net]
    return SECheckpoint(psi, "CartPole-v0", config)


def random_action(rng: np.random.Generator, task: str) -> Any:
    """One of the task's actions."""
    spec = get_task(task)
    if spec.continuous:
        return rng.uniform(-1, 1, spec.n_actions).astype(np.float32)
    return int(rng.integers(spec.n_actions))
