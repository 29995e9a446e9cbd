"""Masters and workers for tests: fake objectives, real processes.

The tests start `python -m tests.helpers.bohb_processes worker|master FOLDER ...`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.bohb.wire.worker import run_worker
from se_hpo.storage.paths import RunPaths
from tests.helpers.places import ROOT

SECONDS = float(os.environ.get("SE_HPO_TEST_SECONDS", "40"))
"""Hard limit for anything a test waits for."""


def say(*words: str) -> None:
    """Write a line that the test reads."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


# -- what is evaluated ------------------------------------------------------------


def loss_of(configuration: dict[str, Any], budget: float) -> float:
    """A deterministic loss in [0, 1] that low budgets see with a bias."""
    x = configuration["rate"]
    value = (np.log10(x) + 3.0) ** 2 / 16 + configuration["layers"] * 0.02
    value += {"tanh": 0.0, "relu": 0.1, "prelu": 0.2}[configuration["activation"]]
    value += configuration.get("slope", 0.0) * 0.1
    return float(min(1.0, value / 2 + 0.1 / budget))


def quick(_id: Any, configuration: dict[str, Any], budget: float) -> dict[str, Any]:
    """Two milliseconds of work."""
    time.sleep(0.002)
    return {"loss": loss_of(configuration, budget), "info": {"pid": os.getpid()}}


def slow(_id: Any, configuration: dict[str, Any], budget: float) -> dict[str, Any]:
    """A quarter of a second of work, in steps."""
    for _ in range(25):
        time.sleep(0.01)
    return {"loss": loss_of(configuration, budget)}


def endless(_id: Any, _configuration: dict[str, Any], _budget: float) -> dict[str, Any]:
    """Never comes back by itself."""
    while True:
        time.sleep(0.01)


def stubborn(_id: Any, _configuration: dict[str, Any], _budget: float) -> Any:
    """Never comes back, and swallows every exception."""
    say("inside")
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.01)


def _raise(error: BaseException) -> Any:
    raise error


GARBAGE: list[Callable[[], Any]] = [
    lambda: None,
    lambda: 0.5,
    lambda: {},
    lambda: {"loss": None},
    lambda: {"loss": "0.5"},
    lambda: {"loss": float("nan")},
    lambda: {"loss": float("inf")},
    lambda: {"loss": True},
    lambda: {"loss": [0.5]},
    lambda: {"loss": 0.5, "info": {"object": object()}},
    lambda: {"loss": 0.5, "info": {"big": "x" * 5_000_000}},
    lambda: _raise(RuntimeError("it broke \udc80")),
    lambda: _raise(SystemExit(3)),
    lambda: _raise(KeyboardInterrupt()),
    lambda: _raise(GeneratorExit()),
]
"""Fifteen things that are no result."""

GOOD: list[Callable[[], Any]] = [
    lambda: {"loss": np.float32(0.5), "info": {"array": np.arange(3)}},
    lambda: {"loss": np.int64(1)},
    lambda: {"loss": np.array(0.25), "info": {"nan": float("nan"), "t": (1, 2)}},
]
"""Three that are, of types that hpbandster hangs on."""


def garbage(config_id: Any, _configuration: dict[str, Any], _budget: float) -> Any:
    """The n-th trial returns or raises the n-th thing."""
    return (GARBAGE + GOOD)[config_id[2]]()


def deadly(config_id: Any, configuration: dict[str, Any], budget: float) -> Any:
    """The second trial takes its process with it."""
    if config_id[2] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(config_id, configuration, budget)


def broken(_id: Any, _configuration: dict[str, Any], _budget: float) -> Any:
    """Always fails, in words that differ in a number."""
    raise RuntimeError(f"no simulator at port {os.getpid()}")


EVALUATIONS = {
    f.__name__: f for f in (quick, slow, endless, stubborn, garbage, deadly, broken)
}


# -- processes --------------------------------------------------------------------


def worker_process(folder: Path, evaluation: str = "quick", *more: str) -> Any:
    """Start a worker of its own process."""
    return _start("worker", str(folder), "--evaluation", evaluation, *more)


def master_process(folder: Path, *more: str) -> Any:
    """Start a master of its own process."""
    return _start("master", str(folder), *more)


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.bohb_processes", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@contextlib.contextmanager
def ended(*processes: subprocess.Popen[str]) -> Iterator[None]:
    """Leave nothing running."""
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.callback(kill, process)
        yield


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, also if it is frozen."""
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=SECONDS)


def output(process: subprocess.Popen[str], seconds: float = SECONDS) -> str:
    """Wait for the end of a process and return what it printed."""
    return process.communicate(timeout=seconds)[0]


def wait_for(what: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)
    return value


def wait_for_line(process: subprocess.Popen[str], text: str) -> str:
    """Read what a process prints until a line has the text."""
    lines: list[str] = []
    found = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            lines.append(line)
            if text in line:
                found.set()
                return

    threading.Thread(target=read, daemon=True).start()
    assert found.wait(SECONDS), f"no {text!r} in {lines}"
    return lines[-1]


def space() -> Any:
    """Float on a log scale, integer, choices, a condition and a constant."""
    import ConfigSpace as CS  # noqa: N817 - workers do without

    rate = CS.Float("rate", (1e-5, 1e-1), log=True)
    layers = CS.Integer("layers", (1, 3))
    activation = CS.Categorical("activation", ["tanh", "relu", "prelu"])
    slope = CS.Float("slope", (0.0, 1.0))
    constant = CS.Constant("kind", "mlp")
    made = CS.ConfigurationSpace(seed=0)
    made.add([rate, layers, activation, slope, constant])
    made.add(CS.EqualsCondition(slope, activation, "prelu"))
    return made


class MasterThread:
    """`run_master` in a thread of the test's process, with quick habits."""

    def __init__(self, folder: Path, n_brackets: int = 1, **options: Any) -> None:
        """Start."""
        from se_hpo.bohb.brackets import hyperband_brackets
        from se_hpo.bohb.master_settings import MasterSettings
        from se_hpo.bohb.parzen import ParzenGenerator
        from se_hpo.bohb.run import run_master

        brackets = options.pop("brackets", None)
        callbacks = {
            k: options.pop(k) for k in list(options) if k.startswith(("on_", "how_"))
        }
        settings = MasterSettings(
            **{"ping_interval": 0.2, "patience": 1.0, "status_seconds": 0.2, **options}
        )
        self.run = RunPaths(folder)
        self.master: Any = None
        self.result: Any = None
        self.error: BaseException | None = None
        self.results: list[Any] = []
        self._ready = threading.Event()

        def begun(master: Any) -> None:
            self.master = master
            self._ready.set()

        def target() -> None:
            try:
                self.result = run_master(
                    self.run,
                    brackets or hyperband_brackets(1, 9, 3, n_brackets),
                    ParzenGenerator(space(), seed=7),
                    settings,
                    on_start=begun,
                    **{"on_result": self.results.append, **callbacks},
                )
            except BaseException as error:  # noqa: BLE001 - looked at by the test
                self.error = error
            finally:
                self._ready.set()

        self._thread = threading.Thread(target=target, daemon=True)
        self._thread.start()
        assert self._ready.wait(SECONDS)

    def wait(self, seconds: float = SECONDS) -> Any:
        """Its result; raises what it raised."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), self.master and self.master.status()
        if self.error is not None:
            raise self.error
        return self.result

    def running(self) -> list[dict[str, Any]]:
        """Evaluations that a worker has."""
        return self.master.status()["running"]

    def workers(self) -> list[dict[str, Any]]:
        """Workers in the pool."""
        return self.master.status()["workers"]

    def stop(self) -> None:
        """End it without its brackets being done."""
        if self.master is not None:
            self.master.inbox.put(KeyboardInterrupt())
        self._thread.join(SECONDS)


@contextlib.contextmanager
def master_in_thread(folder: Path, **options: Any) -> Iterator[MasterThread]:
    """A master that ends with the block."""
    master = MasterThread(folder, **options)
    try:
        yield master
    finally:
        master.stop()


# -- command line -----------------------------------------------------------------


def _worker(args: argparse.Namespace) -> None:
    reason = run_worker(
        RunPaths(args.folder).credentials,
        EVALUATIONS[args.evaluation],
        heartbeat_seconds=0.1,
        master_timeout=args.timeout,
    )
    say("worker ended:", reason)


def _master(args: argparse.Namespace) -> None:
    """A master with its one worker, as the command line will have it."""
    from se_hpo.bohb.brackets import hyperband_brackets
    from se_hpo.bohb.master_settings import MasterSettings
    from se_hpo.bohb.proposals import BOHBGenerator
    from se_hpo.bohb.run import run_master

    run = RunPaths(args.folder)

    def on_result(_evaluation: Any) -> None:
        say("result")
        if args.die_after and len(counted) + 1 == args.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if args.raise_after and len(counted) + 1 == args.raise_after:
            raise RuntimeError("something in the master broke")
        counted.append(1)

    counted: list[int] = []
    run_master(
        run,
        hyperband_brackets(1, 9, 3, args.brackets),
        BOHBGenerator(space(), seed=7, min_points_in_model=2),
        MasterSettings(
            max_parallel=args.parallel, ping_interval=0.2, patience=args.patience
        ),
        on_result=on_result,
    )
    say("master ended")


def main() -> None:
    """Be a worker or a master."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["worker", "master"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--evaluation", default="quick")
    parser.add_argument("--timeout", type=float, default=20.0)
    parser.add_argument("--brackets", type=int, default=2)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--patience", type=float, default=30.0)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--raise-after", type=int, default=0)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    {"worker": _worker, "master": _master}[args.role](args)


if __name__ == "__main__":
    main()
