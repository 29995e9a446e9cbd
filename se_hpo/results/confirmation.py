"""What fresh seeds said of the best trials, as a frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from se_hpo.results.columns import numbers, texts, tidy
from se_hpo.results.lines import read_checked
from se_hpo.results.trials import run_paths

CONFIRMATION_COLUMNS = {
    **texts("run", "trial"),
    **numbers("budget", "loss"),
    "seed": "Int64",
    **numbers("fresh_loss", "optimism"),
}


@dataclass(frozen=True)
class _Confirmed:
    trial: str
    budget: float
    loss: float
    fresh_losses: list[float]
    optimism: float


def load_confirmation(run: str | Path) -> pd.DataFrame:
    """One row per fresh seed of each trial that `optimize --confirm` evaluated again.

    `loss` is what the search saw, `fresh_loss` that of the seed, `optimism` the mean of
    those minus the first: the same in all rows of a trial. No rows without `--confirm`.

    Raises:
        UserError: the folder is no run.
    """
    paths = run_paths(run)
    found: list[_Confirmed] = read_checked(paths.confirmation, list[_Confirmed], [])
    rows = [
        {**vars(each), "run": paths.root.resolve().name, "seed": k, "fresh_loss": loss}
        for each in found
        for k, loss in enumerate(each.fresh_losses)
    ]
    return tidy(rows, CONFIRMATION_COLUMNS)
