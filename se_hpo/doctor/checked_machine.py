"""This machine: Python, packages, compiler, native engine, cores, threads, files."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator

from se_hpo.doctor.finding import Finding, error, ok, safely, warning
from se_hpo.errors import UserError
from se_hpo.machine.processes import available_cores
from se_hpo.text import first_line
from se_hpo.training import native_engine as engine
from se_hpo.version import __version__

_PACKAGES = (
    *("hpbandster", "ConfigSpace", "torch", "gymnasium", "numpy", "pandas"),
    *("safetensors", "Pyro4", "serpent"),
)
EXTRAS = {
    "analysis": ("optuna", "scikit-learn"),
    "mujoco": ("mujoco",),
    "notebook": ("ipywidgets",),
    "sb3": ("stable-baselines3",),
    "tensorboard": ("tensorboard",),
}
"""What the package can use and does not need: extra -> packages."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_BUILD = "install g++ and the Python headers, then install se-hpo again"
FILES_PER_WORKER = 2
"""Open files of a master for each worker, with a reserve."""
FEW_FILES = 1024


def check() -> Iterator[Finding]:
    """All of it."""
    parts: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": python,
        "packages": packages,
        "extras": extras,
        "compiler": compiler,
        "native engine": native_engine,
        "cores": cores,
        "threads": threads,
        "open files": open_files,
    }
    for what, part in parts.items():
        yield from safely(what, part)


def python() -> Iterator[Finding]:
    """Which Python, on what."""
    yield ok("python", f"{platform.python_version()} ({sys.executable})")
    yield ok("se_hpo", f"{__version__} on {platform.platform(terse=True)}")


def packages() -> Iterator[Finding]:
    """Versions of what results depend on."""
    found, missing = _installed(_PACKAGES)
    if names := " ".join(missing):
        mend = f"{sys.executable} -m pip install {names}"
        yield error("packages", f"not installed: {names}", mend)
    yield ok("packages", ", ".join(found))


def _installed(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Names with their versions, and those that are not there."""
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    return found, missing


def extras() -> Iterator[Finding]:
    """Which extras are there; none is needed for a run."""
    there = {name: not _installed(packages)[1] for name, packages in EXTRAS.items()}
    has = ", ".join(name for name, is_there in there.items() if is_there)
    lacks = [name for name, is_there in there.items() if not is_there]
    wanted = sorted({package for name in lacks for package in EXTRAS[name]})
    how = f"; not: {', '.join(lacks)} (pip install {' '.join(wanted)})" if lacks else ""
    yield ok("extras", f"{has or 'none'}{how}")


def compiler() -> Iterator[Finding]:
    """The C++ compiler, which only an installation needs."""
    command = shutil.which(os.environ.get("CXX", "c++"))
    if command is not None:
        done = subprocess.run([command, "--version"], capture_output=True, timeout=20)
        said = first_line(done.stdout.decode(errors="replace"))
        yield ok("compiler", f"{said} ({command})")
    elif engine.available():
        yield ok("compiler", "none, and none is needed: the native engine is built")
    else:
        yield warning("compiler", "no C++ compiler", _BUILD)


def native_engine() -> Iterator[Finding]:
    """Whether the native engine works, and its instruction set."""
    if (reason := engine.unavailable_reason()) is not None:
        value = f"not there ({reason}): the torch engine is used, some 20 times slower"
        yield warning("native engine", value, _BUILD)
        return
    yield ok("native engine", "built")
    others = ", ".join(engine.isas()[1:]) or "no other"
    try:
        yield ok("instruction set", f"{engine.isa()} (also usable: {others})")
    except UserError as problem:
        mend = f"unset {engine.ISA_VARIABLE}"
        yield error("instruction set", str(problem), mend)


def cores() -> Iterator[Finding]:
    """Cores that this process may use."""
    load = os.getloadavg()[0]
    n, there = available_cores(), os.cpu_count() or 1
    value = f"{n} usable of {there}, load {load:.1f}"
    if load <= 1.5 * there:
        yield ok("cores", value)
    else:
        value = f"{value}: others are using them"
        yield warning("cores", value, "expect runs to be slower, or wait")


def threads() -> Iterator[Finding]:
    """Variables that make libraries start threads of their own."""
    usable, said = available_cores(), []
    for name in _THREADS:
        text = os.environ.get(name)
        said.append(f"{name} {text or 'not set'}")
        if text and not (text.isdigit() and 1 <= int(text) <= usable):
            value = f"{name}={text} with {usable} usable cores"
            yield warning("threads", value, f"unset {name}, or export {name}=1")
    yield ok("threads", ", ".join(said))


def open_files() -> Iterator[Finding]:
    """How many workers a master here can serve: each keeps a connection open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = hard == resource.RLIM_INFINITY
    value = f"{soft}, may be raised {'without limit' if endless else f'to {hard}'}"
    if endless or hard >= FEW_FILES:
        yield ok("open files", value)
    else:
        workers = max(0, hard - 320) // FILES_PER_WORKER  # strangers, files
        mend = "have the hard limit raised (ulimit -Hn), or keep to so many workers"
        value = f"{value}: a master here serves about {workers} workers"
        yield warning("open files", value, mend)
