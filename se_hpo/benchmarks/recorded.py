"""The recorded runs behind a benchmark: complete NES runs, generation by generation."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.envs.tasks import measure_task
from se_hpo.errors import UserError
from se_hpo.optimize.objectives.losses import progress
from se_hpo.search_spaces.loading import Space

_CURVE = (
    *("diverged", "center", "members_top"),
    *("env_steps_se", "env_steps_task", "cpu_seconds"),
)
_AGAIN = "make it again with experiments/nes_benchmark.py --collect"
_COLUMNS = ("configuration", "seed", "generation", *_CURVE)


@dataclass(frozen=True)
class RecordedRuns:
    """Complete NES runs of random configurations, in the order of the file."""

    configurations: list[dict[str, Any]]
    """Of each run."""
    groups: np.ndarray
    """Number of its configuration: `n`."""
    levels: np.ndarray
    """Level of every generation: `n x generations`. Those that a solved run did not
    need are as its last, those after a run diverged are 0; a search counts all as 0."""
    cpu_seconds: np.ndarray
    """Processor time of a whole run: `n`."""
    env_steps_task: np.ndarray
    """Steps on the task in a whole run: `n`."""

    def of(self, rows: np.ndarray) -> RecordedRuns:
        """Some of the runs."""
        arrays = self.groups, self.levels, self.cpu_seconds, self.env_steps_task
        some = [self.configurations[i] for i in rows]
        return RecordedRuns(some, *(array[rows] for array in arrays))

    @property
    def losses(self) -> np.ndarray:
        """Loss at every budget from 1 on: `n x generations`."""
        budgets = np.arange(1, self.levels.shape[1] + 1)
        return np.asarray(1.0 - self.levels.cumsum(axis=1) / budgets)


def read_runs(file: Path, space: Space, generations: int) -> RecordedRuns:
    """Read what `experiments/nes_benchmark.py --collect` wrote.

    Raises:
        UserError: the file is missing, cut short or damaged, or of another space.
    """
    frame = _frame(file)
    if missing := sorted({*_COLUMNS} - {*frame.columns}):
        raise UserError(f"{file} is damaged: it has no column {missing[0]}; {_AGAIN}")
    names = [name for name in frame.columns if name.startswith("config.")]
    declared = [f"config.{name}" for name in space.configuration_space()]
    if differ := sorted({*declared} ^ {*names}):
        shown = ", ".join(name.removeprefix("config.") for name in differ[:5])
        raise UserError(
            f"{file} has runs of another search space than {space.name}, they differ "
            f"in {shown}; {_AGAIN}"
        )
    task = measure_task(space.task)
    runs = [run for _, run in frame.groupby(["configuration", "seed"], sort=False)]
    curves = []
    for run in runs:
        centers, tops = run["center"].to_numpy(), run["members_top"].to_numpy()
        levels = progress(centers, tops, task)
        diverged = bool(run["diverged"].iloc[-1])
        ended = diverged or centers[-1] >= task.solved_return
        if len(run) != generations and not (ended and len(run) < generations):
            raise UserError(
                f"{file} is cut short: configuration {run['configuration'].iloc[0]} "
                f"has {len(run)} of {generations} generations; {_AGAIN}"
            )
        missed = generations - len(levels)
        last = 0.0 if diverged else levels[-1]
        curves.append(np.append(levels, np.full(missed, last)))
    return RecordedRuns(
        configurations=[_values(run[names].iloc[0]) for run in runs],
        groups=np.array([run["configuration"].iloc[0] for run in runs]),
        levels=np.array(curves),
        cpu_seconds=np.array([run["cpu_seconds"].sum() for run in runs]),
        env_steps_task=np.array([run["env_steps_task"].sum() for run in runs]),
    )


def _frame(file: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(file, keep_default_na=True)
    except FileNotFoundError:
        raise UserError(f"{file}: no such file of runs; {_AGAIN}") from None
    except (ValueError, EOFError, OSError, zlib.error) as error:
        raise UserError(f"{file} is damaged ({error}); {_AGAIN}") from None


def _values(row: pd.Series) -> dict[str, Any]:
    """A configuration, without its inactive hyperparameters."""
    known = row.dropna().to_dict().items()
    return {str(name).removeprefix("config."): value for name, value in known}
