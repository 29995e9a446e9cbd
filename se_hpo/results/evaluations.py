"""Read the records of phase 2 into one tidy frame: a row per trained agent. No torch.

A line that cannot be read is named in a warning and left out; so is a second record of
the same agent in one evaluation.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from se_hpo.errors import UserError, check_one_of
from se_hpo.names import STOP_REASONS, TRAIN_ENVS
from se_hpo.results.columns import columns_of, dtypes_of, texts, tidy
from se_hpo.results.lines import parsed_lines, read_json, warn_unreadable
from se_hpo.storage.json_records import RecordError, record
from se_hpo.storage.paths import LINES, RunPaths, header_of

RULES = ("paper", "fixed_steps")
"""What ends a training; see docs/evaluate.md."""


@dataclass(frozen=True)
class _Trained:
    """What is known of a trained agent; field order is column order."""

    train_env: str
    """`real`: the task itself; else as in `load_ses`."""
    task: str
    """Task id."""
    se_set: str | None
    """Folder of the set; missing for `real`."""
    se: int | None
    """Number of the SE in it; missing for `real`."""
    se_solved: bool | None
    """The SE solved the task when it was trained."""
    se_score: float | None
    """Its best score then."""
    agent: str
    """Algorithm."""
    pair: int
    """Number of the draw of hyperparameters and seed that agents on SEs and on the task
    share."""
    agent_seed: int
    """Seed of the training."""
    rule: Literal["paper", "fixed_steps"]
    """What ends a training: `paper` or `fixed_steps`."""
    max_env_steps: int | None
    """Most training steps; missing: no such limit."""
    env_steps: int
    """Training steps."""
    episodes: int
    """Training episodes."""
    stop_reason: str
    """Why the training ended."""
    test_returns: list[float]
    """Returns of the test episodes; the task's worst one for a diverged agent."""
    score: float
    """Their mean."""
    test_env_steps: int
    """Steps of the test episodes."""
    seconds: float
    """Processor time of training and tests of this agent, in the process that had it to
    itself; what reading and recording take is not in it."""
    engine: str
    """`native` or `torch`."""
    kind: str | None = None
    """Kind of what was trained on, where a learning curve is recorded; missing for
    `real`."""
    variation: Literal["default", "varied"] = "varied"
    """`default`: all agents have the same hyperparameters; `varied`: random ones."""
    agent_values: str | None = None
    """Which ones, or around which, where a learning curve is recorded: `matched`,
    `textbook`, or the name of a file."""
    solved_after: int | None = None
    """Training steps before the first test from which on ten tests in a row have a mean
    that solves the task; missing: never, or no curve."""
    area: float | None = None
    """Mean of the learning curve over the training steps."""

    def __post_init__(self) -> None:
        check_one_of(self, "stop_reason", STOP_REASONS)


@dataclass(frozen=True)
class _AgentRecord(_Trained):
    """A line of a records file."""

    hyperparameters: dict[str, bool | int | str | float | None] = field(kw_only=True)
    curve: tuple[list[int], list[float]] | None = None
    """Steps and returns of its tests while training, see `learning_curves`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        steps, returns = self.curve or ([], [])
        if len(steps) != len(returns) or steps != sorted(set(steps)):
            raise RecordError("curve: must be rising steps, and a return for each")


EVALUATION_COLUMNS = columns_of(_Trained) | texts("record_file", "agent_base")
"""Columns of `load_evaluations`, before `hp.*`; see docs/results.md."""

_SHARD = re.compile(r"\.shard-\d+-of-\d+$")

Key = tuple[str, str | None, int | None, str, int]
"""Setting, set, SE, agent, pair: what makes an agent of an evaluation."""


def load_evaluations(path: str | Path) -> pd.DataFrame:
    """One row per trained agent of a run, a folder of records, or a `*.jsonl` file.

    `EVALUATION_COLUMNS`, then a column `hp.<name>` per drawn hyperparameter;
    `test_returns` holds lists. Sorted by file, then as recorded; a `UserError` if there
    are no records.
    """
    rows: list[dict[str, Any]] = []
    bases: dict[Path, dict[str, str]] = {}
    for file, found in records_at(path):
        if file not in bases:
            bases[file] = _agent_bases(file)
        hp = {f"hp.{name}": v for name, v in found["hyperparameters"].items()}
        base = bases[file].get(found["agent"])
        rows.append(found | hp | {"record_file": file.name, "agent_base": base})
    return tidy(rows, {**EVALUATION_COLUMNS, **dtypes_of(rows, "hp.", {})})


def records_at(path: str | Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The file and the record of every agent; an agent's first record counts."""
    seen: set[tuple[str, Key]] = set()
    for file in record_files(Path(path)):
        twice = 0
        for found in read_records(file):
            key = (evaluation_name(file), record_key(found))
            twice += key in seen
            if key not in seen:
                yield file, found
            seen.add(key)
        if twice:
            warn_unreadable(file, f"a second record of {twice} agent(s)")


def _agent_bases(records: Path) -> dict[str, str]:
    """A fingerprint per algorithm of what its agents share, but for the engine."""
    settings = read_json(header_of(records)).get("settings")
    parts = settings if isinstance(settings, dict) else {}
    found = [parts.get(name) for name in ("agents", "baselines")]
    agents = [item for part in found if isinstance(part, dict) for item in part.items()]
    bases = {}
    for name, agent in agents:
        if isinstance(agent, dict):
            shared = {key: value for key, value in agent.items() if key != "engine"}
            text = json.dumps(shared, sort_keys=True)
            bases[name] = hashlib.sha256(text.encode()).hexdigest()[:8]
    return bases


def record_files(path: Path) -> list[Path]:
    """The records files at `path`, by name; a `UserError` if there are none."""
    if path.is_file():
        return [path]
    inside = RunPaths(path).evaluations
    folder = inside if inside.is_dir() else path
    if files := sorted(file for file in folder.glob(f"*{LINES}") if file.is_file()):
        return files
    what = "does not exist" if not path.exists() else "has no evaluations"
    command = f"python -m se_hpo.evaluate --envs {shlex.quote(str(path))}"
    others = "name a run, a folder of .jsonl files or one of them"
    raise UserError(f"{path} {what}: make them with `{command}`, or {others}")


def evaluation_name(file: Path) -> str:
    """The evaluation a records file belongs to: that of all its shards.

    >>> evaluation_name(Path("evaluations/paper-0.shard-2-of-8.jsonl"))
    'paper-0'
    """
    return _SHARD.sub("", file.stem)


def evaluation_names(evaluations: pd.DataFrame) -> pd.Series:
    """The evaluation of every row of `load_evaluations`."""
    return evaluations["record_file"].map(lambda file: evaluation_name(Path(file)))


def read_records(file: Path) -> Iterable[dict[str, Any]]:
    """Every record of a file that can be read; the others are named in a warning."""
    return parsed_lines(file, lambda line: vars(record(_AgentRecord, line)))


def record_key(found: Mapping[str, Any]) -> Key:
    """What makes an agent of an evaluation."""
    train_env, se_set, se = found["train_env"], found["se_set"], found["se"]
    return train_env, se_set, se, found["agent"], found["pair"]


def summary(frame: pd.DataFrame, solved_return: float) -> pd.DataFrame:
    """How many agents there are per agent and train_env, and their means.

    Args:
        frame: from `load_evaluations`.
        solved_return: an agent whose mean test return reaches it has solved the task;
            `solved` is their share.
    """
    order = {name: i for i, name in enumerate(TRAIN_ENVS)}
    frame = frame.sort_values(
        "train_env", key=lambda names: names.map(order), kind="stable"
    ).assign(solved=frame["score"] >= solved_return)
    return frame.groupby(["agent", "train_env"], sort=False).agg(
        agents=("score", "size"),
        score=("score", "mean"),
        solved=("solved", "mean"),
        env_steps=("env_steps", "mean"),
        median_env_steps=("env_steps", "median"),
        episodes=("episodes", "mean"),
    )
