"""A line of the doctor's report, and checks that cannot break it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from se_hpo.errors import UserError

Level = Literal["ok", "warning", "error"]
"""`warning`: a run works, but worse, or it could not be told; `error`: it would not."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    what: str
    value: str
    level: Level = "ok"
    mend: str = ""
    """What to do about it; empty if it is fine."""


def ok(what: str, value: str) -> Finding:
    """It is fine."""
    return Finding(what, value)


def warning(what: str, value: str, mend: str) -> Finding:
    """A run works, but worse than it could; or it could not be told."""
    return Finding(what, value, "warning", mend)


def error(what: str, value: str, mend: str) -> Finding:
    """A run would not work."""
    return Finding(what, value, "error", mend)


def safely(what: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check; one that raises is a finding, too, about `what`."""
    try:
        yield from check()
    except UserError as problem:  # names its own mend
        value, _, mend = str(problem).rpartition(": ")
        yield error(what, value or str(problem), mend)
    except OSError as problem:
        yield refused(what, problem)
    except Exception as problem:  # noqa: BLE001 - the doctor reports what is broken
        name = type(problem).__name__
        yield error(what, f"{name}: {problem}", "see the error above")


def refused(what: str, problem: OSError) -> Finding:
    """An error of the file system: what it said, of which file, and what to do."""
    said, mend = problem.strerror or str(problem), "see the error above"
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        mend = "make space, or choose another folder with --run"
    if problem.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR):
        mend = "choose a folder that you may write to with --run"
    where = "" if problem.filename is None else f": {problem.filename}"
    return error(what, f"{said}{where}", mend)
