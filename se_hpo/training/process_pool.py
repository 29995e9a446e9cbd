"""Processes that run training jobs with the torch engine.

Own processes rather than `concurrent.futures`: they must end with their parent, even
one killed by SIGKILL, stay silent on Ctrl-C, and be stopped in the middle of a job.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from se_hpo.errors import DiedProcessError, UserError
from se_hpo.search_spaces.user_code import usual_path
from se_hpo.training import pool_process
from se_hpo.training.jobs import TrainingJob, TrainingResult
from se_hpo.training.pool_process import Reply, Train


class Completed(NamedTuple):
    """A job that was run."""

    position: int
    """Of the job in the list."""
    result: TrainingResult
    cpu_seconds: float
    """CPU seconds the process spent on this job."""


def load_torch_engine() -> Train:
    """Import the torch engine, which takes seconds, and return what runs a job."""
    run_job: Train = pkgutil.resolve_name("se_hpo.training.torch_engine:run_job")
    return run_job


class ProcessPool:
    """Runs jobs on `n_processes` processes; they start with the first jobs.

    One thread at a time may use it.

    Args:
        n_processes: how many.
        load: called once in each process, before its first job; returns what runs a
            job. It must be possible to pickle it.
    """

    def __init__(
        self, n_processes: int, load: Callable[[], Train] = load_torch_engine
    ) -> None:
        self._n_processes = n_processes
        self._load = load
        self._processes: dict[Connection, subprocess.Popen[bytes]] = {}
        self._cpu_seconds: dict[Connection, float] = {}
        self._cpu_seconds_of_ended = 0.0

    def run(self, jobs: Sequence[TrainingJob]) -> list[TrainingResult]:
        """Run all jobs and return their results in the order of `jobs`.

        Raises:
            UserError, ValueError, ...: what the first failing job raised. Then, and on
                Ctrl-C, all processes are stopped.
            DiedProcessError: a process died, for lack of memory for example.
        """
        results = {done.position: done.result for done in self.completed(jobs)}
        return [results[position] for position in range(len(jobs))]

    def completed(self, jobs: Sequence[TrainingJob]) -> Iterator[Completed]:
        """Run all jobs, started in the order of `jobs`; each as soon as it is done.

        Close the pool when you stop iterating before the end.

        Raises:
            As `run`.
        """
        try:
            self._start()
            yield from self._run(jobs)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop all processes at once; what they are at is lost."""
        for process in self._processes.values():
            process.kill()
        for connection, process in self._processes.items():
            process.wait()
            connection.close()
        self._cpu_seconds_of_ended = self.cpu_seconds()
        self._processes, self._cpu_seconds = {}, {}

    def cpu_seconds(self) -> float:
        """CPU seconds of all processes so far, ended ones included."""
        return self._cpu_seconds_of_ended + sum(self._cpu_seconds.values())

    def _start(self) -> None:
        if pool_process.importing_main:
            raise UserError("it trains when it is imported")
        setup = pool_process.setup_of_this_process(self._load)
        with _interrupts_blocked():
            for _ in range(self._n_processes - len(self._processes)):
                ours, theirs = multiprocessing.Pipe()
                number = theirs.fileno()
                self._processes[ours] = subprocess.Popen(
                    [sys.executable, "-P", "-c", pool_process.START, str(number)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[number],
                )
                theirs.close()
                self._send(ours, usual_path())
                self._send(ours, setup)

    def _run(self, jobs: Sequence[TrainingJob]) -> Iterator[Completed]:
        waiting = list(enumerate(jobs))[::-1]
        busy: set[Connection] = set()
        for connection in list(self._processes)[: len(jobs)]:
            self._send(connection, waiting.pop())
            busy.add(connection)
        while busy:
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                reply = self._receive(ready)
                if waiting:
                    self._send(ready, waiting.pop())
                else:
                    busy.remove(ready)
                assert reply.result is not None
                yield Completed(reply.position, reply.result, reply.job_seconds)

    def _send(self, connection: Connection, what: Any) -> None:
        try:
            connection.send(what)
        except OSError as error:
            raise self._died(connection) from error

    def _died(self, connection: Connection) -> DiedProcessError:
        process = self._processes[connection]
        code = process.wait()
        why = ", perhaps out of memory: use fewer threads" if code == -9 else ""
        return DiedProcessError(f"a training process died (exit code {code}){why}")

    def _receive(self, connection: Connection) -> Reply:
        try:
            reply: Reply = connection.recv()
        except (EOFError, OSError) as error:
            raise self._died(connection) from error
        self._cpu_seconds[connection] = reply.cpu_seconds
        if reply.error is not None:
            if isinstance(reply.error, UserError):
                raise reply.error
            raise reply.error from RuntimeError(f"in a process:\n{reply.details}")
        return reply


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Processes started meanwhile inherit that Ctrl-C does not reach them.

    A Ctrl-C that comes meanwhile reaches this process afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
