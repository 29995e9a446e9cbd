"""Where results come from: the command, versions of packages, the commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import se_hpo

_PACKAGES = ("ConfigSpace", "gymnasium", "hpbandster", "numpy", "torch")


def attempt() -> dict[str, Any]:
    """When, where and how this process was launched."""
    return {
        "started": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": sys.argv,
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
    }


def versions() -> dict[str, str]:
    """Of this package, of those that matter for results, and of Python."""
    packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    packages["python"] = platform.python_version()
    return {"se_hpo": se_hpo.__version__, **packages}


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
