"""The state of an NES run on disk, and how a run picks up after being killed.

Order of writing in every generation: its line in `generations.jsonl`, then the state.
A run killed in between has one line too many, which `restore` cuts off before that
generation is computed again, to the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from se_hpo.config.run import RunConfig
from se_hpo.errors import UserError
from se_hpo.nes.nes_state import NESState
from se_hpo.nes.strategies import State, Strategy
from se_hpo.storage.damaged import set_aside
from se_hpo.storage.files import (
    append_json_line,
    read_json_lines,
    tensor_bytes,
    write_atomic,
)
from se_hpo.storage.json_records import checked, parsed, record
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import GenerationLine

log = logging.getLogger(__name__)


class ForeignStateError(UserError):
    """The state of another configuration, seed or engine."""


# Settings that came after the first runs, with what all was like before.
_YOUNGER = (
    ("nes", "strategy", "nes"),
    ("nes", "fitness", "return"),
    ("nes", "start", "random"),
    ("nes", "horizon", 0),
    ("nes", "rank_space", ""),
    ("nes", "rank_agents", 32),
    ("nes", "rank_seeds", 4),
    ("nes", "unsolved_weight", 100.0),
    ("nes", "first_limit", 0),
    ("nes", "limit_generations", 0),
    ("nes", "vary", "paper"),
    ("nes", "vary_members", True),
    ("nes", "most_update_cost", 0.0),
    ("nes", "most_cost", 0.0),
    ("nes", "best_window", 1),
    ("nes", "restart_after", 0),
    ("agent", "action_repeat", 1),
    ("agent", "se_steps", None),
    ("agent", "se_init_steps", 64),
)


def fingerprint(config: RunConfig, seed: int, engine: str) -> str:
    """What a state must share with the run that continues it."""
    values = config.to_dict()
    for part, name, before in _YOUNGER:
        if name in values[part] and values[part][name] == before:
            del values[part][name]
    data = json.dumps([values, seed, engine], sort_keys=True)
    return hashlib.sha256(data.encode()).hexdigest()


def save_state(path: Path, state: NESState, owner: str) -> None:
    """Write the state atomically; `owner` is the run's fingerprint."""
    metadata = {
        "format": "se_hpo.nes_state.1",
        "owner": owner,
        "generation": str(state.generation),
        "best_score": repr(float(state.best_score)),
        "solved_at": json.dumps(state.solved_at),
    }
    tensors = {**state.strategy, "best_psi": state.best_psi}
    write_atomic(path, tensor_bytes(tensors, metadata))


def load_state(path: Path, owner: str, strategy: Strategy) -> NESState:
    """Read a state.

    Raises:
        ForeignStateError: the state of another run.
        UserError: no readable state.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = file.keys()  # it cannot be iterated over
            arrays = {name: file.get_tensor(name) for name in names}
        state = NESState(
            best_psi=arrays.pop("best_psi"),
            strategy=arrays,
            generation=int(metadata["generation"]),
            best_score=float(metadata["best_score"]),
            solved_at=checked(int | None, parsed(metadata["solved_at"]), "solved_at"),
        )
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise UserError(f"{path} is no readable NES state ({error})") from error
    if metadata.get("owner") != owner:
        raise ForeignStateError(
            f"{path} belongs to another configuration, seed or engine: "
            "use another folder, or delete this one"
        )
    if _shapes(arrays) != _shapes(strategy.init(state.best_psi)):
        raise UserError(f"{path} holds {', '.join(arrays)}: not its strategy's")
    return state


def _shapes(arrays: State) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


def restore(
    paths: TrialPaths, owner: str, strategy: Strategy
) -> tuple[NESState, list[dict[str, Any]]] | None:
    """State and generation lines of an interrupted run; None to start afresh.

    Unreadable files are named in a warning and set aside; the generations they held
    are computed again, to the same result.

    Raises:
        ForeignStateError: the folder holds the state of another run.
    """
    if not paths.state.exists():
        for leftover in (paths.generations, paths.timing):
            leftover.unlink(missing_ok=True)
        return None
    try:
        state = load_state(paths.state, owner, strategy)
        history = _history(paths.generations, state.generation)
    except ForeignStateError:
        raise
    except UserError as error:
        set_run_aside(paths, str(error))
        return None
    _keep_lines(paths.generations, range(1, state.generation + 1))
    if paths.timing.exists():  # for information only: damaged lines are dropped
        before = range(state.generation)
        lines = read_json_lines(paths.timing)
        dicts = [(number, x) for number, x in lines if isinstance(x, dict)]
        kept = {number for number, x in dicts if x.get("generation") in before}
        _keep_lines(paths.timing, kept)
    return state, history


def _history(path: Path, generations: int) -> list[dict[str, Any]]:
    history: list[dict[str, Any]] = []
    for number, line in read_json_lines(path):
        if len(history) == generations:
            break
        try:
            found = record(GenerationLine, line)
            if found.generation != len(history):
                raise ValueError(f"it is of generation {found.generation}")
            checked(float, found.center_score, "mean of center_scores")
            checked(int, found.center_diverged, "center_diverged")
        except ValueError as error:
            raise UserError(f"{path}, line {number} is damaged ({error})") from None
        history.append(dict(line or {}))
    if len(history) < generations:
        raise UserError(f"{path} ends after {len(history)} of {generations} lines")
    return history


def _keep_lines(path: Path, numbers: Container[int]) -> None:
    """Drop all lines but these, numbered from 1."""
    with path.open("rb") as file:
        lines = list(file)
    kept = [line for number, line in enumerate(lines, 1) if number in numbers]
    if len(kept) < len(lines):
        write_atomic(path, b"".join(kept))


def append_generation(path: Path, line: dict[str, Any], size: int) -> int:
    """Write a generation's line as the line of its number, whoever else wrote there.

    A worker that lost its trial while its master was away, or while it was frozen, may
    write for a moment more. What it writes are the same bytes; they must not be there
    twice, and nobody's must be lost.

    Args:
        path: `generations.jsonl`.
        line: of the generation.
        size: bytes that the file should have by now; -1 if nobody knows.

    Returns:
        Bytes that it has afterwards; -1 while others' lines are ahead of ours.
    """
    if path.exists() and path.stat().st_size != size:
        if size >= 0:
            log.warning("%s: another process has written to it", path)
        lines, g = [found for _, found in read_json_lines(path)], line["generation"]
        if len(lines) > g and lines[g] == parsed(json.dumps(line)):
            return -1
        _keep_lines(path, range(1, g + 1))
    append_json_line(path, line)
    return path.stat().st_size


@contextlib.contextmanager
def timed(
    paths: TrialPaths, cpu_seconds: Callable[[], float], **place: int
) -> Iterator[None]:
    """Append to `timing.jsonl` what the block took.

    A file apart, since it differs from run to run; `place` is what the line is of.
    """
    started, cpu = time.time(), cpu_seconds()
    yield
    timing = {
        "started": started,
        "wall_seconds": time.time() - started,
        "cpu_seconds": cpu_seconds() - cpu,
    }
    append_json_line(paths.timing, {**place, **timing})


def set_run_aside(paths: TrialPaths, reason: str) -> None:
    """Rename the files of a run that cannot go on, so that it starts again."""
    files = (paths.state, paths.generations, paths.timing, paths.ranking)
    set_aside(reason, "the trial starts again", *files)
