"""Read a run's folder into tidy pandas frames: also while it runs, and without torch.

Lines that cannot be read (half-written, corrupt) are named in a warning and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.envs.tasks import known_solved_return
from se_hpo.errors import UserError, did_you_mean
from se_hpo.names import STOP_REASONS
from se_hpo.results import columns, lines
from se_hpo.results.columns import tidy
from se_hpo.results.confirmations import (
    best_evaluation,
    confirmation_frame,
    read_confirmations,
)
from se_hpo.results.lines import Configuration, Evaluation, parsed_lines
from se_hpo.results.master_status import read_running
from se_hpo.results.ranking import best_first
from se_hpo.storage.json_records import record
from se_hpo.storage.paths import RunPaths, TrialPaths
from se_hpo.storage.records import EvaluationRecord, GenerationLine, TimingLine
from se_hpo.text import shortened


@dataclass(frozen=True, repr=False)
class Incumbent:
    """The best configuration of a run so far."""

    run: Path
    trial: str
    budget: float
    """Of the evaluation that made it the best; the largest of the run so far."""
    loss: float
    """As the search saw it."""
    configuration: dict[str, Any]
    """Flat values as sampled: `{"nes.step_size": 0.5, ...}`."""
    record: EvaluationRecord
    checkpoint: Path | None
    """The SE of its best center; None where the objective makes none."""
    fresh_loss: float | None = None
    """Its mean loss on fresh seeds; None where it was not confirmed."""

    def __repr__(self) -> str:
        values = shortened(
            ", ".join(f"{k}={v}" for k, v in self.configuration.items()), 90
        )
        at = f"{self.trial}, budget {self.budget:g}, loss {self.loss:.4g}"
        return f"<Incumbent {at}: {values}>"


@dataclass(frozen=True, repr=False)
class Run:
    """A run's folder, and what the readers of this module find there."""

    folder: Path

    def __repr__(self) -> str:
        """Short."""
        return f"Run({str(self.folder)!r})"

    def trials(self, *, running: bool = False) -> pd.DataFrame:
        """See `load_trials`."""
        return load_trials(self.folder, running=running)

    def generations(self, trials: str | Iterable[str] | None = None) -> pd.DataFrame:
        """See `load_generations`."""
        return load_generations(self.folder, trials)

    def confirmations(self) -> pd.DataFrame:
        """See `load_confirmations`."""
        return load_confirmations(self.folder)

    @property
    def incumbent(self) -> Incumbent:
        """See `load_incumbent`."""
        return load_incumbent(self.folder)


def load_trials(run: str | Path, *, running: bool = False) -> pd.DataFrame:
    """One row per evaluation (trial x budget), sorted by the time it finished.

    `TRIAL_COLUMNS` of docs/results.md, then `config.<name>` per hyperparameter, then
    `info.<name>` (or `info`, where that is one value) with what a worker of another
    kind returned. With `running` also the evaluations under way, at the end.

    Raises:
        UserError: the folder is no run.
    """
    paths = run_paths(run)
    evaluations = lines.read_evaluations(paths)
    if running:
        evaluations += read_running(paths, evaluations)
    configurations = lines.read_configurations(paths)
    rows = [
        _trial_row(e, configurations.get(e.config_id), paths.root.resolve().name)
        for e in evaluations
    ]
    return tidy(rows, {**columns.TRIAL_COLUMNS, **_further_columns(rows, paths)})


def _trial_row(
    evaluation: Evaluation, configuration: Configuration | None, run: str
) -> dict[str, Any]:
    found = evaluation.record
    row = {**vars(found), "run": run, "status": found.status.value}
    row["seed"] = found.seed or None
    row["submitted"] = evaluation.submitted
    info = evaluation.info
    if isinstance(info, dict):
        row |= {f"info.{key}": value for key, value in info.items()}
    elif info is not None:
        row["info"] = info
    if configuration is not None:
        row["model_based"] = configuration.model_based
        row |= {f"config.{key}": v for key, v in configuration.values.items()}
    return row


def _further_columns(rows: list[dict[str, Any]], paths: RunPaths) -> dict[str, str]:
    """`config.*` as the search space declares them, what it does not, and `info*`."""
    declared = columns.hyperparameter_dtypes(lines.read_space(paths)["hyperparameters"])
    config = {f"config.{name}": dtype for name, dtype in declared.items()}
    return {
        **columns.dtypes_of(rows, "config.", config),
        **columns.dtypes_of(rows, "info", {}),
    }


def load_generations(
    run: str | Path, trials: str | Iterable[str] | None = None
) -> pd.DataFrame:
    """One row per generation of each trial, in the order of trials and generations.

    `GENERATION_COLUMNS` of docs/results.md, of all trials or of those with the given
    names (`"000-0-003"`, or a column of `load_trials`).

    Raises:
        UserError: the folder is no run, or has no trial of that name.
    """
    paths = run_paths(run)
    name = paths.root.resolve().name
    rows = [
        {"run": name, "trial": trial} | row
        for trial in _trial_names(paths, trials)
        for row in generation_rows(TrialPaths(paths.trials / trial))
    ]
    return tidy(rows, columns.GENERATION_COLUMNS)


def _trial_names(paths: RunPaths, trials: str | Iterable[str] | None) -> list[str]:
    known = sorted(p.name for p in paths.trials.glob("*") if p.is_dir())
    if trials is None:
        return known
    wanted = [trials] if isinstance(trials, str) else list(dict.fromkeys(trials))
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known) if known else "it has none yet"
            raise UserError(f"{paths.root} has no trial {name!r}: {hint}")
    return wanted


def generation_rows(files: TrialPaths) -> Iterator[dict[str, Any]]:
    """A row per generation of one NES run, without what names the run.

    Files count generations from 0, what people read counts them from 1.
    """
    solved_return = known_solved_return(lines.read_json(files.config).get("task"))
    timing = {
        line.generation: vars(line)
        for line in parsed_lines(files.timing, partial(record, TimingLine))
    }
    by_number = {line.generation: line for line in lines.read_generations(files)}
    for generation in sorted(by_number):
        row = generation_row(by_number[generation])
        if solved_return is not None:
            row["solved"] = row["center_return"] >= solved_return
        yield row | timing.get(generation, {}) | {"generation": generation + 1}


def generation_row(line: GenerationLine) -> dict[str, Any]:
    """What a line says of a generation, by the names of columns."""
    center = np.array(line.center_scores, dtype=float)
    members = np.array([s for row in line.member_scores for s in row], dtype=float)
    return {
        **vars(line),
        "center_score": float(center.mean()),
        "center_return": line.center_return,
        "center_std": float(center.std(ddof=1)) if center.size > 1 else None,
        "member_score_mean": float(members.mean()),
        "member_score_max": float(members.max()),
        **{f"stop_reasons.{k}": line.stop_reasons.get(k, 0) for k in STOP_REASONS},
    }


def load_incumbent(run: str | Path) -> Incumbent:
    """The best configuration so far.

    Of the finished evaluations with a finite loss those at the largest budget count; of
    these the lowest loss, and of equal losses the first. Where the best of them ran
    again on fresh seeds, of those with most seeds the one of the lowest mean loss.

    Raises:
        UserError: the folder is no run, or nothing has finished yet.
    """
    paths = run_paths(run)
    evaluations = best_first(lines.read_evaluations(paths), lambda e: e.record)
    if not evaluations:
        raise UserError(f"{paths.root} has no finished evaluation yet: try again later")
    best, fresh_loss = best_evaluation(evaluations, paths)
    configuration = lines.read_configurations(paths).get(best.config_id)
    checkpoint = paths.trial(best.config_id).best_se
    found = best.record
    return Incumbent(
        *(paths.root, found.trial, found.budget, found.loss),
        configuration={} if configuration is None else configuration.values,
        record=found,
        checkpoint=checkpoint if checkpoint.exists() else None,
        fresh_loss=fresh_loss,
    )


def load_confirmations(run: str | Path) -> pd.DataFrame:
    """One row per trial that ran again on fresh seeds, those that stayed longest first.

    `CONFIRMATION_COLUMNS` of docs/results.md; no rows before a run is confirmed.

    Raises:
        UserError: the folder is no run.
    """
    paths = run_paths(run)
    rows = read_confirmations(paths)
    incumbent = load_incumbent(run) if rows else None
    confirmed = incumbent is not None and incumbent.fresh_loss is not None
    return confirmation_frame(rows, incumbent.trial if confirmed and incumbent else "")


def run_paths(run: str | Path) -> RunPaths:
    """The files of a run; for a folder that is none, a `UserError` names those near."""
    paths = RunPaths(Path(run))
    if _is_run(paths):
        return paths
    beside = [path.name for path in _runs_in(paths.root.parent)]
    otherwise = "name a folder that `python -m se_hpo.optimize` made (results/...)"
    inside = _runs_in(paths.root)
    raise UserError(lines.not_there(paths.root, "run", inside, beside, otherwise))


def _is_run(paths: RunPaths) -> bool:
    return paths.run.is_file() or paths.results.is_file()


def _runs_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if _is_run(RunPaths(path)))
