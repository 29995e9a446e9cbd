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

    Args:
        run: the run.
        in_use: a master or worker may be writing: the last line of a file that grows
            may be incomplete.
    """
    others = {*run.journals, run.credentials}  # credentials have their own check
    vital = {run.run, run.jobs}
    for path in _found(run, JSON, others):
        if (what := _json_problem(path)) is not None:
            yield Damage(path, what, path in vital)
    for path in (*run.journals, *_found(run, LINES)):
        yield from _line_problems(path, in_use)
    for path in _found(run, TENSORS):
        if (what := _tensor_problem(path)) is not None:
            yield Damage(path, what)


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


def _line_problems(path: Path, in_use: bool) -> Iterator[Damage]:
    try:
        bad = [n for n, value in read_json_lines(path) if value is None]
        whole = not bad or path.read_bytes().endswith(b"\n")
    except OSError as problem:
        yield Damage(path, str(problem.strerror))
        return
    if bad and in_use and not whole:
        bad.pop()  # being written
    if bad:
        lines = ", ".join(map(str, bad[:5])) + (", ..." if len(bad) > 5 else "")
        yield Damage(path, f"line {lines} is no JSON")


def _tensor_problem(path: Path) -> str | None:
    try:
        with safe_open(path, framework="numpy") as file:
            names = file.keys()
    except FileNotFoundError:
        return None
    except (SafetensorError, OSError, ValueError) as problem:
        return f"no safetensors file ({problem})"
    return None if names else "it holds nothing"
