"""Which SE of an own run goes into a file of the zoo."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from se_hpo.envs.checkpoint import SECheckpoint, load_se
from se_hpo.envs.learned import kind_of
from se_hpo.errors import UserError
from se_hpo.names import is_random
from se_hpo.results.evaluations import (
    evaluation_name,
    load_evaluations,
    record_files,
)
from se_hpo.results.lines import read_json
from se_hpo.results.model_card import Reached
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import read_set_json
from se_hpo.results.se_sets import SESet, find_sets, read_set
from se_hpo.search_spaces.user_code import prepare
from se_hpo.storage.json_records import RecordError, record
from se_hpo.storage.paths import RunPaths, header_of


@dataclass(frozen=True)
class Candidate:
    """An SE of a set, with what is known of it."""

    se_set: SESet
    outcome: SEOutcome
    checkpoint: SECheckpoint
    reached: list[Reached]

    @property
    def rank(self) -> tuple[Any, ...]:
        """Larger is better: solved, then the agents of evaluations, then its score."""
        means = [reached.mean for reached in self.reached]
        mean = statistics.fmean(means) if means else 0.0
        return self.outcome.solved, bool(means), mean, self.outcome.best_score


def candidates(path: Path, evaluations: Path | None = None) -> list[Candidate]:
    """The learned SEs of a set, or of all sets of a run, the best one first.

    Args:
        path: `results/<run>` or a set's folder; code that it names is run.
        evaluations: where records lie; None: in the run of each set, if it has any.

    Raises:
        UserError: there is no such set, or none of SEs that were learned; several
            tasks; or no records at `evaluations`.
    """
    sets = list(_sets(path))
    if len({se_set.task for se_set in sets}) > 1:
        names = ", ".join(f"{s.paths.root} ({s.task})" for s in sets)
        raise UserError(f"{path}: sets for several tasks: name one of {names}")
    found = [c for se_set in sets for c in _of_set(se_set, evaluations)]
    if not found:
        raise UserError(
            f"{path}: no learned SE is finished there (random ones and reward networks "
            "do not count): train first (python -m se_hpo.train)"
        )
    return sorted(found, key=lambda c: c.rank, reverse=True)


def _sets(path: Path) -> Iterator[SESet]:
    for folder in find_sets(path):
        se_set = read_set(folder)
        if kind_of(se_set.config.se).reward or is_random(se_set.train_env):
            continue
        prepare(read_set_json(se_set.paths), se_set.paths.set, trusted=True)
        yield se_set


def _of_set(se_set: SESet, evaluations: Path | None) -> Iterator[Candidate]:
    records = _records(se_set, evaluations)
    for outcome in se_set.outcomes:
        if outcome.best_score is not None:
            path = se_set.paths.checkpoint(outcome.index)
            checkpoint = load_se(path, se_set.task)
            reached = list(_reached(checkpoint, records))
            yield Candidate(se_set, outcome, checkpoint, reached)


def _records(se_set: SESet, evaluations: Path | None) -> list[Path]:
    """Files of records in which the set's SEs may be."""
    if evaluations is not None:
        return record_files(evaluations)
    run = se_set.paths.root.resolve().parent.parent
    return record_files(run) if RunPaths(run).evaluations.is_dir() else []


def _reached(checkpoint: SECheckpoint, files: Iterable[Path]) -> Iterator[Reached]:
    """What the agents of evaluations reach that were trained on these parameters."""
    frames = [_on_se(checkpoint.fingerprint, file) for file in files]
    if not (frames := [frame for frame in frames if not frame.empty]):
        return
    frame = pd.concat(frames, ignore_index=True)
    for (agent, name), rows in frame.groupby(["agent", "evaluation"], sort=False):
        steps = rows["max_env_steps"] if rows["rule"].iloc[0] == "fixed_steps" else None
        yield Reached(
            agent=str(agent),
            se_steps=round(float(rows["env_steps"].mean()), 1),
            mean=round(float(rows["score"].mean()), 3),
            worst=round(float(rows["score"].min()), 3),
            n=len(rows),
            evaluation=str(name),
            variation=rows["variation"].iloc[0],
            fixed_steps=None if steps is None else int(steps.iloc[0]),
        )


@dataclass(frozen=True)
class _Set:
    ses: dict[str, str]
    """Number -> fingerprint."""


@dataclass(frozen=True)
class _Sets:
    """What is needed of the settings of an evaluation."""

    sets: dict[str, _Set]
    variation: str = "varied"
    """Of the agents' hyperparameters; their records say it of curves alone."""


def _on_se(fingerprint: str, file: Path) -> pd.DataFrame:
    """A file's records of agents that were trained on an SE, whatever it was called."""
    try:
        settings = record(_Sets, read_json(header_of(file)).get("settings"))
    except RecordError:  # then nobody knows on what its agents were trained
        return pd.DataFrame()
    pairs = ((name, *se) for name, of in settings.sets.items() for se in of.ses.items())
    here = {(name, index) for name, index, found in pairs if found == fingerprint}
    if not here:
        return pd.DataFrame()
    frame = load_evaluations(file)
    keys = zip(frame["se_set"].astype(object), frame["se"].astype(str), strict=True)
    rows = frame[[key in here for key in keys]]
    return rows.assign(evaluation=evaluation_name(file), variation=settings.variation)


def chosen(found: Sequence[Candidate], se: int | None) -> Candidate:
    """The best candidate, or the one of that number.

    Raises:
        UserError: there is no such SE, or several sets have one.
    """
    if se is None:
        return found[0]
    fitting = [c for c in found if c.outcome.index == se]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        sets = ", ".join(str(c.se_set.paths.root) for c in fitting)
        raise UserError(f"--se {se}: several sets have it: name one of {sets}")
    known = sorted({str(c.outcome.index) for c in found}, key=int)
    raise UserError(f"--se {se}: there is no such SE: known: {', '.join(known)}")
