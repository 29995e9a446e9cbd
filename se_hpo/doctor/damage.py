"""Files of a run that are torn, half written, or not what their name says."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from se_hpo.storage.files import parse_json, read_json_lines
from se_hpo.storage.paths import DAMAGED, JSON, LINES, TENSORS, RunPaths


@dataclass(frozen=True)
class Damage:
    """A file that cannot be read as a whole."""

    path: Path
    what: str
    vital: bool = False
    """A run does not start with it, and does not write it again by itself."""


def damaged_files(run: RunPaths, in_use: bool) -> Iterator[Damage]:
    """Every damaged file of a run; nothing is touched.

    Where it is `in_use` the last line of a file that grows may be incomplete.
    """
    others = {*run.journals, run.credentials}  # credentials have their own check
    problems: list[tuple[Path, str | None]] = [
        *((path, _json_problem(path)) for path in _found(run, JSON, others)),
        *((p, _line_problem(p, in_use)) for p in (*run.journals, *_found(run, LINES))),
        *((path, _tensor_problem(path)) for path in _found(run, TENSORS)),
    ]
    for path, what in problems:
        if what is not None:
            yield Damage(path, what, vital=path in (run.run, run.jobs))


def set_aside_files(run: RunPaths) -> list[Path]:
    """What masters and workers have found damaged and put aside before."""
    return _found(run, DAMAGED)


def _found(run: RunPaths, ending: str, others: Collection[Path] = ()) -> list[Path]:
    """Files by the end of their names, without temporary ones."""
    found = set(run.root.rglob(f"*{ending}")).difference(others)
    inside = {path: path.relative_to(run.root).parts for path in found}
    return sorted(p for p, parts in inside.items() if parts[0][0] != "." != p.name[0])


def _json_problem(path: Path) -> str | None:
    try:
        data = parse_json(path.read_bytes())
    except FileNotFoundError:  # removed meanwhile
        return None
    except (OSError, ValueError) as problem:
        return f"no JSON ({problem})"
    return None if isinstance(data, (dict, list)) else "not what belongs there"


def _line_problem(path: Path, in_use: bool) -> str | None:
    try:
        bad = [n for n, value in read_json_lines(path) if value is None]
        whole = not bad or path.read_bytes().endswith(b"\n")
    except OSError as problem:
        return str(problem.strerror)
    if bad and in_use and not whole:
        bad.pop()  # being written
    lines = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
    return f"line {lines} is no JSON" if bad else None


def _tensor_problem(path: Path) -> str | None:
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError) as problem:
        return f"no safetensors file ({problem})"
    return None if names else "it holds nothing"
