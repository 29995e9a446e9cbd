"""A file of lines that another process appends to."""

from __future__ import annotations

from pathlib import Path


class GrowingLines:
    """Gives each whole line once; a line still being written waits.

    Args:
        path: the file; it need not be there yet.
        known: bytes that count as given.
    """

    def __init__(self, path: Path, known: int = 0) -> None:
        self.path, self._given = path, known

    def read(self) -> tuple[bool, list[bytes]]:
        """Whether the file was written anew, as one that became shorter; its new lines.

        Raises:
            OSError: it is not there, or cannot be read now.
        """
        size = self.path.stat().st_size
        anew = size < self._given
        if anew:
            self._given = 0
        if size == self._given:
            return anew, []
        with self.path.open("rb") as file:
            file.seek(self._given)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._given += len(whole)
        return anew, whole.splitlines()
