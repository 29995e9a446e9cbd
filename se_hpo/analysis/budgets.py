"""What a BOHB run says about its budgets and its model's picks.

All from the frame of `se_hpo.load_trials`. An evaluation counts if it has a loss:
finished or failed (loss 1), but not running.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import table_columns
from se_hpo.analysis.estimates import Bootstrap, Estimate
from se_hpo.analysis.ranks import MEASURES, rank_correlation
from se_hpo.analysis.trained_agents import numbers
from se_hpo.errors import UserError
from se_hpo.results.columns import tidy

MIN_TRIALS = 8
"""Fewer trials at both budgets say nothing about rank information."""
WEAK = 0.5
"""Of rank correlations: what is below does not tell which trials to promote."""
MIN_PICKS = 3
"""Fewer picks of a kind have no interval."""


def with_loss(trials: pd.DataFrame) -> pd.DataFrame:
    """Evaluations that have a loss, by the time they finished; one per trial, budget.

    Raises:
        UserError: the frame is not that of `load_trials`.
    """
    for name in ("trial", "budget", "loss", "model_based", "finished"):
        if name not in trials:
            mend = "pass the frame of se_hpo.load_trials"
            raise UserError(f"trials have no column {name!r}: {mend}")
    if "run" in trials and trials["run"].nunique() > 1:
        raise UserError("trials of several runs: analyse one at a time")
    frame = trials.assign(**{n: numbers(trials[n]) for n in ("loss", "budget")})
    frame = frame[frame["loss"].notna()].sort_values(["finished", "trial"])
    return frame.drop_duplicates(["trial", "budget"], keep="last")


def budget_correlation(
    trials: pd.DataFrame, *, confidence: float = 0.95
) -> pd.DataFrame:
    """Rank correlation of losses between budgets, over trials evaluated at both.

    One row per pair of budgets; docs/analysis.md explains the columns. Raises a
    `UserError` as `with_loss` does.
    """
    losses = with_loss(trials).pivot(index="trial", columns="budget", values="loss")
    how = Bootstrap(confidence=confidence)
    rows = []
    for low, high in combinations(sorted(losses.columns), 2):
        both = losses[[low, high]].dropna()
        x, y = both[low].to_numpy(), both[high].to_numpy()
        row: dict[str, Any] = {"low_budget": low, "high_budget": high}
        row |= {"n_trials": len(both), "tied_share": _commonest(losses[low])}
        found = {name: rank_correlation(x, y, name, how) for name in MEASURES}
        for name, estimate in found.items():
            row |= estimate.columns(name)
        rows.append(row | _verdict(row, found["spearman"]))
    return tidy(rows, table_columns.BUDGET_CORRELATION)


def _commonest(losses: pd.Series) -> float:
    """Share of evaluations with the most frequent loss; 0 if all differ."""
    counts = losses.value_counts()
    return float(counts.max() / counts.sum()) if counts.max() > 1 else 0.0


def _verdict(row: dict[str, Any], spearman: Estimate) -> dict[str, str]:
    low, high, n = row["low_budget"], row["high_budget"], row["n_trials"]
    budgets = f"budget {low:g} against {high:g}"
    tied = row["tied_share"]
    ties = f"; {tied:.0%} of the losses at budget {low:g} are equal" * (tied > 0.5)
    ends = (f"{end:.2f}" for end in (spearman.low, spearman.high) if end is not None)
    interval = f"the correlation is {' to '.join(ends)}"
    if n < MIN_TRIALS:
        found = "unknown"
        note = f"{n} trials at both, too few to judge (< {MIN_TRIALS})"
    elif spearman.low is None or spearman.high is None:
        found, note = "no", spearman.note
    elif spearman.low > 0:
        return {"informative": "yes", "note": ties.removeprefix("; ")}
    elif spearman.high < WEAK:
        found = "no"
        note = f"no rank information, {interval}: raise the lowest budget"
    else:
        found, note = "unknown", f"{n} trials do not show rank information, {interval}"
    return {"informative": found, "note": f"{budgets}: {note}{ties}"}


def model_based_picks(
    trials: pd.DataFrame,
    *,
    exclude: Collection[str] = (),
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Configurations picked by BOHB's model against those drawn at random, per budget.

    Of each trial its first evaluation counts; docs/analysis.md explains the columns.
    `exclude`d are trials that are neither: the first one, if the run began with the
    default configuration of the space. Raises a `UserError` as `with_loss` does.
    """
    how = Bootstrap(seed, n_resamples, confidence)
    first = with_loss(trials).sort_values("budget").drop_duplicates("trial")
    first = first[~first["trial"].isin(list(exclude)) & first["model_based"].notna()]
    rows = []
    for budget, picks in first.groupby("budget"):
        of_model = picks["model_based"].to_numpy(bool)
        losses = picks["loss"].to_numpy()
        model, random = losses[of_model], losses[~of_model]
        row = {"budget": budget, "n_model": len(model), "n_random": len(random)}
        row["share_model"] = len(model) / len(picks)
        row["median_model"] = np.median(model) if len(model) else math.nan
        row["median_random"] = np.median(random) if len(random) else math.nan
        gain = _two_samples(model, random, _median_gain, how)
        better = _two_samples(model, random, _superiority, how)
        row |= gain.columns("gain") | better.columns("superiority")
        rows.append({**row, "note": gain.note})
    return tidy(rows, table_columns.MODEL_BASED_PICKS)


def _two_samples(
    model: np.ndarray, random: np.ndarray, of: Callable[..., float], how: Bootstrap
) -> Estimate:
    """`of(model, random)`, and its interval from resampling both."""
    if not len(model) or not len(random):
        which = "model's" if not len(model) else "random"
        return Estimate(math.nan, note=f"no {which} picks began at this budget")
    value = float(of(model, random))
    if min(len(model), len(random)) < MIN_PICKS:
        note = f"fewer than {MIN_PICKS} picks of a kind: no interval"
        return Estimate(value, note=note)
    rng = how.generator("picks")
    drawn = (rng.choice(x, (how.n_resamples, len(x))) for x in (model, random))
    resampled = np.array([of(*both) for both in zip(*drawn, strict=True)])
    smaller = min(len(model), len(random))
    return Estimate(value, *how.quantiles(resampled, smaller))


def _median_gain(model: np.ndarray, random: np.ndarray) -> float:
    return float(np.median(random) - np.median(model))


def _superiority(model: np.ndarray, random: np.ndarray) -> float:
    """Mean over pairs of 1 where the model's loss is lower, 1/2 where equal."""
    random = np.sort(random)
    not_worse, better = (
        len(random) - np.searchsorted(random, model, side) for side in ("left", "right")
    )
    return float(np.mean(not_worse + better) / (2.0 * len(random)))
