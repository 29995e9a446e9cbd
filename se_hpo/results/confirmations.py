"""What fresh seeds said of a run's best trials, and which of them is best by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from se_hpo.results import lines
from se_hpo.results.columns import counts, numbers, texts, tidy
from se_hpo.results.lines import Evaluation
from se_hpo.storage.paths import RunPaths

CONFIRMATION_COLUMNS = {
    **texts("trial"),
    **numbers("budget", "loss"),
    **counts("fresh_seeds"),
    **numbers("fresh_loss", "fresh_std", "optimism"),
    "incumbent": "bool",
}
"""Columns of `load_confirmations`."""


@dataclass(frozen=True)
class Confirmed:
    """A row of `confirmation.json`; see `optimize.confirm`."""

    trial: str
    budget: float
    loss: float
    fresh_losses: list[float]
    optimism: float
    on_task: bool = False
    """Fresh agents trained on the task, those of the search on SEs."""

    @property
    def fresh_loss(self) -> float:
        """The mean loss on fresh seeds."""
        return float(np.mean(self.fresh_losses))


def read_confirmations(run: RunPaths) -> list[Confirmed]:
    """The rows of a run's `confirmation.json`; none before there is one."""
    kind = list[Confirmed]
    rows: list[Confirmed] = lines.read_checked(run.confirmation, kind, [])
    return [row for row in rows if row.fresh_losses]


def best_confirmed(
    rows: Sequence[Confirmed], trial: str, budget: float
) -> Confirmed | None:
    """The best on fresh seeds, of those with most of them at the largest budget.

    On the task the budget does not matter.

    Args:
        rows: from `read_confirmations`.
        trial: the search's own best.
        budget: at which it is that.

    Returns:
        None where that one was not confirmed: the search has gone on since.
    """
    here = [row for row in rows if row.on_task or row.budget == budget]
    if trial not in {row.trial for row in here}:
        return None
    most = max(len(row.fresh_losses) for row in here)
    last = [row for row in here if len(row.fresh_losses) == most]
    return min(last, key=lambda row: row.fresh_loss)


def best_evaluation(
    ranked: Sequence[Evaluation], run: RunPaths
) -> tuple[Evaluation, float | None]:
    """The best evaluation of a run, and its mean loss on fresh seeds if it has one.

    Args:
        ranked: best first, as the search saw them; at least one.
        run: which may have confirmations.
    """
    first = ranked[0].record
    row = best_confirmed(read_confirmations(run), first.trial, first.budget)
    for evaluation in ranked if row else ():
        place = (evaluation.record.trial, evaluation.record.budget)
        if row and place == (row.trial, row.budget):
            return evaluation, row.fresh_loss
    return ranked[0], None


def confirmation_frame(rows: Sequence[Confirmed], incumbent: str) -> pd.DataFrame:
    """A row per confirmed trial; `incumbent` is the trial that is it."""
    found = [_row(row, row.trial == incumbent) for row in rows]
    return tidy(found, CONFIRMATION_COLUMNS)


def _row(row: Confirmed, incumbent: bool) -> dict[str, object]:
    n = len(row.fresh_losses)
    return {
        **vars(row),
        "fresh_seeds": n,
        "fresh_loss": row.fresh_loss,
        "fresh_std": float(np.std(row.fresh_losses, ddof=1)) if n > 1 else None,
        "incumbent": incumbent,
    }
