"""The errors a user can mend, "did you mean" for a mistyped name, paths that fail."""

from __future__ import annotations

import difflib
import errno
import os
import sys
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any


class UserError(ValueError):
    """Bad input: one line that says what is wrong and names the mend.

    Command lines print the line and end with exit code 2.
    """


class DiedProcessError(RuntimeError):
    """A process that trained agents died; what was recorded before stays.

    Command lines print the line and end with exit code 1.
    """


class FailedRunError(RuntimeError):
    """A run in which nothing succeeds: one line that says why, and names the mend.

    Command lines print the line and end with exit code 1.
    """


def end_scripts_in_one_line() -> None:
    """Let a script that one of these errors ends say so in one line, and exit with 2.

    Other errors, and a program with a hook of its own, are left alone.
    """
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _one_line


def _one_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if trace is None or not isinstance(error, UserError | FailedRunError):
        sys.__excepthook__(kind, error, trace)
        return
    at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
    sys.stderr.write(f"{at}: error: {error}\n")
    if not hasattr(sys, "ps1"):  # a prompt stays
        sys.exit(2 if isinstance(error, UserError) else 1)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence that points from a mistyped name to the closest known ones.

    >>> did_you_mean("nes_cartpol", ["nes_cartpole", "smoke"])
    "did you mean 'nes_cartpole'?"
    >>> did_you_mean("xyz", ["nes_cartpole", "smoke"])
    'known: nes_cartpole, smoke'
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "known: " + ", ".join(known)


_STORAGE_MENDS = {
    errno.ENOSPC: "make space there",
    errno.EDQUOT: "make space there, or ask for a larger quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable for you",
    errno.EPERM: "make it writable for you",
    errno.EIO: "look after that disk or share",
    errno.ESTALE: "look after that share, or mount it again",
    errno.ENOTCONN: "look after that share, or mount it again",
    errno.ETIMEDOUT: "look after that share",
    errno.ENODEV: "look after that disk or share",
    errno.EISDIR: "move that folder out of the way",
    errno.ENOTDIR: "a file is where a folder belongs: move it out of the way",
    errno.EEXIST: "move it out of the way",
    errno.ENAMETOOLONG: "shorten it",
    errno.ELOOP: "mend that link",
}


def unwritable(folder: Path, error: OSError, otherwise: str) -> UserError:
    """The error of a command that cannot even begin to write to its folder.

    Args:
        folder: where.
        error: why.
        otherwise: the other mend, `choose another folder with --run`.
    """
    mend = _STORAGE_MENDS.get(error.errno or 0)
    mends = f"{mend}, or {otherwise}" if mend else otherwise
    return UserError(f"cannot write to {folder} ({error.strerror}): {mends}")


def storage_line(error: OSError) -> str | None:
    """One line, with the mend, for a disk or share that fails or a path that is taken.

    None for other errors.

    >>> storage_line(OSError(errno.ENOSPC, "No space left on device", "/scratch/a"))
    '/scratch/a: No space left on device; make space there, then the same command goes on'
    """  # noqa: E501 - it is one line
    mend = _STORAGE_MENDS.get(error.errno or 0)
    # A socket has errors of the same numbers, but no file name.
    if mend is None or error.filename is None:
        return None
    what = error.strerror or os.strerror(error.errno or 0)
    path = error.filename if error.filename2 is None else error.filename2
    return f"{path}: {what}; {mend}, then the same command goes on"


# -- what configurations check of their own fields; the error names the field -------


def check(ok: bool, owner: object, name: str, rule: str) -> None:
    """Raise `UserError` with the field, its value and the rule unless `ok`."""
    if not ok:
        value = getattr(owner, name)
        raise UserError(f"{type(owner).__name__}.{name} = {value!r}: must be {rule}")


def check_one_of(owner: object, name: str, allowed: tuple[str, ...]) -> None:
    """Raise `UserError` with the closest allowed name unless the field has one."""
    if (value := getattr(owner, name)) not in allowed:
        hint = did_you_mean(str(value), allowed)
        raise UserError(f"{type(owner).__name__}.{name} = {value!r}: {hint}")


def check_types(owner: Any) -> None:
    """Raise `UserError` unless each value has its type; an int passes for a float."""
    for f in fields(owner):
        value, kind = getattr(owner, f.name), str(f.type)
        kind, bar, _ = kind.partition(" | None")
        if bar and value is None:
            continue
        if kind == "float" and type(value) is int:
            object.__setattr__(owner, f.name, float(value))
        elif kind in ("int", "float", "bool", "str"):
            check(type(value).__name__ == kind, owner, f.name, f"of type {kind}")
        if kind == "int":
            check(-(2**63) <= value < 2**63, owner, f.name, "of at most 64 bits")
