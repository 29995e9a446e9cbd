"""How files are written and read: whole or not at all.

A file is either rewritten through a temporary name and a rename, or appended a whole
line at a time: a process killed at any moment leaves at most one torn last line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

MOST_LEVELS = 100
"""Of brackets in brackets; our files have a few, and Python's stack an end."""

PROBE_BYTES = 2**18
"""More than the files of a trial take; a disk with less left is full."""

Guard = Callable[[], None]
"""Called before anything is written; raises where that may no longer be."""


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name a file in the errors of what is done to it; `write` and `fsync` do not."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def check_writable(folder: Path) -> None:
    """Write a file there and remove it.

    Raises:
        OSError: it cannot be written; names the folder.
    """
    probe = folder / f".probe-{threading.get_ident()}.{os.getpid()}.tmp"
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb", buffering=0) as file:
                left = PROBE_BYTES
                while left:
                    left -= os.write(file.fileno(), bytes(left))
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)


def temporary_name(name: str) -> str:
    """A name for what this process makes for a moment; `--overwrite` knows them.

    >>> is_temporary(temporary_name("run.json")), is_temporary("notes.tmp")
    (True, False)
    """
    return f".{name}.{os.getpid()}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a process has left it that was killed."""
    return re.fullmatch(r"\..+\.\d+\.tmp", name) is not None


def write_atomic(path: Path, data: bytes | str, mode: int = 0o666) -> None:
    """Write a whole file so that readers see the old or the new one, never a part.

    Args:
        path: the file.
        data: its content.
        mode: its permissions from the first byte, as far as the umask lets them.
    """
    temporary = path.with_name(temporary_name(path.name))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # nobody else's file or link
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        try:
            with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
                file.write(data.encode() if isinstance(data, str) else data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):  # must not hide why writing failed
                temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write builtin types as indented JSON, atomically."""
    write_atomic(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


def append_json_line(path: Path, data: Any) -> None:
    """Append a compact JSON line in one write; a torn last line is closed first.

    Where it cannot be written as a whole (a full disk), the file stays as it was.
    """
    line = _json_line(data)
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and (file.seek(size - 1), file.read(1))[1] != b"\n":
                line = b"\n" + line
            _append_all(file.fileno(), line)


def write_json_lines(path: Path, rows: Iterable[Any]) -> None:
    """Write a whole file of compact JSON lines, atomically."""
    write_atomic(path, b"".join(map(_json_line, rows)))


def _json_line(data: Any) -> bytes:
    line = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return line.encode() + b"\n"


def _append_all(file: int, data: bytes) -> None:
    """Write unbuffered: a buffer would try once more when the file is closed."""
    written = 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
        os.fsync(file)
    except OSError:
        with contextlib.suppress(OSError):
            _take_back(file, data[:written])
        raise


def _take_back(file: int, part: bytes) -> None:
    """Cut off what was written of a line, unless somebody has written after it."""
    end = os.lseek(file, 0, os.SEEK_CUR)
    start = end - len(part)
    if os.fstat(file).st_size == end and os.pread(file, len(part), start) == part:
        os.ftruncate(file, start)


def parse_json(text: str | bytes) -> Any:
    """What a text holds.

    Raises:
        ValueError: it is no JSON, is nested too deep, or has halves of characters,
            which could not be written again.
    """
    text = text if isinstance(text, str) else text.decode()
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("brackets nested too deep") from None
    if "\\ud" in text.lower():
        json.dumps(value, ensure_ascii=False).encode()
    if text.count("[") + text.count("{") > MOST_LEVELS and _is_deep(value):
        raise ValueError("brackets nested too deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MOST_LEVELS):
        values = (v.values() if isinstance(v, dict) else v for v in level)
        level = [v for each in values for v in each if isinstance(v, (dict, list))]
    return bool(level)


def read_json_lines(path: Path) -> Iterator[tuple[int, Any | None]]:
    """Yield `(line number from 1, value)`; value is None for a line that is not JSON.

    A missing file yields nothing. Blank lines are skipped.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, parse_json(line)
            except ValueError:
                yield number, None


# -- safetensors: the library writes metadata in the order of a hash map that differs
# between processes -----------------------------------------------------------------

_ALIGNMENT = 8  # of the header, as the format demands


def tensor_bytes(
    tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> bytes:
    """A safetensors file as bytes, its metadata sorted by name.

    >>> a = tensor_bytes({"x": np.zeros(2)}, {"a": "1", "b": "2"})
    >>> a == tensor_bytes({"x": np.zeros(2)}, {"b": "2", "a": "1"})
    True
    """
    data = save(dict(tensors), dict(metadata))
    size = int.from_bytes(data[:8], "little")
    header = parse_json(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]
