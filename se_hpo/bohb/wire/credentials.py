"""How workers find a run's nameserver: a private JSON file in the run folder.

hpbandster writes a pickle of mode 0644 that every worker loads, and not atomically.
Here it is JSON of mode 0600, renamed into place, and anything else is refused.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.storage.files import write_atomic
from se_hpo.storage.json_records import RecordError, parsed, record

MAX_BYTES = 65_536
"""The file is far smaller; anything longer is damaged."""


class NotReady(Exception):  # noqa: N818 - a state to wait out, not an error
    """There are no usable credentials yet; waiting may help."""


@dataclass(frozen=True)
class Credentials:
    """What a worker needs to take part in a run."""

    run_id: str
    host: str
    """Address of the nameserver, as other machines reach it."""
    port: int
    key: str = field(repr=False)
    """Hex key that signs every message; never logged."""
    pid: int = 0
    """Process of the master."""
    created: float = 0.0
    """Unix seconds; tells a restarted master from the one before."""


def new_key() -> str:
    """A random 256-bit key."""
    return secrets.token_hex(32)


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Write the file, private from its first byte, and rename it into place."""
    write_atomic(path, json.dumps(dataclasses.asdict(credentials)), mode=0o600)


def read_credentials(path: Path, run_id: str | None = None) -> Credentials:
    """Read and check the file.

    Args:
        path: the credentials file of a run.
        run_id: the run they must be of; None takes any.

    Raises:
        NotReady: missing, half written, or of another run (waiting may help).
        UserError: readable by others or owned by somebody else, so not to be trusted.
    """
    try:
        with path.open("rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            text = file.read(MAX_BYTES)
    except FileNotFoundError:
        raise NotReady(f"there is no {path}") from None
    except OSError as error:
        raise NotReady(f"{path} cannot be read: {error.strerror}") from error
    try:
        found = record(Credentials, parsed(text))
    except RecordError as error:
        raise NotReady(f"{path} is half written or damaged ({error})") from None
    if run_id is not None and found.run_id != run_id:
        raise NotReady(f"{path} is of run {found.run_id!r}, not {run_id!r}")
    return found


def _check_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path} is no regular file: remove it, restart the master")
    if status.st_uid != os.geteuid():
        raise UserError(f"{path} belongs to user {status.st_uid}, not to you: refused")
    if status.st_mode & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise UserError(
            f"{path} has mode {mode:04o}, so others may know the run's key: "
            "remove it and restart the master (it must be 0600)"
        )


def remove_credentials(path: Path, own: Credentials) -> None:
    """Remove the file unless another master has replaced it."""
    try:
        if read_credentials(path) == own:
            path.unlink(missing_ok=True)
    except (NotReady, UserError, OSError):  # read-only, say: must not hide the reason
        return


def credentials_now(run_id: str, host: str, port: int, key: str) -> Credentials:
    """Credentials of a nameserver that this process has just started."""
    return Credentials(run_id, host, port, key, os.getpid(), time.time())
