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


def leaning_se() -> SECheckpoint:
    """One step of CartPole; pays for pushing to where the pole leans."""
    se = random_se("one_step", hidden_size=4)
    parts = _zeroed(se)
    spread = np.eye(4, dtype=np.float32)
    parts["init.0.weight"][:], parts["init.1.weight"][:] = spread, 2 * spread
    parts["init.1.bias"][:] = -0.8  # 2 relu(z) - 0.8: both signs
    reward, last = parts["reward.0.weight"], parts["reward.1.weight"]
    pole = np.array([0, 0, 1, 0.5])
    for unit, (action, sign) in enumerate([(0, -1), (1, 1)]):
        reward[unit, action], reward[unit, 2:] = 3, sign * pole
        last[0, unit] = 1
    parts["reward.0.bias"][:2] = -3
    return se


def aiming_se(task: str = "Pendulum-v1") -> SECheckpoint:
    """One step of a task with one continuous action a; pays -|a - 0.5|."""
    se = random_se("one_step", task, hidden_size=4)
    parts = _zeroed(se)
    parts["reward.0.weight"][:2, 0] = 1, -1
    parts["reward.0.bias"][:2] = -0.5, 0.5
    parts["reward.1.weight"][0, :2] = -1
    return se


def telling_se() -> SECheckpoint:
    """One step of CartPole from 0; the reward is the number of the action."""
    se = random_se("one_step", hidden_size=4)
    parts = _zeroed(se)
    parts["reward.0.weight"][0, 1] = parts["reward.1.weight"][0, 0] = 1
    return se


def _zeroed(se: SECheckpoint) -> dict[str, np.ndarray]:
    """Its tensors by name, views of its parameters, which are 0 now."""
    se.psi[:] = 0
    spec = get_task(se.task)
    return dict(split_psi(se.psi, se.se_config, spec.obs_size, spec.n_actions))
