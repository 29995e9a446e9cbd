"""Everything a run's folder holds, as frames; what cannot be read is named."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from se_hpo.envs.learned import kind_of
from se_hpo.envs.tasks import known_solved_return
from se_hpo.errors import UserError
from se_hpo.registries import budget_unit
from se_hpo.results import columns as c
from se_hpo.results import lines, se_sets
from se_hpo.results import trials as loaded
from se_hpo.results.columns import tidy
from se_hpo.results.confirmations import Confirmed, read_confirmations
from se_hpo.results.evaluations import EVALUATION_COLUMNS, load_evaluations
from se_hpo.results.learning_curves import CURVE_COLUMNS, load_curves
from se_hpo.results.lines import UnreadableWarning
from se_hpo.results.ranking import ranked
from se_hpo.results.se_sets import SESet
from se_hpo.results.trials import Incumbent
from se_hpo.storage.paths import LINES, RunPaths, sets_in

_none = partial(partial, tidy, [])


@dataclass
class RunData:
    """A run, as far as it has come; frames without rows where there is nothing."""

    paths: RunPaths
    info: dict[str, Any] = field(default_factory=dict)
    """`run.json`; empty where the folder has none."""
    trials: pd.DataFrame = field(default_factory=_none(c.TRIAL_COLUMNS))
    generations: pd.DataFrame = field(default_factory=_none(c.GENERATION_COLUMNS))
    """Of the trials."""
    incumbent: Incumbent | None = None
    configspace: dict[str, Any] = field(default_factory=dict)
    """The search space, in ConfigSpace's JSON."""
    confirmations: list[Confirmed] = field(default_factory=list)
    """What fresh seeds said of the best trials."""
    sets: list[SESet] = field(default_factory=list)
    ses: pd.DataFrame = field(default_factory=_none(c.SE_COLUMNS))
    se_generations: pd.DataFrame = field(default_factory=_none(c.SE_GENERATION_COLUMNS))
    evaluations: pd.DataFrame = field(default_factory=_none(EVALUATION_COLUMNS))
    curves: pd.DataFrame = field(default_factory=_none(CURVE_COLUMNS))
    unreadable: list[str] = field(default_factory=list)
    """What was left out, a sentence each."""

    @property
    def name(self) -> str:
        """The folder's."""
        return self.paths.root.resolve().name

    @property
    def settings(self) -> dict[str, Any]:
        """Resolved settings of the BOHB run."""
        settings = self.info.get("settings")
        return settings if isinstance(settings, dict) else {}

    @property
    def has_bohb(self) -> bool:
        """There is a BOHB run in the folder."""
        return bool(self.info) or not self.trials.empty

    @property
    def task(self) -> str | None:
        """The task's id; None where nothing says."""
        if isinstance(self.settings.get("task"), str):
            return str(self.settings["task"])
        if self.sets:
            return self.sets[0].task
        if not self.evaluations.empty:
            return str(self.evaluations["task"].iloc[0])
        return None

    @property
    def of_rewards(self) -> bool:
        """All sets are of reward networks, and there is one."""
        kinds = [kind_of(se_set.config.se) for se_set in self.sets]
        return bool(kinds) and all(kind.reward for kind in kinds)

    @property
    def fitness(self) -> str:
        """What the scores of the search are: `nes.fitness`."""
        values = self.incumbent.configuration if self.incumbent else {}
        base = self.settings.get("base")
        values = {**(base if isinstance(base, dict) else {}), **values}
        return str(values.get("nes.fitness", "return"))

    @property
    def unit_of_budget(self) -> str:
        """What budgets of the search count: `generations`, `seeds`."""
        return budget_unit(self.settings.get("objective", "nes"))

    @property
    def solved_return(self) -> float | None:
        """Of the task; None for tasks outside the package's list."""
        return known_solved_return(self.task)


def read_run(folder: str | Path) -> RunData:
    """Read all there is; a folder without anything of a run is a `UserError`."""
    paths = RunPaths(Path(folder))
    data = RunData(paths)
    with _noting_unreadable(data):
        if paths.run.is_file() or paths.results.is_file():
            _read_bohb(data)
        elif not (sets_in(paths.ses) or any(paths.evaluations.glob(f"*{LINES}"))):
            loaded.run_paths(paths.root)  # says what is wrong, and what to do
            raise UserError(f"{paths.root} is no run: name a folder in results/")
        _read_sets(data)
        if any(paths.evaluations.glob(f"*{LINES}")):
            with _noting_errors(data):
                data.evaluations = load_evaluations(paths.root)
                if data.evaluations["area"].notna().any():
                    data.curves = load_curves(paths.root)
    return data


def _read_bohb(data: RunData) -> None:
    root = data.paths.root
    data.info = lines.read_json(data.paths.run)
    data.trials = loaded.load_trials(root)
    data.generations = loaded.load_generations(root)
    if len(ranked(data.trials)):
        data.incumbent = loaded.load_incumbent(root)
    data.configspace = lines.read_space(data.paths)
    data.confirmations = read_confirmations(data.paths)


def _read_sets(data: RunData) -> None:
    if not sets_in(data.paths.ses):
        return
    outcomes, generations = [], []
    for folder in se_sets.find_sets(data.paths.root):
        with _noting_errors(data):
            data.sets.append(se_sets.read_set(folder))
            outcomes.append(se_sets.load_ses(folder))
            generations.append(se_sets.load_se_generations(folder))
    if data.sets:
        data.ses = pd.concat(outcomes, ignore_index=True)
        data.se_generations = pd.concat(generations, ignore_index=True)


@contextmanager
def _noting_errors(data: RunData) -> Iterator[None]:
    """What cannot be read goes into the report; the rest is read."""
    try:
        yield
    except UserError as error:
        data.unreadable.append(str(error))


@contextmanager
def _noting_unreadable(data: RunData) -> Iterator[None]:
    """Warnings of unreadable lines go into the report instead of to the screen."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        said, kind = warning.message, warning.category
        if issubclass(kind, UnreadableWarning):
            data.unreadable.append(str(said))
        else:
            warnings.warn_explicit(said, kind, warning.filename, warning.lineno)
    data.unreadable = list(dict.fromkeys(data.unreadable))
