"""What a search asks for, and what becomes of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from se_hpo.storage.paths import ConfigId, trial_name
from se_hpo.storage.records import Status
from se_hpo.text import shortened

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("trial", "bracket", "rung", "budget", "status", "loss", "reason"),
    "model_based",
)
"""Of `load_trials`, where they make sense here."""


@dataclass(frozen=True, repr=False)
class Trial:
    """A configuration to evaluate at a budget, and what became of it."""

    id: ConfigId
    """Bracket, rung and number; a promoted trial keeps it."""
    config: dict[str, Any]
    """Builtin values, without inactive hyperparameters."""
    budget: float
    rung: int
    """Of this budget in its bracket, from 0."""
    model_based: bool
    """Whether BOHB's model proposed it."""
    status: Status = Status.RUNNING
    loss: float = math.nan
    """NaN while it runs, and if it failed."""
    reason: str = ""
    """Why it failed."""

    def __repr__(self) -> str:
        values = shortened(", ".join(f"{k}={v!r}" for k, v in self.config.items()), 90)
        ended = (
            f"loss {self.loss:.4g}" if self.status is Status.FINISHED else self.status
        )
        return f"<Trial {self.name}, budget {self.budget:g}, {ended}: {values}>"

    @property
    def name(self) -> str:
        """As in the frames: `000-0-003`."""
        return trial_name(self.id)


@dataclass(frozen=True)
class Job:
    """What hpbandster's iterations and generators read of an evaluation."""

    id: ConfigId
    kwargs: dict[str, Any]
    result: dict[str, Any]
    exception: None = None
    timestamps: dict[str, float] = field(default_factory=dict)


def frame_of(
    trials: Iterable[Trial], hyperparameters: list[dict[str, Any]]
) -> pd.DataFrame:
    """One row per trial; types of what is searched are those of the space."""
    from se_hpo.results.columns import (  # pandas, only where it is asked for
        TRIAL_COLUMNS,
        dtypes_of,
        hyperparameter_dtypes,
        tidy,
    )

    rows = [_row(trial) for trial in trials]
    dtypes = hyperparameter_dtypes(hyperparameters).items()
    declared = {f"config.{name}": dtype for name, dtype in dtypes}
    columns = {name: TRIAL_COLUMNS[name] for name in COLUMNS}
    return tidy(rows, {**columns, **dtypes_of(rows, "config.", declared)})


def _row(trial: Trial) -> dict[str, Any]:
    return {
        **{name: getattr(trial, name, None) for name in COLUMNS},
        "trial": trial.name,
        "bracket": trial.id[0],
        **{f"config.{name}": value for name, value in trial.config.items()},
    }
