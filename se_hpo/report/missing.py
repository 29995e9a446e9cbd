"""What a report does not have, and what would make it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from se_hpo.names import REAL, TRAIN_ENVS, noun_of, train_env_prose
from se_hpo.report.answers import Answers
from se_hpo.report.run_data import RunData
from se_hpo.results.evaluations import evaluation_name, evaluation_names
from se_hpo.results.lines import read_json
from se_hpo.storage.json_records import RecordError, checked
from se_hpo.storage.paths import JSON

_GOES_ON = "The same command goes on from there."


def missing(data: RunData, answers: Answers) -> list[str]:
    """What the report does not have, and what would make it; a sentence each."""
    why = answers.importance_note * answers.importance.empty
    return [
        *_missing_bohb(data),
        *_missing_phase2(data),
        *answers.problems,
        *([f"No importance of hyperparameters: {why}"] if why else []),
        *(line for line in data.unreadable if not _only_unfinished(line)),
    ]


def _only_unfinished(line: str) -> bool:
    """It says of a set no more than that SEs are not finished; so does a sentence."""
    damaged = "unreadable" in line or "missing" in line
    return ": not finished: " in line and not damaged


def _missing_bohb(data: RunData) -> Iterator[str]:
    if not data.has_bohb:
        yield "There is no BOHB run in this folder: nothing is said of the search."
        return
    if data.incumbent is None:
        yield "No evaluation of BOHB has finished yet."
    status = read_json(data.paths.status)
    done, planned = status.get("finished"), status.get("planned")
    if isinstance(done, int) and isinstance(planned, int) and done < planned:
        how_far = f"{done} of {planned} evaluations"
        yield f"The BOHB run is not finished: {how_far}. {_GOES_ON}"
    if failed := (data.trials["status"] == "failed").sum():
        yield f"{failed} evaluation(s) failed: see the table of them."


def _missing_phase2(data: RunData) -> Iterator[str]:
    root = data.paths.root
    if not data.sets:
        command = f"python -m se_hpo.train --from {root}"
        yield f"There are no sets of SEs. To make them: {command}"
    for se_set in data.sets:
        noun = noun_of(se_set.train_env)
        name = f"{noun} set {se_set.name}"
        if left := se_set.n_envs - len(se_set.outcomes):
            yield f"{name}: {left} of {se_set.n_envs} are not finished."
        if unsolved := sum(not outcome.solved for outcome in se_set.outcomes):
            yield (
                f"{name}: {unsolved} of {len(se_set.outcomes)} finished {noun}s "
                "did not solve the task; they are kept, and marked in the tables."
            )
    if data.evaluations.empty:
        learned = "RNs" if data.of_rewards else "SEs"
        yield (
            f"No agents have been evaluated, so what the {learned} are worth is not "
            f"known. To evaluate: python -m se_hpo.evaluate --envs {root}"
        )
        return
    headers: dict[str, list[dict[str, Any]]] = {}  # of all shards
    for file in sorted(data.paths.evaluations.glob(f"*{JSON}")):
        headers.setdefault(evaluation_name(file), []).append(read_json(file))
    for name, parts in headers.items():
        yield from _unfinished_evaluation(name, parts, data.evaluations)
    present = set(data.evaluations["train_env"])
    nouns = {noun_of(name) for name in present - {REAL}} or {"SE"}
    wanted = [name for name in TRAIN_ENVS if name == REAL or noun_of(name) in nouns]
    for train_env in [name for name in wanted if name not in present]:
        yield f"No agents were trained on {train_env_prose(train_env)}."


def _unfinished_evaluation(
    name: str, headers: Sequence[Mapping[str, Any]], evaluations: pd.DataFrame
) -> Iterator[str]:
    """How far an evaluation is, by what is beside its records."""
    try:
        expected = _expected(checked(list[_Header], headers))
    except RecordError:
        return
    mine = evaluations[evaluation_names(evaluations) == name]
    done = mine["se_set"].fillna("the real task").value_counts()
    left = {place: n for place, n in expected.items() if done.get(place, 0) < n}
    short = [f"{done.get(place, 0):,} of {n:,} on {place}" for place, n in left.items()]
    if short:
        yield f"Evaluation {name} is not finished: agents {', '.join(short)}."


@dataclass(frozen=True)
class _Chosen:
    train_env: str
    ses: dict[str, Any]


@dataclass(frozen=True)
class _Settings:
    agents: dict[str, Any]
    sets: dict[str, _Chosen]
    num_agents: int
    baselines: dict[str, Any] = field(default_factory=dict)
    """Agents on the task alone."""


@dataclass(frozen=True)
class _Header:
    """What is beside a file of records."""

    settings: _Settings
    wanted: list[str] = field(default_factory=lambda: list(TRAIN_ENVS))
    """Older ones do not say."""


def _expected(headers: Sequence[_Header]) -> dict[str, int]:
    """Agents on each set and on the task, of the train_envs that were asked for."""
    agents: set[str] = set()
    alone: set[str] = set()
    wanted: set[str] = set()
    sets: dict[str, tuple[str, set[str]]] = {}
    for header in headers:
        agents.update(header.settings.agents)
        alone.update(header.settings.baselines)
        wanted.update(header.wanted)
        for name, chosen in header.settings.sets.items():
            sets.setdefault(name, (chosen.train_env, set()))[1].update(chosen.ses)
    per_se = headers[0].settings.num_agents * len(agents)
    asked = {name: ses for name, (kind, ses) in sets.items() if kind in wanted}
    expected = {name: len(ses) * per_se for name, ses in asked.items()}
    if REAL in wanted:
        slots = set[str]().union(*(ses for _, ses in sets.values()))
        more = headers[0].settings.num_agents * len(alone)
        expected["the real task"] = len(slots) * (per_se + more)
    return expected
