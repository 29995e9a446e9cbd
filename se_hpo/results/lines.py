"""The lines of a run's files as records, with unreadable ones named and left out."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from se_hpo.errors import did_you_mean
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.json_records import RecordError, checked, parsed, record
from se_hpo.storage.paths import ConfigId, RunPaths, TrialPaths, trial_name
from se_hpo.storage.records import EvaluationRecord, GenerationLine, Status

_LAST_TIME = 253_402_300_799.0
"""Unix seconds at the end of the year 9999."""

T = TypeVar("T")


class UnreadableWarning(UserWarning):
    """A line or file of a run could not be read; the rest was used."""


@dataclass(frozen=True)
class Configuration:
    """A line of `configs.json`."""

    values: dict[str, Any]
    model_based: bool | None
    """Picked by the model; None where the journal does not say."""


@dataclass(frozen=True)
class Evaluation:
    """A line of `results.json`, or an evaluation under way."""

    config_id: ConfigId
    record: EvaluationRecord
    submitted: float | None = None
    """Unix seconds at which the master queued it."""
    info: Any = None
    """What a worker of another kind returned besides the loss: a dict, or anything."""


@dataclass(frozen=True)
class Hyperparameter:
    """What is needed of one in `configspace.json`."""

    name: str
    type: str
    lower: float | None = None
    upper: float | None = None
    log: bool = False
    choices: list[Any] | None = None
    sequence: list[Any] | None = None


def warn_unreadable(where: object, why: object) -> None:
    """Name a line (`file:3`) or file that is left out."""
    warnings.warn(f"{where}: {why}; left out", UnreadableWarning, stacklevel=2)


def not_there(
    folder: Path, kind: str, inside: list[Path], beside: list[str], otherwise: str
) -> str:
    """What is said of a folder that is no run or set; names those that are near."""
    what = f"is no {kind}" if folder.exists() else "does not exist"
    if inside:
        hint = "name one in it: " + ", ".join(map(str, inside[-3:]))
    elif beside:
        hint = f"{did_you_mean(folder.name, beside)} (in {folder.parent})"
    else:
        hint = otherwise
    return f"{folder} {what}: {hint}"


def parsed_lines(path: Path, parse: Callable[[Any], T]) -> Iterator[T]:
    """`parse` of every JSON line; a line that is torn or does not fit is left out."""
    for number, value in read_json_lines(path):
        try:
            found = None if value is None else parse(value)
        except ValueError as error:
            warn_unreadable(f"{path}:{number}", f"not what belongs here ({error})")
            continue
        if found is None:
            warn_unreadable(f"{path}:{number}", "not a whole JSON line")
        else:
            yield found


def read_json(path: Path) -> dict[str, Any]:
    """A whole JSON object; empty where the file is missing or unreadable."""
    return read_checked(path, dict, {})


def read_checked(path: Path, kind: Any, default: T) -> T:
    """What a JSON file holds, if it is of that kind (see `checked`); else the default.

    A file that is there and cannot be read is named.
    """
    try:
        value: T = checked(kind, parsed(path.read_bytes()))
    except FileNotFoundError:
        return default
    except (RecordError, OSError) as error:
        warn_unreadable(path, getattr(error, "strerror", error))
        return default
    return value


def read_space(run: RunPaths) -> dict[str, Any]:
    """`configspace.json`; its `hyperparameters` are a list, empty if it is damaged."""
    space = read_json(run.configspace)
    space.setdefault("hyperparameters", [])
    try:
        checked(list[Hyperparameter], space["hyperparameters"], "hyperparameters")
    except RecordError as error:
        warn_unreadable(run.configspace, f"not a search space ({error})")
        return {"hyperparameters": []}
    return space


def read_configurations(run: RunPaths) -> dict[ConfigId, Configuration]:
    """Every configuration of the run, by id."""

    def parse(line: Any) -> tuple[ConfigId, Configuration]:
        config_id, values, info = checked(tuple[ConfigId, dict[str, Any], Any], line)
        picked = info.get("model_based_pick") if isinstance(info, dict) else None
        model_based = None if picked is None else bool(picked)
        return config_id, Configuration(values, model_based)

    return dict(parsed_lines(run.configs, parse))


def read_evaluations(run: RunPaths) -> list[Evaluation]:
    """Ended evaluations by the time they finished; the last line of each counts."""
    last = {
        (e.config_id, e.record.budget): e
        for e in parsed_lines(run.results, _parse_evaluation)
    }
    return sorted(_with_rungs(list(last.values())), key=lambda e: e.record.finished)


def _with_rungs(evaluations: list[Evaluation]) -> Iterator[Evaluation]:
    """Where no rung was noted, it is counted: the budgets of a bracket in order."""
    budgets: dict[int, set[float]] = defaultdict(set)
    for e in evaluations:
        budgets[e.config_id[0]].add(e.record.budget)
    for e in evaluations:
        counted = sorted(budgets[e.config_id[0]]).index(e.record.budget)
        rung = e.record.rung if e.record.rung >= 0 else counted
        yield replace(e, record=replace(e.record, rung=rung))


@dataclass(frozen=True)
class _Times:
    """hpbandster's time stamps, Unix seconds."""

    submitted: float | None = None
    started: float | None = None
    finished: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_time(name, value or 0.0)


_LINE = tuple[ConfigId, float, _Times, dict[str, Any] | None, str | None]
_KINDS = get_type_hints(EvaluationRecord)
_OF_THE_LINE = {"trial", "bracket", "rung", "budget", "loss", "started", "finished"}


def check_time(name: str, value: float) -> None:
    """Raise `RecordError` for seconds that are no time of a calendar."""
    if not 0.0 <= value <= _LAST_TIME:
        raise RecordError(f"{name} = {value}: no time in Unix seconds")


def _parse_evaluation(line: Any) -> Evaluation:
    config_id, budget, times, result, error = checked(_LINE, line)
    failed = result is None or error is not None
    values: dict[str, Any] = {"bracket": config_id[0], "rung": -1, "budget": budget}
    values |= {"trial": trial_name(config_id), "error": error}
    values |= {"started": times.started or 0.0, "finished": times.finished or 0.0}
    values |= {
        "status": Status.FAILED if failed else Status.FINISHED,
        "loss": 1.0 if result is None else _loss(result.get("loss")),
        "reason": "failed" if failed else "",
    }
    info = None if result is None else result.get("info")
    if isinstance(info, dict) and "trial" in info:  # a record of ours
        given = {key: value for key, value in info.items() if value is not None}
        found = record(EvaluationRecord, {**values, **given, "budget": budget})
        check_time("started", found.started)
        check_time("finished", found.finished)
        return Evaluation(config_id, found, times.submitted)
    known, rest = _known(info)
    found = EvaluationRecord(**{**values, **known})
    return Evaluation(config_id, found, times.submitted, rest)


def _loss(value: Any) -> float:
    """Hpbandster takes any number, also NaN."""
    if value is None or (type(value) is float and not math.isfinite(value)):
        return float("nan" if value is None else value)
    return float(checked(float, value, "loss"))


def _known(info: Any) -> tuple[dict[str, Any], Any]:
    """The parts of another worker's `info` that a record has a place for; the rest."""
    if not isinstance(info, dict):
        return {}, info
    known = {}
    for name in (_KINDS.keys() - _OF_THE_LINE) & info.keys():
        with contextlib.suppress(RecordError):
            known[name] = checked(_KINDS[name], info[name], name)
    ours = {"state"} if "status" in known else set()  # see `Journal`
    rest = {k: v for k, v in info.items() if k not in known.keys() | ours}
    return known, rest


def read_generations(files: TrialPaths) -> Iterator[GenerationLine]:
    """Every generation line that can be read."""
    return parsed_lines(files.generations, lambda line: record(GenerationLine, line))
