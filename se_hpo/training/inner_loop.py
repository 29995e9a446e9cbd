"""Where agents are trained: the native engine or processes of the torch engine."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import itertools
import time
from collections.abc import Callable, Generator, Sequence
from types import ModuleType, TracebackType
from typing import NamedTuple, Self

from se_hpo.agents.registry import kind_of
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError, did_you_mean
from se_hpo.training.jobs import TrainingJob, TrainingResult
from se_hpo.training.pool_process import Train
from se_hpo.training.process_pool import ProcessPool, load_torch_engine

ENGINES = ("auto", "native", "torch")
"""`auto` is `native` where that is built, else `torch`. Agents that the native engine
lacks, `auto` trains with the torch engine."""


class InnerLoop:
    """Trains agents on `n_threads` cores; a context manager.

    The results depend on the jobs and the engine, never on `n_threads`.

    Args:
        engine: a name in `ENGINES`.
        n_threads: threads of the native engine, or processes of the torch engine
            (1: in this process).

    Raises:
        UserError: an unknown engine, `native` where it is not built, no thread, or
            `SE_HPO_ISA` names no usable instruction set.
    """

    engine_name: str
    """The engine chosen: `native` or `torch`."""
    watch: Callable[[int, int], object] | None = None
    """Told by `train_agents` how many agents are trained, and of how many."""

    def __init__(self, engine: str = "auto", n_threads: int = 1) -> None:
        if engine not in ENGINES:
            raise UserError(f"engine {engine!r}: {did_you_mean(engine, ENGINES)}")
        if n_threads < 1:
            raise UserError(f"{n_threads} threads: give at least 1")
        native, reason = _native_engine() if engine != "torch" else (None, "")
        if engine == "native" and native is None:
            raise UserError(
                f"the native engine cannot be used ({reason}): choose the engine "
                "`torch`, or see what `python -m se_hpo.doctor` says"
            )
        if native is not None:
            native.isa()  # SE_HPO_ISA may name none that can be used
        self._native, self._only_native = native, engine == "native"
        self.engine_name = "torch" if native is None else "native"
        self.n_threads = n_threads
        load = functools.partial(load_engine, engine, native is None)
        self._pool = ProcessPool(n_threads, load) if n_threads > 1 else None

    def train_agents(self, jobs: Sequence[TrainingJob]) -> list[TrainingResult]:
        """Run the jobs; results in the order of `jobs`.

        Raises:
            UserError: an unknown task, or an agent that the chosen engine lacks.
            ValueError: a job whose parts do not fit together.
        """
        on_native = [self._is_native(job) for job in jobs]
        native = iter(
            self._run_native(
                list(itertools.compress(jobs, on_native)),
                lambda done: self._tell(min(done, len(jobs) - 1), len(jobs)),
            )
        )
        on_torch = [not is_native for is_native in on_native]
        before = sum(on_native)
        others = self._run_torch(
            list(itertools.compress(jobs, on_torch)),
            lambda done: self._tell(before + done, len(jobs)),
        )
        torch = iter(others)
        self._tell(len(jobs), len(jobs))
        return [next(native if is_native else torch) for is_native in on_native]

    def completed(
        self, jobs: Sequence[TrainingJob]
    ) -> Generator[tuple[int, TrainingResult]]:
        """Run the jobs, each on one core; yield position and result as they end.

        Close the iterator when you stop before its end.

        Raises:
            As `train_agents`, and `DiedProcessError`: a process died.
        """
        if self._pool and len(jobs) > 1:
            for done in self._pool.completed(jobs):
                yield done.position, done.result
        else:
            for position, job in enumerate(jobs):
                yield position, self.train_agents([job])[0]

    def engine_for(self, *jobs: TrainingJob) -> str:
        """What can train the agents of all these jobs: `native` or `torch`.

        Raises:
            UserError: the chosen engine lacks the agent, or what it trains on cannot
                take the task's actions.
        """
        for job in jobs:
            if job.learned:
                spec = get_task(job.task)
                job.learned.kind.check_actions(spec.id, spec.continuous)
        return "native" if all(map(self._is_native, jobs)) else "torch"

    def cpu_seconds(self) -> float:
        """CPU seconds so far of this process and of the processes it trains in."""
        pool = self._pool.cpu_seconds() if self._pool else 0.0
        return time.process_time() + pool

    def close(self) -> None:
        """Stop the processes, if any; they start again when needed."""
        if self._pool:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _is_native(self, job: TrainingJob) -> bool:
        if self._native is None:
            return False
        kind = kind_of(job.agent)
        lacks = [] if kind.native else [f"agent {kind.name!r}"]
        if job.learned and not job.learned.kind.native:
            lacks.append(job.learned.kind.label)
        if self._only_native and lacks:
            raise UserError(
                f"the native engine has no {' and no '.join(lacks)}: choose "
                "the engine `auto` or `torch`"
            )
        return not lacks

    def _tell(self, done: int, of: int) -> None:
        if self.watch is not None:
            self.watch(done, of)

    def _run_native(
        self, jobs: list[TrainingJob], tell: Callable[[int], object]
    ) -> list[TrainingResult]:
        if not jobs or self._native is None:
            return []
        watch = tell if self.watch is not None else None
        results: list[TrainingResult] = self._native.train_agents(
            jobs, self.n_threads, watch
        )
        return results

    def _run_torch(
        self, jobs: list[TrainingJob], tell: Callable[[int], object]
    ) -> list[TrainingResult]:
        results = {}
        if self._pool and len(jobs) > 1:
            for n, done in enumerate(self._pool.completed(jobs), start=1):
                results[done.position] = done.result
                tell(n)
        elif jobs:
            run_job = load_torch_engine()  # only where it is needed: it takes seconds
            for n, job in enumerate(jobs):
                results[n] = run_job(job)
                tell(n + 1)
        return [results[n] for n in range(len(jobs))]


class AgentSeconds(NamedTuple):
    """What one agent takes."""

    cpu: float
    """Seconds of a core of its own, with as many others at work as there will be."""
    wall: float
    """Seconds on one of the cores as they are now."""
    env_steps: float
    """Training steps that it took."""

    @property
    def slowed(self) -> float:
        """How many times longer it takes now, as others use the cores."""
        return max(1.0, self.wall / self.cpu) if self.cpu else 1.0


def time_agents(
    engine: str, jobs: Sequence[TrainingJob], n_threads: int = 1
) -> AgentSeconds:
    """Mean seconds of these jobs, each of them run once on each thread.

    Side by side, since two agents on the two halves of one core take longer. At most a
    factor of two off: agents on better SEs train longer or shorter.
    """
    with InnerLoop(engine, n_threads) as inner_loop:
        # A first, tiny job pays for what only the first one pays for.
        short = dataclasses.replace(jobs[0].agent, train_episodes=1, test_episodes=1)
        tiny = dataclasses.replace(jobs[0], agent=short)
        inner_loop.train_agents([tiny] * n_threads)
        cpu, started = inner_loop.cpu_seconds(), time.perf_counter()
        all_jobs = [job for job in jobs for _ in range(n_threads)]
        results = inner_loop.train_agents(all_jobs)
        wall = (time.perf_counter() - started) / len(jobs)
        cpu = (inner_loop.cpu_seconds() - cpu) / (len(jobs) * n_threads)
    steps = sum(result.env_steps for result in results) / len(results)
    return AgentSeconds(cpu, max(wall, cpu), steps)


def load_engine(engine: str, with_torch: bool) -> Train:
    """What trains one agent at a time, for `ProcessPool(load=...)`.

    Args:
        engine: a name in `ENGINES`.
        with_torch: import torch now, not with the first agent that needs it.
    """
    if with_torch:
        importlib.import_module("se_hpo.training.torch_engine")
    loop = InnerLoop(engine)
    return lambda job: loop.train_agents([job])[0]


def _native_engine() -> tuple[ModuleType | None, str]:
    """The native engine's module, or why it cannot be used."""
    engine = _load_native_engine()
    if engine is None:
        return None, "this installation has none"
    if not engine.available():
        return None, str(engine.unavailable_reason())
    return engine, ""


def _load_native_engine() -> ModuleType | None:
    if importlib.util.find_spec("se_hpo.training.native_engine") is None:
        return None
    return importlib.import_module("se_hpo.training.native_engine")
