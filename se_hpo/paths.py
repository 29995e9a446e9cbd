"""Every file name under a run's folder, and how files are written safely.

A file is either rewritten through a temporary name and a rename, or appended a whole
line at a time: a process killed at any moment leaves at most one torn last line.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.disk import naming

MOST_LEVELS = 100
"""Of brackets in brackets; our files have a few, and Python's stack an end."""

ConfigId = tuple[int, int, int]
"""hpbandster's id of a configuration: bracket, rung it was sampled for, index."""


def trial_name(config_id: ConfigId) -> str:
    """The folder name of a trial, sortable as text.

    >>> trial_name((2, 0, 11))
    '002-0-011'
    """
    bracket, rung, index = config_id
    return f"{bracket:03d}-{rung}-{index:03d}"


@dataclass(frozen=True)
class TrialPaths:
    """Files of one trial (one NES run)."""

    root: Path

    @property
    def config(self) -> Path:
        """The resolved `RunConfig` and the flat configuration."""
        return self.root / "config.json"

    @property
    def generations(self) -> Path:
        """One line per generation; the same bytes for the same seed."""
        return self.root / "generations.jsonl"

    @property
    def timing(self) -> Path:
        """One line of wall and cpu seconds per generation."""
        return self.root / "timing.jsonl"

    @property
    def agents(self) -> Path:
        """One line per trained agent (objective `agent`)."""
        return self.root / "agents.jsonl"

    @property
    def candidates(self) -> Path:
        """One line per scored chunk of random SEs (random search)."""
        return self.root / "candidates.jsonl"

    @property
    def state(self) -> Path:
        """What the next generation needs."""
        return self.root / "state.safetensors"

    @property
    def best_se(self) -> Path:
        """Checkpoint of the best center so far."""
        return self.root / "se.safetensors"

    @property
    def last_se(self) -> Path:
        """Checkpoint of the last center."""
        return self.root / "se-last.safetensors"

    def record(self, budget: float) -> Path:
        """The evaluation record at one budget."""
        return self.root / f"record-{budget:g}.json"


@dataclass(frozen=True)
class RunPaths:
    """Files of one run: `results/<run>/`."""

    root: Path

    @property
    def run(self) -> Path:
        """Command, resolved settings, seed, versions, hosts, attempts."""
        return self.root / "run.json"

    @property
    def configspace(self) -> Path:
        """The search space in ConfigSpace's JSON."""
        return self.root / "configspace.json"

    @property
    def configs(self) -> Path:
        """Hpbandster's journal of configurations."""
        return self.root / "configs.json"

    @property
    def results(self) -> Path:
        """Hpbandster's journal of results."""
        return self.root / "results.json"

    @property
    def lock(self) -> Path:
        """Host and pid of the master that owns the run."""
        return self.root / "master.lock"

    @property
    def credentials(self) -> Path:
        """Where workers find the nameserver, and the run's HMAC key; mode 0600."""
        return self.root / "credentials.json"

    @property
    def status(self) -> Path:
        """What the master is doing now, rewritten every few seconds."""
        return self.root / "status.json"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def slurm(self) -> Path:
        """Scripts for SLURM, and how their jobs ended."""
        return self.root / "slurm"

    @property
    def jobs(self) -> Path:
        """What was submitted to SLURM: names and job ids."""
        return self.slurm / "jobs.json"

    @property
    def confirmation(self) -> Path:
        """What fresh seeds said of the best trials."""
        return self.root / "confirm" / "confirmation.json"

    @property
    def trials(self) -> Path:
        """One folder per trial."""
        return self.root / "trials"

    @property
    def ses(self) -> Path:
        """One folder per set of SEs (`SESetPaths`)."""
        return self.root / "ses"

    @property
    def evaluations(self) -> Path:
        """Records of phase 2: `*.jsonl`, one line per trained agent."""
        return self.root / "evaluations"

    @property
    def figures(self) -> Path:
        """Figures as PNG and PDF, and the frame behind each as CSV."""
        return self.root / "figures"

    @property
    def report(self) -> Path:
        """The self-contained report."""
        return self.root / "report.html"

    def trial(self, config_id: ConfigId) -> TrialPaths:
        """The files of one trial."""
        return TrialPaths(self.trials / trial_name(config_id))


@dataclass(frozen=True)
class SESetPaths:
    """Files of one set of SEs: `results/<run>/ses/<set>/`."""

    root: Path

    @property
    def run_folder(self) -> Path | None:
        """The run that the set lies in (`<run>/ses/<set>`), if it does."""
        ses = self.root.parent
        inside = ses.name == RunPaths(Path()).ses.name and ses.parent != ses
        return ses.parent if inside else None

    @property
    def set(self) -> Path:
        """What the set is: setting, task, resolved config, seed, origin."""
        return self.root / "set.json"

    def checkpoint(self, index: int) -> Path:
        """The best SE of NES run `index` (from 0), solved or not."""
        return self.root / f"{index:03d}.safetensors"

    def outcome(self, index: int) -> Path:
        """How NES run `index` ended, and what it cost."""
        return self.root / f"{index:03d}.json"

    def run(self, index: int) -> TrialPaths:
        """The folder of NES run `index`."""
        return TrialPaths(self.root / "runs" / f"{index:03d}")

    def lock(self, index: int) -> Path:
        """Host and pid of the process that is at NES run `index`."""
        return self.run(index).root / "train.lock"

    def log(self, index: int) -> Path:
        """What the processes of NES run `index` said."""
        return self.run(index).root / "train.log"

    @property
    def opening(self) -> Path:
        """Held for the moment in which a process opens or makes the set."""
        return self.root / "set.lock"


def write_atomic(path: Path, data: bytes | str, mode: int = 0o666) -> None:
    """Write a whole file so that readers see the old or the new one, never a part.

    Args:
        path: the file.
        data: its content.
        mode: its permissions from the first byte, as far as the umask lets them.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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
    line = (json.dumps(data, allow_nan=False, separators=(",", ":")) + "\n").encode()
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and (file.seek(size - 1), file.read(1))[1] != b"\n":
                line = b"\n" + line
            _append_all(file.fileno(), line)


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
