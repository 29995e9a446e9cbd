"""What a run has submitted to SLURM: `slurm/jobs.json`."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.machine.provenance import launched_as
from se_hpo.storage.files import write_json
from se_hpo.storage.json_records import RecordError, read_record
from se_hpo.storage.paths import RunPaths

log = logging.getLogger(__name__)

FORMAT = 1


@dataclass(frozen=True)
class Launch:
    """One submission: a master with its workers, or an array of shards."""

    name: str
    """What the names of its jobs begin with."""
    kind: str
    """`optimize`, or the command whose work is shared by shards."""
    n: int
    """Workers or shards."""
    ids: dict[str, list[str]] = field(default_factory=dict)
    """Job ids by role; empty if the user submits the scripts."""
    submitted: float = 0.0
    """Unix seconds."""
    host: str = ""
    command: list[str] = field(default_factory=list)

    def job_names(self) -> list[str]:
        """Full names of its jobs."""
        return [f"{self.name}-{role}" for role in roles(self.kind)]


def roles(kind: str) -> tuple[str, ...]:
    """What a launch consists of."""
    return ("master", "worker", "cleanup") if kind == "optimize" else (kind,)


def new_launch(root: Path, kind: str, n: int) -> Launch:
    """A launch with names that no other has, also not one of another folder."""
    now, host = time.time(), socket.gethostname()
    mark = _mark(f"{root.resolve()} {now} {host}")
    name = f"se_hpo-{_plain(root.resolve().name)[:40]}-{mark}"
    return Launch(name, kind, n, {}, now, host, launched_as())


def name_of_shards(command: str, output: Path) -> str:
    """What a launch of shards is called: one name for each output, as SLURM takes it.

    >>> name_of_shards("train", Path("varied")), name_of_shards("train", Path("a,b"))
    ('train-varied', 'train-a_b-1eb7c5')
    """
    plain = _plain(output.stem)
    if plain != output.stem:  # others may look like it
        plain += f"-{_mark(output.stem)}"
    return f"{command}-{plain}"


def _mark(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:6]


def _plain(name: str) -> str:
    """A name that no command of SLURM reads as anything else."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def read_launches(path: Path) -> list[Launch]:
    """All launches of a run, oldest first; a `UserError` if the file is damaged."""
    try:
        found = read_record(path, _Launches)
    except RecordError as error:
        mend = "cancel what squeue --me lists, then remove it"
        raise UserError(f"{path} is damaged ({error}): {mend}") from error
    return [] if found is None else found.launches


@dataclass(frozen=True)
class _Launches:
    """The contents of `jobs.json`."""

    launches: list[Launch]


def write_launch(path: Path, launch: Launch) -> None:
    """Add a launch, or put it in the place of the one with its name."""
    others = [each for each in read_launches(path) if each.name != launch.name]
    launches = [dataclasses.asdict(each) for each in (*others, launch)]
    write_json(path, {"format": FORMAT, "launches": launches})


@contextmanager
def submitting(paths: RunPaths) -> Iterator[None]:
    """Let one process at a time submit for a run; a `UserError` for a second one."""
    folder = paths.slurm
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = paths.submitting.open("w")
    except OSError as error:
        what = f"cannot write to {folder} ({error.strerror})"
        raise UserError(f"{what}: choose another --run") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy = f"{folder}: another command is submitting right now"
            raise UserError(busy) from None
        except OSError as error:
            log.info("%s: this file system has no locks (%s)", folder, error)
        yield
