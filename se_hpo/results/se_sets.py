"""Read sets of SEs, `results/<run>/ses/<set>/`: while they are trained, without torch.

What is damaged, foreign or unfinished is named in one warning per set and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.zoo_files import is_zoo_name, zoo_file
from se_hpo.errors import UserError
from se_hpo.results import se_set_settings as stored
from se_hpo.results.columns import SE_COLUMNS, SE_GENERATION_COLUMNS, tidy
from se_hpo.results.lines import warn_unreadable
from se_hpo.results.model_card import card_of, config_of_card
from se_hpo.results.se_outcome import SEOutcome, read_outcome
from se_hpo.results.trials import generation_rows
from se_hpo.storage.paths import RunPaths, SESetPaths, sets_in


@dataclass(frozen=True)
class SESet:
    """A set of SEs; `outcomes` has those that are finished, by index."""

    paths: SESetPaths
    train_env: str
    """`se_fixed`, `se_varied` or `se_random`; of reward networks `rn_...`."""
    task: str
    config: RunConfig
    """What every SE of the set was trained with."""
    seed: int
    n_envs: int
    """SEs that the set is to have."""
    generations: int
    """At most so many per SE."""
    outcomes: list[SEOutcome]

    @property
    def name(self) -> str:
        """The folder's."""
        return self.paths.root.resolve().name


@dataclass(frozen=True, repr=False)
class TrainedSet:
    """A set's folder, and what the readers of this module find there."""

    folder: Path
    missing: dict[int, str]
    """SEs that were asked for and are not finished, and why."""

    def __repr__(self) -> str:
        """Short."""
        missing = f", {len(self.missing)} missing" * bool(self.missing)
        return f"TrainedSet({str(self.folder)!r}{missing})"

    def ses(self) -> pd.DataFrame:
        """See `load_ses`."""
        return load_ses(self.folder)

    def generations(self) -> pd.DataFrame:
        """See `load_se_generations`."""
        return load_se_generations(self.folder)


def read_set(path: str | Path) -> SESet:
    """Read a set of SEs, finished or not; a `UserError` if it is none, or damaged."""
    paths = SESetPaths(Path(path))
    data = stored.read_set_json(paths)
    of = stored.settings_from_set(paths, data)
    n_envs = stored.n_envs_from_set(paths, data)
    train_env, task = of.train_env, of.config.task
    outcomes, left_out = _outcomes(paths, train_env, task, n_envs)
    if left_out:
        warn_unreadable(paths.root, "; ".join(left_out))
    decided = (of.config, of.seed, n_envs, of.generations)
    return SESet(paths, train_env, task, *decided, outcomes)


def _outcomes(
    paths: SESetPaths, train_env: str, task: str, n_envs: int
) -> tuple[list[SEOutcome], list[str]]:
    outcomes, left_out, unfinished = [], [], []
    for index in range(n_envs):
        try:
            outcome = read_outcome(paths, index)
            if outcome and (outcome.train_env, outcome.task) != (train_env, task):
                raise ValueError(f"it is of {outcome.train_env} on {outcome.task}")
        except (ValueError, OSError) as error:
            left_out.append(f"{paths.outcome(index).name} is unreadable ({error})")
            continue
        if outcome is None:
            unfinished.append(f"{index:03d}")
        elif outcome.best_score is not None and not paths.checkpoint(index).is_file():
            left_out.append(f"{paths.checkpoint(index).name} is missing")
        else:
            outcomes.append(outcome)
    if unfinished:
        left_out.append(f"not finished: {_ranges(unfinished)}")
    return outcomes, left_out


def _ranges(names: list[str]) -> str:
    """All of few names, the first and last of many.

    >>> _ranges(["000", "001"]), _ranges(["000", "001", "002", "003", "004"])
    ('000, 001', '000, 001, ... 004 (5)')
    """
    if len(names) <= 4:
        return ", ".join(names)
    return f"{names[0]}, {names[1]}, ... {names[-1]} ({len(names)})"


def find_sets(path: str | Path) -> list[Path]:
    """The set at `path`, or all sets of the run there; a `UserError` without any."""
    folder = Path(path)
    if SESetPaths(folder).set.is_file():
        return [folder]
    inside = sets_in(RunPaths(folder).ses) or sets_in(folder)
    if not inside:
        raise UserError(stored.no_set(folder))
    return inside


@dataclass(frozen=True)
class OneFile(SESetPaths):
    """A set that is one file; `root` is what the user calls it."""

    file: Path

    def checkpoint(self, index: int) -> Path:
        """The one SE."""
        return self.file


def set_of_one(name: Path) -> SESet:
    """An SE with a card, `zoo:NAME` or a file, as a set that has no other.

    Raises:
        UserError: there is none, or see `card_of`.
    """
    file = zoo_file(str(name)) if is_zoo_name(name) else name
    checkpoint = load_se(file)
    card = card_of(checkpoint.metadata, name)
    return SESet(
        OneFile(name, file),
        card.outcome.train_env,
        checkpoint.task,
        config_of_card(card, name),
        card.set_seed,
        1,
        card.generations,
        [replace(card.outcome, index=0)],
    )


def load_ses(path: str | Path) -> pd.DataFrame:
    """One row per finished SE of a set, or of all sets of a run.

    `SE_COLUMNS` of docs/results.md, of `results/<run>/ses/<set>` or `results/<run>`; a
    `UserError` if there is no set.
    """
    rows = []
    for folder in find_sets(path):
        se_set = read_set(folder)
        for outcome in se_set.outcomes:
            row = {"run": _run_of(folder), "se_set": se_set.name, "se": outcome.index}
            if outcome.best_score is not None:
                row["checkpoint"] = str(se_set.paths.checkpoint(outcome.index))
            rows.append({**outcome.to_dict(), **row})
    return tidy(rows, SE_COLUMNS)


def load_se_generations(path: str | Path) -> pd.DataFrame:
    """One row per generation of each SE, also of those still being trained.

    `SE_GENERATION_COLUMNS` of docs/results.md; path and errors are as in `load_ses`.
    """
    rows = [row for folder in find_sets(path) for row in _se_generations(folder)]
    return tidy(rows, SE_GENERATION_COLUMNS)


def _se_generations(folder: Path) -> Iterator[dict[str, Any]]:
    paths = SESetPaths(folder)
    for index in range(stored.n_envs_from_set(paths, stored.read_set_json(paths))):
        own = {"run": _run_of(folder), "se_set": folder.resolve().name, "se": index}
        if paths.run(index).generations.exists():  # random searches have none
            for row in generation_rows(paths.run(index)):
                yield own | row


def _run_of(folder: Path) -> str | None:
    """The run's name, where the set lies in a run."""
    run = SESetPaths(folder.resolve()).run_folder
    return None if run is None else run.name
