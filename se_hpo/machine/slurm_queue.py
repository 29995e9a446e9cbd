"""SLURM's commands, as far as they are needed; accounting is never required."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.text import command_line

_SECONDS = 60.0
"""A loaded controller may take long to answer."""
_FORMAT = "%i|%j|%T|%M|%N|%r"


@dataclass(frozen=True)
class Job:
    """A job, or a task of a job array, that SLURM has not finished with."""

    id: str
    """`12`, `13_4`, or `13_[5-7]` for tasks that wait."""
    name: str
    state: str
    elapsed: str
    node: str
    reason: str
    """Why it waits."""


def require_slurm() -> None:
    """Raise unless SLURM's commands are here.

    Raises:
        UserError: they are not.
    """
    for command in ("sbatch", "squeue", "scancel"):
        if shutil.which(command) is None:
            raise UserError(
                f"no {command} found: run this on a login node of a SLURM cluster; "
                "--dry-run only writes the scripts, python -m se_hpo.optimize runs here"
            )


def submit(script: Path, *options: str) -> str:
    """Submit a script; returns the job's id.

    Raises:
        UserError: SLURM refused it, in its own words.
    """
    done = _run(["sbatch", "--parsable", *options, str(script)])
    if done.returncode != 0:
        raise UserError(
            f"sbatch refused {script.name}: {command_line(done.stderr, 'no reason')}"
        )
    return done.stdout.strip().splitlines()[-1].partition(";")[0]


def jobs(names: Iterable[str], tasks: bool = True) -> list[Job]:
    """Unfinished jobs of this user with one of these full names.

    With `tasks`, waiting tasks of an array come one by one.

    Raises:
        UserError: squeue does not answer.
    """
    found = try_jobs(names, tasks)
    if isinstance(found, str):
        raise UserError(f"squeue does not answer: {found}")
    return found


def try_jobs(names: Iterable[str], tasks: bool = True) -> list[Job] | str:
    """As `jobs`; what squeue said instead if it does not answer."""
    wanted = ",".join(names)
    if not wanted:
        return []
    command = ["squeue", "-h", f"--user={_user()}", f"--name={wanted}"]
    try:
        done = _run([*command, *(["-r"] if tasks else []), "-o", _FORMAT])
    except UserError as error:
        return str(error)
    if done.returncode != 0:
        return command_line(done.stderr, "no reason")
    lines = [line.split("|", 5) for line in done.stdout.splitlines()]
    return [Job(*fields) for fields in lines if len(fields) == 6]


def cancel(names: Iterable[str], state: str | None = None) -> None:
    """Cancel all jobs with one of these full names, or only those in a state.

    A running one gets SIGTERM first.

    Raises:
        UserError: scancel does not answer.
    """
    only = [] if state is None else [f"--state={state}"]
    for name in names:  # scancel, unlike squeue, takes one
        done = _run(["scancel", f"--user={_user()}", f"--name={name}", *only])
        if done.returncode != 0:
            raise UserError(f"scancel failed: {command_line(done.stderr, 'no reason')}")


def final_state(job: str, ended: Path) -> str:
    """How a job that is no longer queued ended.

    Asks accounting where there is any, else the file that the job's script left in the
    folder `ended`, its exit code inside.
    """
    if shutil.which("sacct") is not None:
        done = _run(["sacct", "-n", "-X", "-P", "-j", job, "-o", "State"])
        states = done.stdout.split("\n") if done.returncode == 0 else []
        if states and states[0].strip():
            return states[0].strip()
    try:
        code = (ended / job).read_text().strip()
    except OSError:
        return "ENDED"
    return "COMPLETED" if code == "0" else f"FAILED (exit code {code})"


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except FileNotFoundError:
        raise UserError(f"no {command[0]} found: is this a SLURM cluster?") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} did not answer for {_SECONDS:g} s") from None


class MasterJob:
    """A worker's question whether a master may still come, asked every few seconds."""

    def __init__(self, name: str, every: float = 3.0) -> None:
        self.name, self.every = name, every
        self._next = 0.0

    def is_over(self) -> bool:
        """Whether SLURM has no job of that name any more, neither running nor waiting.

        False where SLURM does not answer, and between two questions.
        """
        if time.monotonic() < self._next:
            return False
        found = try_jobs([self.name])
        self._next = time.monotonic() + self.every
        return found == []
