"""`python -m se_hpo.doctor.probe FOLDER`: what a second process sees of a run.

The doctor starts it here, and on another node of the cluster; it answers with a line of
JSON. The folder is one that `scratch.Scratch` has prepared.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from se_hpo.bohb.wire import credentials, pyro
from se_hpo.bohb.wire.credentials import Credentials, new_key
from se_hpo.errors import UserError
from se_hpo.storage import files
from se_hpo.storage.files import write_atomic
from se_hpo.storage.paths import RunPaths

RENAMED, APPENDED, LOCKED = "renamed.json", "appended.jsonl", "locked"
SECONDS = 5.0
"""Longest wait for what another process has written; shared folders cache."""
_COARSE = 0.05  # seconds; file servers round
Locks = Literal["kept", "ignored", "none"]
"""Of another process: they keep others out, they do not, or there are none."""


@dataclass(frozen=True)
class Report:
    """What the second process saw."""

    host: str
    renamed: str
    """Empty if the file that was renamed into place is seen, else what is wrong."""
    appended: str
    """The same of the lines that were appended."""
    locks: Locks
    clock: float
    """Seconds by which its clock is ahead of the folder's file server."""
    nameserver: str
    """Empty if the nameserver answers, else what is wrong."""
    stranger: str
    """Empty if the nameserver refuses a wrong key, else what happened."""


def main(folder: Path) -> int:
    """Look at everything, answer."""
    reached = nameserver(folder)
    report = Report(
        host=socket.gethostname(),
        renamed=waited(lambda: renamed(folder, "doctor")),
        appended=waited(lambda: appended(folder, ["doctor", "doctor"])),
        locks=locks(folder),
        clock=clock(folder),
        nameserver=reached if isinstance(reached, str) else "",
        stranger="" if isinstance(reached, str) else stranger(reached),
    )
    try:
        files.write_json(folder / f"probe-{RENAMED}", {"by": "probe"})
        files.append_json_line(folder / APPENDED, {"by": "probe"})
    except OSError as problem:
        report = Report(**{**asdict(report), "appended": str(problem)})
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0


def waited(look: Callable[[], str], seconds: float = SECONDS) -> str:
    """The answer of a look, which is repeated until it is empty or time is up."""
    deadline = time.monotonic() + seconds
    while (wrong := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return wrong


def renamed(folder: Path, by: str, prefix: str = "") -> str:
    """What is wrong with a file that was renamed into place; empty if nothing."""
    path = folder / f"{prefix}{RENAMED}"
    try:
        text = path.read_text()
    except OSError as problem:
        return f"{path.name}: {problem.strerror}"
    return "" if by in text else f"{path.name} has {text[:40]!r}"


def appended(folder: Path, by: list[str]) -> str:
    """What is wrong with the lines of a file that grows; empty if nothing."""
    try:
        lines = [line for _, line in files.read_json_lines(folder / APPENDED)]
    except OSError as problem:
        return f"{APPENDED}: {problem.strerror}"
    found = [line["by"] if isinstance(line, dict) else "?" for line in lines]
    return "" if found[: len(by)] == by else f"{len(found)} of {len(by)} lines seen"


def locks(folder: Path) -> Locks:
    """Whether a lock that the doctor holds keeps this process out."""
    try:
        with (folder / LOCKED).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "kept"
    except OSError:
        return "none"
    return "ignored"


def clock(folder: Path) -> float:
    """Seconds by which this machine's clock is ahead of the folder's file server."""
    path, before = folder / f"clock-{socket.gethostname()}-{os.getpid()}", time.time()
    try:
        write_atomic(path, "tick\n")
        server, after = path.stat().st_mtime, time.time()
        path.unlink()
    except OSError:
        return 0.0
    possible = before - _COARSE <= server <= after + _COARSE
    return 0.0 if possible else (before + after) / 2 - server


def nameserver(folder: Path) -> Credentials | str:
    """Credentials with which a nameserver answers, or what is wrong."""
    try:
        found = credentials.read_credentials(RunPaths(folder).credentials)
        with pyro.name_server(found.host, found.port, found.key) as server:
            server.ping()
    except (credentials.NotReady, UserError, OSError, pyro.PyroError) as problem:
        return str(problem)
    return found


def stranger(real: Credentials) -> str:
    """What a nameserver did for somebody with a wrong key; empty if nothing."""
    try:
        with pyro.name_server(real.host, real.port, new_key(), 2.0) as server:
            server.list()
    except (OSError, pyro.PyroError):
        return ""
    return "the nameserver answers to a wrong key"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
