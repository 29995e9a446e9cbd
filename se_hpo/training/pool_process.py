"""A process that trains: jobs come in and results go out over an inherited socket.

It is a command of its own, not a copy of its parent: the parent's `__main__`, a script
or a notebook, is imported only where a job is of a class that is defined there.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import spawn
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from se_hpo.errors import UserError
from se_hpo.search_spaces.user_code import State, restore, state
from se_hpo.text import text_of, typed_line
from se_hpo.training.jobs import TrainingJob, TrainingResult

START = (
    "import sys; from multiprocessing.connection import Connection; "
    "parent = Connection(int(sys.argv[1])); sys.path[:] = parent.recv(); "
    "from se_hpo.training.pool_process import work; work(parent)"
)
"""The program; its argument is the number of the socket."""

importing_main = False
"""Whether this process is just importing what its parent runs."""

Train = Callable[[TrainingJob], TrainingResult]


class Setup(NamedTuple):
    """What a process must know before its first job."""

    parent: int
    """Process id."""
    load: bytes
    """Pickled: called once, returns what runs a job."""
    argv: list[str]
    main: dict[str, str]
    """Where the parent's `__main__` is, as `spawn.prepare` takes it; or nothing."""
    shared: State


class Reply(NamedTuple):
    """What became of a job."""

    position: int
    result: TrainingResult | None
    error: BaseException | None
    details: str
    cpu_seconds: float
    """Of the process so far."""
    job_seconds: float
    """CPU seconds of this job."""


def setup_of_this_process(load: Callable[[], Train]) -> Setup:
    """For the processes that are to run jobs for this one."""
    module = sys.modules["__main__"]
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    main = {}
    if spec is not None:
        main = {"init_main_from_name": spec.name}
    elif file is not None and Path(file).is_file():  # else "<stdin>"
        main = {"init_main_from_path": str(Path(file).absolute())}
    return Setup(os.getpid(), pickle.dumps(load), sys.argv, main, state())


def work(connection: Connection) -> None:
    """Run jobs as they come, until the parent is gone."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # the parent is gone
        setup: Setup = connection.recv()
        sys.argv[:] = setup.argv
        watch = threading.Thread(target=_exit_with, args=(setup.parent,), daemon=True)
        watch.start()
        prepared = functools.cache(functools.partial(_prepare, setup))
        while True:
            connection.send(_run(setup, connection.recv_bytes(), prepared))


def _prepare(setup: Setup) -> Train:
    restore(setup.shared)  # first: a job may hold what a user's file defines
    train: Train = _unpickled(setup.load, setup)()
    return train


def _run(setup: Setup, sent: bytes, prepared: Callable[[], Train]) -> Reply:
    position, result, error, details = -1, None, None, ""
    started = time.process_time()
    try:
        train = prepared()
        position, job = _unpickled(sent, setup)
        started = time.process_time()
        result = train(job)
    except Exception as caught:  # noqa: BLE001 - raised again by the parent
        details = traceback.format_exc()
        # Of other types we cannot know that they can be pickled.
        known = isinstance(caught, ValueError)
        error = caught if known else RuntimeError(text_of(caught, repr))
    now = time.process_time()
    return Reply(position, result, error, details, now, now - started)


def _unpickled(data: bytes, setup: Setup) -> Any:
    """What the parent pickled, also where that is defined in its `__main__`."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module != "__main__":
                return super().find_class(module, name)
            try:
                _import_main(tuple(setup.main.items()))
                return super().find_class(module, name)
            except (Exception, SystemExit) as error:
                raise UserError(_not_importable(name, setup.main, error)) from error

    return Unpickler(io.BytesIO(data)).load()


@functools.cache
def _import_main(main: tuple[tuple[str, str], ...]) -> None:
    global importing_main
    importing_main = True
    try:
        spawn.prepare(dict(main))
    finally:
        importing_main = False


def _not_importable(name: str, main: dict[str, str], error: BaseException) -> str:
    if not main:
        return (
            f"{name} is defined in a notebook or an interactive session, where the "
            "processes that train cannot find it: define it in a module of its own"
        )
    why = str(error) if isinstance(error, UserError) else typed_line(error)
    return (
        f"{name} is defined in {next(iter(main.values()))}, which the processes that "
        f"train cannot import ({why}): put what it runs under "
        f'`if __name__ == "__main__":`, or define {name} in a module of its own'
    )


def _exit_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
