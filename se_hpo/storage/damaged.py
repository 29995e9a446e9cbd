"""Damaged files are kept as `<name>.damaged`, and named once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path

from se_hpo.storage.files import naming, write_atomic
from se_hpo.storage.paths import DAMAGED

log = logging.getLogger(__name__)


def aside(path: Path) -> Path:
    """Where a damaged file goes."""
    return path.with_name(path.name + DAMAGED)


def set_aside(why: str, then: str, *paths: Path) -> None:
    """Rename files that cannot be used, and say so.

    Args:
        why: what is wrong, and with which file.
        then: what is done about it, `evaluated again`.
        paths: the files; those that are not there are left out.
    """
    log.warning("%s; set aside as *%s, %s", why, DAMAGED, then)
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            path.replace(aside(path))


def set_lines_aside(path: Path, damaged: Iterable[int]) -> None:
    """Move damaged lines (numbers from 1) to the file beside; drop blank ones."""
    text = path.read_bytes() if path.exists() else b""
    lines = text.removesuffix(b"\n").split(b"\n") if text else []
    bad = set(damaged)
    if not bad and all(line.strip() for line in lines):
        return
    for number in sorted(bad):
        log.warning(
            "%s, line %d is damaged: set aside in %s", path, number, aside(path).name
        )
    if bad:
        with naming(aside(path)), aside(path).open("ab") as file:
            file.writelines(lines[number - 1] + b"\n" for number in sorted(bad))
    good = [line for n, line in enumerate(lines, 1) if n not in bad and line.strip()]
    write_atomic(path, b"".join(line + b"\n" for line in good))


class DamageReport:
    """Names files that another process has set aside since."""

    def __init__(self, folder: Path, pattern: str) -> None:
        self.folder = folder
        self._known = set(folder.glob(f"{pattern}/*{DAMAGED}"))

    def tell(self, pattern: str) -> None:
        """Name what is new in the folders of that pattern."""
        for path in sorted(
            set(self.folder.glob(f"{pattern}/*{DAMAGED}")) - self._known
        ):
            self._known.add(path)
            name = path.with_name(path.name.removesuffix(DAMAGED))
            log.warning("%s was damaged: set aside, computed again", name)
