"""The same settings or refuse: what was begun goes on only as what it is.

A run, a set and an evaluation each have a JSON file that says with what settings they
were begun. Whoever opens one says what is asked for now; where that differs, it is
refused, and what differs is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.errors import UserError
from se_hpo.text import short_json

_MOST_TOLD = 5
_WIDTH = 40


def differences(
    before: Any, now: Any, may_grow: Collection[str] = (), path: tuple[str, ...] = ()
) -> Iterator[str]:
    """What differs, one line each; single values before nested ones.

    Args:
        before: nested mappings of settings.
        now: likewise.
        may_grow: names of mappings that may have more entries, or fewer.
        path: where the two lie.

    >>> list(differences({"seed": 0, "nes": {"lr": 1}}, {"seed": 0, "nes": {"lr": 2}}))
    ['nes.lr 1 -> 2']
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        grows = bool(path) and path[-1] in may_grow
        keys = before.keys() & now.keys() if grows else before.keys() | now.keys()
        for key in sorted(keys, key=lambda k: (isinstance(before.get(k), Mapping), k)):
            there, here = before.get(key), now.get(key)
            yield from differences(there, here, may_grow, (*path, key))
    elif before != now:
        yield (
            f"{'.'.join(path)} {short_json(before, _WIDTH)} -> "
            f"{short_json(now, _WIDTH)}"
        )


@dataclass(frozen=True)
class Begun:
    """A file that says what its folder, or its neighbour, was begun with."""

    file: Path
    read: Callable[[], dict[str, Any]]
    """Its contents, checked."""
    differences: Callable[[dict[str, Any]], Iterator[str]]
    """Between its contents and what is asked for, one line each."""
    is_one: str
    """What is said of it: `results/x is a run with`."""
    otherwise: str
    """What to do about other settings: `continue it, or give another --run`."""

    def read_or_refuse(self) -> dict[str, Any]:
        """Its contents.

        Raises:
            UserError: it was begun with other settings, or see `read`.
        """
        data = self.read()
        if found := list(self.differences(data)):
            told, more = found[:_MOST_TOLD], len(found) - _MOST_TOLD
            told += [f"and {more} more"] * (more > 0)
            raise UserError(
                f"{self.is_one} other settings: {'; '.join(told)}. Give the same "
                f"settings to {self.otherwise}"
            )
        return data

    def open_or_refuse(
        self, what: str, flag: str, early: Collection[Path]
    ) -> dict[str, Any] | None:
        """Its contents; None where nothing has begun yet.

        Args:
            what: its folder is to be: `run`.
            flag: which names the folder: `--run`.
            early: what may lie in the folder before anything has begun.

        Raises:
            UserError: as `read_or_refuse`, or the folder holds something else.
        """
        if self.file.exists():
            return self.read_or_refuse()
        root = self.file.parent
        if root.is_dir() and not set(early).issuperset(root.iterdir()):
            raise UserError(
                f"{root} exists and holds no {what}: choose another folder with {flag}"
            )
        return None
