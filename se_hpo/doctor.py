"""`python -m se_hpo.doctor [--run DIR]`: does all work here, and what to mend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from se_hpo import engine
from se_hpo.cli import run_command
from se_hpo.config import DDQNConfig, NESConfig, RunConfig
from se_hpo.inner_loop import InnerLoop
from se_hpo.nes.run import run_nes
from se_hpo.paths import TrialPaths, append_json_line, read_json_lines, write_atomic
from se_hpo.processes import available_cores

_PACKAGES = ("hpbandster", "ConfigSpace", "torch", "gymnasium", "numpy", "pandas")
_LOW_SPACE_GB = 1.0


@dataclass(frozen=True)
class DoctorOptions:
    """Check this machine, and a run folder if one is given."""

    run: Path | None = None
    """A run folder, or the folder that runs are to be made in."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    value: str
    mend: str | None = None
    """What to do about it; None: it is fine."""


def main(options: DoctorOptions) -> int:
    """Print a line per check; exit code 1 if anything needs mending."""
    console = Console(highlight=False)
    ok = True
    folder = options.run or Path("results")
    for check in (_python, _engine, _cores, lambda: _folder(folder), _generation):
        for finding in _safely(check):
            ok &= finding.mend is None
            mark = "[green]ok     [/]" if finding.mend is None else "[yellow]warning[/]"
            console.print(f"{mark} {finding.what}: {finding.value}", soft_wrap=True)
            if finding.mend:
                console.print(f"          -> {finding.mend}", soft_wrap=True)
    return 0 if ok else 1


def _safely(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that raises is a finding too."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - the doctor reports what is broken
        name = getattr(check, "__name__", "check").strip("_<>")
        yield Finding(name, f"{type(error).__name__}: {error}", "see the error above")


def _python() -> Iterator[Finding]:
    yield Finding("python", f"{platform.python_version()} ({sys.executable})")
    versions = (f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    yield Finding("packages", ", ".join(versions))


def _engine() -> Iterator[Finding]:
    compiler = shutil.which(os.environ.get("CXX", "c++")) or "no C++ compiler"
    if engine.available():
        yield Finding("native engine", f"built, instruction set {engine.isa()}")
        return
    yield Finding(
        "native engine",
        f"not there ({engine.unavailable_reason()}; {compiler}): the torch engine is "
        "used, some 20 times slower",
        "install g++ and the Python headers, then install se-hpo again",
    )


def _cores() -> Iterator[Finding]:
    cores, threads = available_cores(), os.environ.get("OMP_NUM_THREADS", "not set")
    yield Finding("cores", f"{cores} usable of {os.cpu_count()}")
    yield Finding("OMP_NUM_THREADS", threads)


def _folder(folder: Path) -> Iterator[Finding]:
    existing = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    with tempfile.TemporaryDirectory(dir=existing, prefix=".doctor-") as name:
        path = Path(name) / "probe.jsonl"
        write_atomic(path, '{"a":1}\n')
        append_json_line(path, {"a": 2})
        lines = [line for _, line in read_json_lines(path)]
    good = lines == [{"a": 1}, {"a": 2}]
    mend = None if good else "choose a folder on another file system"
    yield Finding("rename and append", f"{existing}: {'seen' if good else lines}", mend)
    free = shutil.disk_usage(existing).free / 1e9
    low = free < _LOW_SPACE_GB
    yield Finding("free space", f"{free:.1f} GB", "free some space" if low else None)


def _generation() -> Iterator[Finding]:
    """One generation of a small NES run, with the engine that would be used."""
    agent = DDQNConfig(
        train_episodes=12, test_episodes=1, batch_size=32, hidden_size=16
    )
    nes = NESConfig(population=2, n_center_evaluations=1)
    config = replace(RunConfig(), agent=agent, nes=nes)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name, InnerLoop("auto", 1) as inner_loop:
        outcome = run_nes(config, 0, TrialPaths(Path(name)), inner_loop, 1)
    seconds = time.perf_counter() - started
    steps = outcome.total("env_steps_se")
    yield Finding(
        "one generation",
        f"{inner_loop.engine_name} engine, {steps} env steps in {seconds:.1f} s",
    )


if __name__ == "__main__":
    run_command(DoctorOptions, main)
