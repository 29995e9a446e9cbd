"""The native engine's Python face: inner loops in C++, one thread per agent.

Means the same as the torch engine (`se_hpo.training`), at many times its speed; see
docs/engine.md. Where the extension was not built, `available()` is False.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from se_hpo.agents.config import DeepAgentConfig
from se_hpo.agents.registry import kind_of
from se_hpo.config import (
    AgentConfig,
    SyntheticEnvConfig,
    TD3DiscreteConfig,
)
from se_hpo.errors import UserError, did_you_mean
from se_hpo.jobs import TrainingJob, TrainingResult, check_no_psi
from se_hpo.tasks import TaskSpec, get_task, make_env

try:
    from se_hpo import _engine
except ImportError as error:  # not built, or built for another Python
    _engine = None
    _IMPORT_ERROR = str(error)

ISA_VARIABLE = "SE_HPO_ISA"
"""Environment variable that forces an instruction set (`x86-64-v2`)."""

MAX_JOB_BYTES = 4 * 2**30
"""Largest working memory of one agent, replay buffer aside."""

_LARGEST = {
    "batch_size": 2**20,
    "hidden_size": 2**16,
    "hidden_layers": 64,
    "feature_size": 2**16,
    "buffer_size": 2**31,
    "train_episodes": 2**53,
    "test_episodes": 2**31,
    "init_episodes": 2**53,
    "max_env_steps": 2**53,
    "stop_window": 2**53,
    "policy_delay": 2**53,
    "gumbel_anneal_updates": 2**53,
}


def available() -> bool:
    """Whether the native engine was built and this processor can run it."""
    return unavailable_reason() is None


def unavailable_reason() -> str | None:
    """Why the engine cannot be used, with the mend; None if it can."""
    if _engine is None:
        return f"{_IMPORT_ERROR}; install with a C++17 compiler to build it"
    if not _engine.usable_isas():
        return "this processor has none of the instruction sets it was built for"
    return None


def isas() -> list[str]:
    """Instruction sets that this processor can run, best first."""
    if _engine is None:
        return []
    return [name.replace("_", "-") for name in _engine.usable_isas()]


def isa() -> str:
    """The instruction set in use: the best, or the one `SE_HPO_ISA` names, if any.

    Raises:
        UserError: the engine is not available, or `SE_HPO_ISA` names no usable one.
    """
    if reason := unavailable_reason():
        raise UserError(f"the native engine is not available: {reason}")
    usable = isas()
    forced = os.environ.get(ISA_VARIABLE)
    if not forced:
        return usable[0]
    if forced not in usable:
        hint = did_you_mean(forced, usable)
        raise UserError(f"{ISA_VARIABLE}={forced!r} cannot be used here: {hint}")
    return forced


def train_agents(
    jobs: Sequence[TrainingJob], n_threads: int = 1
) -> list[TrainingResult]:
    """Train and test one agent per job.

    A result depends on its job alone (and on the instruction set): not on the other
    jobs, their order, or the number of threads.

    Args:
        jobs: any mix of tasks, algorithms and sizes.
        n_threads: threads that take jobs, longest first.

    Raises:
        UserError: the engine is not available, or a job is wrong.
        KeyboardInterrupt: after Ctrl-C, within half a second; of a task in Python, when
            its step returns.
    """
    name = isa()
    if type(n_threads) is not int or n_threads < 1:
        raise UserError(f"n_threads = {n_threads!r}: must be an integer >= 1")
    flat = [_flatten(i, job) for i, job in enumerate(jobs)]
    rows = _engine.train_agents(flat, min(n_threads, 4096), _internal(name))
    return [TrainingResult(*row) for row in rows]


def _internal(name: str) -> str:
    return name.replace("-", "_")


def _flatten(index: int, job: TrainingJob) -> dict[str, Any]:
    """The dictionary that csrc/bindings.cpp reads."""
    where = f"job {index}"
    if not isinstance(job, TrainingJob):
        raise UserError(f"{where} is a {type(job).__name__}: must be a TrainingJob")
    if not isinstance(job.task, str):
        raise UserError(f"{where}: task = {job.task!r}: must be a task id")
    spec = get_task(job.task)
    _check_seed(where, job.seed)
    agent = _agent_dict(where, job.agent)
    _check_memory(where, job.agent, spec)
    se = _check_se(where, job, spec)
    task = dataclasses.asdict(spec)
    if spec.native is None:
        task["factory"] = _callback(spec)
    if not job.stop_by_rule:  # what no return reaches and no change falls below
        task["solved_return"], agent["plateau_tolerance"] = math.inf, 0.0
    return {
        "task": task,
        "agent": agent,
        "seed": int(job.seed),
        "psi": job.psi if se else None,
        "se": se,
    }


def _check_seed(where: str, seed: object) -> None:
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
        raise UserError(f"{where}: seed = {seed!r}: must be an integer")
    if not 0 <= seed < 2**63:
        raise UserError(f"{where}: seed = {seed}: must be in [0, 2**63)")


def _agent_dict(where: str, config: AgentConfig) -> dict[str, Any]:
    try:
        kind = kind_of(config)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    algorithm = kind.name
    if not kind.native:
        raise UserError(f"{where}: the native engine has no {algorithm!r}: use torch")
    if algorithm not in _engine.algorithms():
        raise UserError(
            f"{where}: the native engine was built before it had {algorithm!r}: "
            "install again to build it, or use torch"
        )
    data = dataclasses.asdict(config)
    for name, most in _LARGEST.items():
        if data.get(name, 0) > most:
            raise UserError(f"{where}: {name} = {data[name]}: must be <= {most}")
    return {"algorithm": algorithm, **data}


def _check_memory(where: str, config: AgentConfig, spec: TaskSpec) -> None:
    if not isinstance(config, DeepAgentConfig):
        return
    hidden, layers = config.hidden_size, config.hidden_layers
    feature = getattr(config, "feature_size", 0)
    ends = spec.obs_size + spec.n_actions
    weights = (
        hidden * ends + (layers - 1) * hidden**2 + feature * (hidden + 2 * feature)
    )
    # parameters, target, gradient, two moments, gradient sums (at most 16 per weight
    # at the ends); one batch; activations of a few panels
    floats = 7 * weights + 16 * hidden * ends + 2 * config.batch_size * (ends + 4)
    floats += 4 * 48 * (layers * hidden + 2 * feature)
    if isinstance(config, TD3DiscreteConfig):  # actor and two critics; noise
        floats = 3 * (floats + config.batch_size * spec.n_actions)
    if 4 * floats > MAX_JOB_BYTES:
        raise UserError(
            f"{where}: needs {4 * floats / 2**30:.1f} GiB: lower hidden_size, "
            "hidden_layers or batch_size"
        )


def _check_se(where: str, job: TrainingJob, spec: TaskSpec) -> dict[str, Any] | None:
    if job.se is None:
        check_no_psi(job, f"{where}: ")
        return None
    if not isinstance(job.se, SyntheticEnvConfig):
        raise UserError(f"{where}: se = {job.se!r}: must be a SyntheticEnvConfig")
    psi = job.psi
    if not isinstance(psi, np.ndarray) or psi.dtype != np.float32 or psi.ndim != 1:
        kind = type(psi).__name__
        if isinstance(psi, np.ndarray):
            kind = f"{psi.dtype} array of shape {psi.shape}"
        raise UserError(f"{where}: psi is a {kind}: must be a float32 vector")
    if not psi.flags.c_contiguous:
        raise UserError(
            f"{where}: psi is not contiguous: pass numpy.ascontiguousarray(psi)"
        )
    if psi.size != (size := _se_size(job.se, spec)):
        raise UserError(
            f"{where}: psi has {psi.size} parameters: an SE of these sizes for "
            f"{spec.id} has {size}"
        )
    return dataclasses.asdict(job.se)


def _se_size(config: SyntheticEnvConfig, spec: TaskSpec) -> int:
    hidden, inputs = config.hidden_size, spec.n_actions + spec.obs_size
    middle = (config.hidden_layers - 1) * hidden * (hidden + 1)
    outputs = spec.obs_size + 2
    return 3 * (hidden * (inputs + 1) + middle) + outputs * (hidden + 1)


class _TaskCallback:
    """A Gymnasium task as csrc/bindings.cpp calls it; seeded at its first reset."""

    def __init__(self, spec: TaskSpec, seed: int) -> None:
        self._env = make_env(spec)
        self._seed: int | None = seed

    def reset(self) -> np.ndarray:
        observation, _ = self._env.reset(seed=self._seed)
        self._seed = None
        return observation

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool]:
        observation, reward, terminated, truncated, _ = self._env.step(action)
        return observation, float(reward), bool(terminated), bool(truncated)

    def close(self) -> None:
        self._env.close()


def _callback(spec: TaskSpec) -> Callable[[int], _TaskCallback]:
    return functools.partial(_TaskCallback, spec)
