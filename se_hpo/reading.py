"""The lines of a run's files as records, with unreadable ones named and left out."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from se_hpo.paths import ConfigId, RunPaths, parse_json, read_json_lines, trial_name
from se_hpo.records import EvaluationRecord, Status

STATUS_MAX_AGE = 60.0
"""Seconds after which a `status.json` that nobody rewrote says nothing any more."""

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


def warn_unreadable(where: object, why: str) -> None:
    """Name a line (`file:3`) or file that is left out."""
    warnings.warn(f"{where}: {why}; left out", UnreadableWarning, stacklevel=2)


def parsed_lines(path: Path, parse: Callable[[Any], T]) -> Iterator[T]:
    """`parse` of every JSON line; a line that is torn or does not fit is left out."""
    for number, value in read_json_lines(path):
        where = f"{path}:{number}"
        if value is None:
            warn_unreadable(where, "not a whole JSON line")
            continue
        try:
            parsed = parse(value)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            warn_unreadable(where, f"not what belongs here ({error!r})")
            continue
        yield parsed


def read_json(path: Path) -> dict[str, Any]:
    """A whole JSON object; empty where the file is missing or unreadable."""
    try:
        data = parse_json(path.read_text())
    except FileNotFoundError:
        return {}
    except (ValueError, IsADirectoryError) as error:
        warn_unreadable(path, f"not JSON ({error})")
        return {}
    return data if isinstance(data, dict) else {}


def read_configurations(run: RunPaths) -> dict[ConfigId, Configuration]:
    """Every configuration of the run, by id."""

    def parse(line: Any) -> tuple[ConfigId, Configuration]:
        config_id, values, info = line
        picked = info.get("model_based_pick") if isinstance(info, dict) else None
        model_based = None if picked is None else bool(picked)
        return _config_id(config_id), Configuration(dict(values), model_based)

    return dict(parsed_lines(run.configs, parse))


def read_evaluations(run: RunPaths) -> list[Evaluation]:
    """Ended evaluations by the time they finished; the last line of each counts."""
    last = {
        (e.config_id, e.record.budget): e
        for e in parsed_lines(run.results, _parse_evaluation)
    }
    return sorted(last.values(), key=lambda e: e.record.finished)


def read_running(run: RunPaths, ended: list[Evaluation]) -> list[Evaluation]:
    """Evaluations under way, as the master last said, with what they have so far.

    Empty where `status.json` is older than `STATUS_MAX_AGE`.
    """
    try:
        age = time.time() - run.status.stat().st_mtime
    except FileNotFoundError:
        return []
    if age > STATUS_MAX_AGE:
        return []
    done = {
        (e.config_id, e.record.budget) for e in ended if e.record.status != Status.LOST
    }
    running = []
    for entry in read_json(run.status).get("running", []):
        try:
            evaluation = _parse_running(entry, run, ended)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            warn_unreadable(run.status, f"running trial not understood ({error!r})")
            continue
        if (evaluation.config_id, evaluation.record.budget) not in done:
            running.append(evaluation)
    return running


def _config_id(value: Any) -> ConfigId:
    bracket, rung, index = value
    return int(bracket), int(rung), int(index)


def _parse_evaluation(line: Any) -> Evaluation:
    raw_id, budget, times, result, exception = line
    config_id, info = _config_id(raw_id), dict((result or {}).get("info") or {})
    failed = result is None or exception is not None
    record = {
        "trial": trial_name(config_id),
        "bracket": config_id[0],
        "rung": config_id[1],
        "status": Status.FAILED if failed else Status.FINISHED,
        "loss": 1.0 if result is None else result.get("loss"),
        "reason": "failed" if failed else "",
        "started": times.get("started"),
        "finished": times.get("finished"),
        "error": exception,
        **{key: value for key, value in info.items() if value is not None},
        "budget": budget,
    }
    submitted = times.get("submitted")
    return Evaluation(
        config_id, _checked(record), None if submitted is None else float(submitted)
    )


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "str": str,
    "str | None": str,
    "int": int,
    "int | None": int,
    "float": float,
    "float | None": float,
    "Status": Status,
    "dict[str, Any]": dict,
}
_FIELDS = {f.name: _CONVERT[str(f.type)] for f in dataclasses.fields(EvaluationRecord)}


def _checked(values: Mapping[str, Any]) -> EvaluationRecord:
    """A record with every field of its declared type; a lost one has loss NaN."""
    known: dict[str, Any] = {
        name: convert(values[name])
        for name, convert in _FIELDS.items()
        if values.get(name) is not None
    }
    if known["status"] is Status.LOST:
        known["loss"] = float("nan")
    return EvaluationRecord(**known)


def _parse_running(entry: Any, run: RunPaths, ended: list[Evaluation]) -> Evaluation:
    config_id, budget = _config_id(entry["config_id"]), float(entry["budget"])
    before = [
        e.record for e in ended if e.config_id == config_id and e.record.budget < budget
    ]
    record = EvaluationRecord(
        trial=trial_name(config_id),
        bracket=config_id[0],
        rung=config_id[1] + len(before),
        budget=budget,
        status=Status.RUNNING,
        loss=float("nan"),
        reason="",
        worker=str(entry.get("pid", "")),
        host=str(entry.get("host", "")),
        started=float(entry.get("since") or 0.0),
        seed=before[-1].seed if before else 0,
        **_so_far(run.trial(config_id).generations),
    )
    return Evaluation(config_id, record)


def _so_far(generations: Path) -> dict[str, Any]:
    """What the finished generations of a running trial add up to."""

    def parse(line: Any) -> tuple[float, float, int, int]:
        scores = line["center_scores"]
        score = sum(scores) / len(scores)
        best = float(line["best_score"])
        return score, best, int(line["env_steps_se"]), int(line["env_steps_task"])

    lines = list(parsed_lines(generations, parse))
    if not lines:
        return {}
    return {
        "generations": len(lines),
        "score_final": lines[-1][0],
        "score_best": lines[-1][1],
        "env_steps_se": sum(line[2] for line in lines),
        "env_steps_task": sum(line[3] for line in lines),
    }
