"""Small disks that fill up and turn read-only, under real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


def _mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


def unmount(folder: Path) -> None:
    """Take away what is mounted there last; lazily, whoever is still looking at it."""
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


class SmallDisk:
    """A disk of its own in the memory, mounted on `folder`."""

    def __init__(self, folder: Path, megabytes: int = 4) -> None:
        self.folder = folder
        self._ballast = folder / ".ballast"
        folder.mkdir(parents=True, exist_ok=True)
        _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", folder)

    def fill(self) -> None:
        """Leave no room for one more page."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65_536, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        os.write(file.fileno(), bytes(size))

    def make_space(self) -> None:
        """The user has tidied up."""
        self._ballast.unlink()

    def make_read_only(self) -> None:
        """For everything that is opened from now on.

        A remount is refused while files are open; a second mount above it is not.
        """
        _mount("--bind", self.folder, self.folder)
        _mount("-o", "remount,bind,ro", self.folder)

    def make_writable(self) -> None:
        """Undo `make_read_only`."""
        unmount(self.folder)


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int = 4) -> Iterator[SmallDisk]:
    """A small disk that is gone after the block; skips where none can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    try:
        disk = SmallDisk(folder, megabytes)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no small disk can be mounted here: {error}")
    try:
        yield disk
    finally:
        for _ in range(2):
            unmount(folder)
