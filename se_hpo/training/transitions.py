"""How an SE differs from its task, transition by transition (paper, Fig. 4).

DDQN agents are trained on one SE, as at its making, and then tested greedily on the
task. Three kinds of next states and rewards are counted: those the SE gave in
training (`se_training`), those of the task in the tests (`task_test`), and the SE's
answers to the very states and actions of those tests (`se_response`).
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from se_hpo import seeding
from se_hpo.agents import Agent, DivergedError, make_agent
from se_hpo.agents.base import Action
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.one_thread import OneThread
from se_hpo.envs.checkpoint import SECheckpoint, load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.se_net import module_of
from se_hpo.envs.tasks import TaskSpec, get_task
from se_hpo.training.environments import LearnedTrainingEnv, Step, TaskTrainingEnv
from se_hpo.training.torch_engine import train_agent

log = logging.getLogger(__name__)

KINDS = ("se_training", "task_test", "se_response")
MAX_ENV_STEPS = 8000
"""Steps of one agent's training: enough to learn on an SE, also where the first 2,000
only fill the buffer."""
_BINS = 80
_QUANTILES = (0.001, 0.999)


@dataclass
class _Recorded:
    """Rows of next state and reward, `n x (obs_size + 1)`, by kind."""

    rows: dict[str, list[np.ndarray]]

    def add(self, kind: str, next_state: np.ndarray, reward: float) -> None:
        self.rows[kind].append(np.append(next_state, np.float32(reward)))


class _RecordingEnv(LearnedTrainingEnv):
    """The SE in training, with every step written down."""

    def __init__(
        self, spec: TaskSpec, learned: LearnedEnv, seed: int, recorded: _Recorded
    ) -> None:
        super().__init__(spec, learned, seed)
        self._recorded = recorded

    def step(self, action: Action) -> Step:
        step = super().step(action)
        self._recorded.add("se_training", step.next_state, step.reward)
        return step


@OneThread()
def transition_counts(
    checkpoint: Path | str,
    agent: AgentConfig | None = None,
    n_agents: int = 10,
    seed: int = 0,
    max_env_steps: int = MAX_ENV_STEPS,
) -> pd.DataFrame:
    """Histograms of next states and rewards of one SE, as counts.

    Args:
        checkpoint: file of the SE.
        agent: hyperparameters of the agents; by default `DDQNConfig()`. Others than
            DDQN are replaced by it.
        n_agents: agents trained and tested.
        seed: root of everything random here.
        max_env_steps: of each agent's training, at most.

    Returns:
        One row per bin: `kind` (see `KINDS`), `quantity` (`state 0`, ..., `reward`),
        `left`, `right` (bin edges, common to the kinds), `count`; the first and last
        bins of a quantity reach to infinity. `n` is the number of transitions of that
        kind; `agents` how many were trained, `max_env_steps` for how long at most,
        `sha256` that of the checkpoint file.

    Raises:
        UserError: the file is missing or no SE.
    """
    se = load_se(checkpoint)
    spec = get_task(se.task)
    config = training_of(agent, max_env_steps)
    recorded = _Recorded({kind: [] for kind in KINDS})
    for index in range(n_agents):
        log.info("transitions of %s: agent %d of %d", checkpoint, index + 1, n_agents)
        root = seeding.integer_seed(seed, "transitions", index)
        _train_and_test(se, spec, config, root, recorded)
    frame = _counts(recorded, spec.obs_size)
    frame["agents"], frame["max_env_steps"] = n_agents, config.max_env_steps
    frame["sha256"] = file_sha256(checkpoint)
    return frame


def training_of(
    agent: AgentConfig | None, max_env_steps: int = MAX_ENV_STEPS
) -> DDQNConfig:
    """How the agents of `transition_counts` are trained."""
    config = agent if type(agent) is DDQNConfig else DDQNConfig()
    steps = min(config.max_env_steps or max_env_steps, max_env_steps)
    return dataclasses.replace(config, max_env_steps=steps)


def file_sha256(path: Path | str) -> str:
    """What a cached histogram is of: changes with the checkpoint."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _train_and_test(
    se: SECheckpoint, spec: TaskSpec, config: DDQNConfig, seed: int, recorded: _Recorded
) -> None:
    agent = make_agent(
        config, spec.obs_size, spec.n_actions, seeding.integer_seed(seed, "agent")
    )
    env = _RecordingEnv(
        spec,
        LearnedEnv(se.se_config, se.psi),
        seeding.integer_seed(seed, "environment"),
        recorded,
    )
    train_agent(agent, env, config, lambda log: env.stop_reason(log, config))
    try:
        inputs = _test(agent, spec, config.test_episodes, seed, recorded)
    except DivergedError:
        log.warning("an agent diverged: it is left out of the tests")
        return
    _respond(se, spec, inputs, recorded)


def _test(
    agent: Agent, spec: TaskSpec, episodes: int, seed: int, recorded: _Recorded
) -> np.ndarray:
    """Greedy episodes; returns concat(one-hot action, state) of each step."""
    env = TaskTrainingEnv(spec, seeding.integer_seed(seed, "test"), "bootstrap")
    one_hot, inputs = np.eye(spec.n_actions, dtype=np.float32), []
    for _ in range(episodes):
        state, ended = env.reset(), False
        while not ended:
            action = agent.act_greedily(state)
            inputs.append(np.concatenate([one_hot[action], state]))
            step = env.step(action)
            state, ended = step.next_state, step.ended
            recorded.add("task_test", state, step.reward)
    return np.array(inputs)


@torch.inference_mode()
def _respond(
    se: SECheckpoint, spec: TaskSpec, inputs: np.ndarray, recorded: _Recorded
) -> None:
    net, x = module_of(se), torch.from_numpy(inputs)
    next_state, reward, _ = net(x[:, : spec.n_actions], x[:, spec.n_actions :])
    rows = torch.cat([next_state, reward[:, None]], dim=1).numpy()
    recorded.rows["se_response"].extend(rows)


def _counts(recorded: _Recorded, obs_size: int) -> pd.DataFrame:
    names = [f"state {i}" for i in range(obs_size)] + ["reward"]
    values = {
        kind: np.array(rows, np.float64).reshape(-1, len(names))
        for kind, rows in recorded.rows.items()
    }
    parts = []
    for column, name in enumerate(names):
        edges = _edges(np.concatenate([rows[:, column] for rows in values.values()]))
        for kind, rows in values.items():
            finite = rows[np.isfinite(rows[:, column]), column]
            inner = np.clip(finite, edges[0], edges[-1])
            part = {
                "kind": kind,
                "quantity": name,
                "left": edges[:-1],
                "right": edges[1:],
                "count": np.histogram(inner, edges)[0],
                "n": len(rows),
            }
            parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def _edges(values: np.ndarray) -> np.ndarray:
    """Equal bins over the bulk of all values, so that outliers do not flatten it."""
    finite = values[np.isfinite(values)]
    low, high = np.quantile(finite, _QUANTILES) if finite.size else (0.0, 1.0)
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, _BINS + 1)
