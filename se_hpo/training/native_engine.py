"""The native engine's Python face: inner loops in C++, one thread per agent.

Means the same as the torch engine (`se_hpo.training.torch_engine`), at many times its
speed; see docs/engine.md. Where the extension was not built, `available()` is False.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import check_takes, kind_of
from se_hpo.envs.parameters import check_psi
from se_hpo.envs.reward_inputs import checked_discount, discount_of
from se_hpo.envs.tasks import TaskSpec, make_env, measure_task
from se_hpo.errors import UserError, did_you_mean
from se_hpo.training.jobs import TrainingJob, TrainingResult

try:
    from se_hpo import _engine
except ImportError as error:  # not built, or built for another Python
    _engine = None
    _IMPORT_ERROR = str(error)

ISA_VARIABLE = "SE_HPO_ISA"
"""Environment variable that forces an instruction set (`x86-64-v2`)."""

MAX_JOB_BYTES = 4 * 2**30
"""Largest working memory of one agent, replay buffer aside."""


def available() -> bool:
    """Whether the native engine was built and this processor can run it."""
    return unavailable_reason() is None


def unavailable_reason() -> str | None:
    """Why the engine cannot be used, with the mend; None if it can."""
    if _engine is None:
        return f"{_IMPORT_ERROR}; install with a C++17 compiler to build it"
    if not hasattr(_engine, "agent_bytes"):
        return "it was built from older sources: install again to build it"
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
    jobs: Sequence[TrainingJob],
    n_threads: int = 1,
    watch: Callable[[int], object] | None = None,
) -> list[TrainingResult]:
    """Train and test one agent per job.

    A result depends on its job alone (and on the instruction set): not on the other
    jobs, their order, or the number of threads.

    Args:
        jobs: any mix of tasks, algorithms and sizes.
        n_threads: threads that take jobs, longest first.
        watch: told, some times a second, how many jobs are done; what it raises ends
            them. An engine that was built earlier tells nothing.

    Raises:
        UserError: the engine is not available, or a job is wrong.
        KeyboardInterrupt: after Ctrl-C, within half a second; of a task in Python, when
            its step returns.
    """
    name = isa()
    if type(n_threads) is not int or n_threads < 1:
        raise UserError(f"n_threads = {n_threads!r}: must be an integer >= 1")
    flat = [_flatten(i, job) for i, job in enumerate(jobs)]
    told = (watch,) if hasattr(_engine, "can_be_watched") else ()
    rows = _engine.train_agents(flat, min(n_threads, 4096), _internal(name), *told)
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
    job = job.resolved()
    spec = measure_task(job.task)
    _check_seed(where, job.seed)
    agent = _agent_dict(where, job.agent)
    check_takes(kind_of(job.agent), spec.id, spec.continuous, spec.discrete_obs)
    _check_memory(where, agent, spec)
    tested = job.tested_on(spec)
    task = dataclasses.asdict(spec) | {"worst_return": tested.worst_return}
    if spec.native is None:  # the loop cuts episodes, so it may be the longer limit
        most = max(spec.max_steps, tested.max_steps)
        task["factory"] = _callback(dataclasses.replace(spec, max_steps=most))
    return {
        "task": task,
        "agent": agent,
        "seed": int(job.seed),
        "learned": job.learned and _learned_dict(where, job, spec),
        "stop_by_rule": job.stop_by_rule,
        "test_while_training": job.test_while_training,
        "test_every": job.test_every,
        "max_test_steps": tested.max_steps,
        "schedule": job.schedule,
        "learn_from": job.agent.se_init_steps,
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
    values = dataclasses.asdict(config)
    del values["se_steps"]  # it may be None, and the job's schedule says it
    return {"algorithm": algorithm, **values}


def _check_memory(where: str, agent: dict[str, Any], spec: TaskSpec) -> None:
    try:
        size = _engine.agent_bytes(agent, spec.obs_size, spec.n_actions)
    except ValueError as error:  # a number that is too large
        raise UserError(f"{where}: {error}") from None
    if size > MAX_JOB_BYTES:
        raise UserError(
            f"{where}: needs {size / 2**30:.1f} GiB: lower hidden_size, "
            "hidden_layers or batch_size"
        )


def _learned_dict(where: str, job: TrainingJob, spec: TaskSpec) -> dict[str, Any]:
    assert job.learned is not None
    config, psi = job.learned.config, job.learned.psi
    try:
        kind = job.learned.kind
        kind.check_actions(spec.id, spec.continuous)
        check_psi(psi, config, spec.obs_size, spec.n_actions)
        discount = checked_discount(config, discount_of(job.agent))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if kind.name not in _engine.learned_kinds():
        raise UserError(f"{where}: the native engine has no {kind.label}: use torch")
    if not psi.flags.c_contiguous:
        raise UserError(
            f"{where}: psi is not contiguous: pass numpy.ascontiguousarray(psi)"
        )
    nets = kind.layout(config, spec.obs_size, spec.n_actions)
    return {
        "config": {
            "kind": kind.name,
            "discount": discount,
            **dataclasses.asdict(config),
        },
        "nets": [(net.inputs, net.outputs) for net in nets],
        "psi": psi,
    }


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
