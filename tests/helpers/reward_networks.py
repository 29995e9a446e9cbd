"""Reward networks with random parameters, and the tables that theory is tested on."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from se_hpo.envs.checkpoint import SECheckpoint
from se_hpo.envs.learned import LearnedKind
from se_hpo.envs.learned.reward_network import PotentialConfig, RewardNetworkConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.registries import LEARNED

RN_KINDS: list[LearnedKind] = [kind for kind in LEARNED.values() if kind.reward]
INFO_TASK = "tests/Talking-v0"
INFO_KEYS = ("speed", "distance")


class Talking(gymnasium.Env):
    """A walk on a line whose info has numbers, but not all of them after a reset."""

    observation_space = gymnasium.spaces.Box(-9, 9, (2,), np.float64)
    action_space = gymnasium.spaces.Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x, self.speed = float(self.np_random.uniform(-1, 1)), 0.0
        return self._state(), {"distance": abs(self.x)}

    def step(self, action):
        self.speed = float(action) - 1
        self.x += 0.3 * self.speed
        info = {"speed": np.float64(self.speed), "distance": abs(self.x), "why": "so"}
        return self._state(), -abs(self.x), abs(self.x) > 1.5, False, info

    def _state(self):
        return np.array([self.x, self.speed])


if INFO_TASK not in gymnasium.registry:
    gymnasium.register(
        id=INFO_TASK, entry_point=Talking, reward_threshold=5.0, max_episode_steps=9
    )


def rn_task(kind: LearnedKind) -> str:
    """A task that the kind can be learned for."""
    return INFO_TASK if hasattr(kind.config, "info_keys") else "CartPole-v0"


def rn_config(kind: LearnedKind, **fields: Any) -> RewardNetworkConfig:
    """A small network; `terminal_potential="zero"` is not refused where it is void."""
    terminal = fields.pop("terminal_potential", None)
    if hasattr(kind.config, "info_keys"):
        fields = {"info_keys": INFO_KEYS, **fields}
    config = kind.config(**{"hidden_size": 7, **fields})
    if terminal and isinstance(config, PotentialConfig):
        object.__setattr__(config, "terminal_potential", terminal)
    return config


def random_rn(
    kind: LearnedKind | str,
    task: str | None = None,
    seed: int = 0,
    scale: float = 3.0,
    metadata: dict[str, Any] | None = None,
    **fields: Any,
) -> SECheckpoint:
    """A reward network with random parameters for a task (None: one that fits)."""
    kind = LEARNED[kind] if isinstance(kind, str) else kind
    task, config = task or rn_task(kind), rn_config(kind, **fields)
    psi = initial_psi(config, get_task(task), np.random.default_rng(seed))
    return SECheckpoint(psi * np.float32(scale), task, config, metadata or {})
