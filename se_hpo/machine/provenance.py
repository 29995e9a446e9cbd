"""Where results come from: the command, versions of packages, the commit."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import fields
from pathlib import Path
from typing import Any

from se_hpo.version import __version__

_PACKAGES = ("ConfigSpace", "gymnasium", "hpbandster", "numpy", "torch")
_FROM_PYTHON = "python: "
_call: ContextVar[str] = ContextVar("call", default="")


@contextlib.contextmanager
def called_from_python(function: str, options: Any) -> Iterator[None]:
    """Attempts that begin meanwhile hold the call, not the program around it.

    >>> from dataclasses import make_dataclass
    >>> Options = make_dataclass("Options", [("run", Path), ("seed", int, 0)])
    >>> with called_from_python("se_hpo.train.run", Options(Path("results/x"))):
    ...     as_typed(launched_as())
    "python: se_hpo.train.run(run='results/x')"
    """
    values = ((f, getattr(options, f.name)) for f in fields(options))
    given = [f"{f.name}={_plain(v)!r}" for f, v in values if v != f.default]
    token = _call.set(f"{_FROM_PYTHON}{function}({', '.join(given)})")
    try:
        yield
    finally:
        _call.reset(token)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def launched_as() -> list[str]:
    """The command that this process is, word by word; or the call from Python."""
    if call := _call.get():
        return [call]
    module = getattr(sys.modules["__main__"], "__spec__", None)
    if module is None:  # somebody's script
        return list(sys.argv)
    return ["python", "-m", module.name.removesuffix(".__main__"), *sys.argv[1:]]


def as_typed(words: Sequence[object]) -> str:
    """What an attempt holds, as its user typed it: a module, never its file.

    >>> as_typed(["python", "-m", "se_hpo.optimize", "--space", "my space"])
    "python -m se_hpo.optimize --space 'my space'"

    Attempts of older versions hold `sys.argv`:

    >>> as_typed(["/opt/se_hpo/optimize.py", "--space", "my space"])
    "python -m se_hpo.optimize --space 'my space'"
    >>> as_typed(["/opt/se_hpo/train/__main__.py"]), as_typed(["se-hpo report", "a"])
    ('python -m se_hpo.train', 'python -m se_hpo.report a')
    """
    program, *rest = map(str, words)
    if program.startswith(_FROM_PYTHON):
        return program
    *folders, name = program.replace("\\", "/").removesuffix(".py").split("/")
    if "se_hpo" in folders:
        inside = folders[len(folders) - folders[::-1].index("se_hpo") :]
        module = ".".join(["se_hpo", *inside, name]).removesuffix(".__main__")
        return shlex.join(["python", "-m", module, *rest])
    if name.startswith("se-hpo "):
        name = name.removeprefix("se-hpo ")
        return shlex.join(["python", "-m", f"se_hpo.{name}", *rest])
    return shlex.join([*["python"] * program.endswith(".py"), program, *rest])


def attempt() -> dict[str, Any]:
    """When, where and how this process was launched."""
    return {
        "started": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": launched_as(),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def versions() -> dict[str, str]:
    """Of this package, of those that matter for results, and of Python."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    packages["python"] = platform.python_version()
    return {"se_hpo": __version__, **packages}


def git_commit() -> str | None:
    """The commit of the checkout the package runs from, if it runs from one."""
    ours = ["git", "ls-files", "--error-unmatch", Path(__file__).name]
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    output = ""
    for command in (ours, describe):
        try:
            done = subprocess.run(
                command, cwd=Path(__file__).parent, capture_output=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode != 0:
            return None
        output = done.stdout.decode().strip()
    return output or None
