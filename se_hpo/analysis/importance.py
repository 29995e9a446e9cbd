"""Importance of hyperparameters in a BOHB run: by optuna (an extra), or by ranks."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import table_columns
from se_hpo.analysis.estimates import Bootstrap
from se_hpo.analysis.incumbents import with_loss
from se_hpo.analysis.trained_agents import numbers
from se_hpo.errors import UserError, did_you_mean
from se_hpo.results.columns import tidy

METHODS = ("fanova", "ped_anova", "ranks")

MIN_TRIALS = 10
"""Fewer say nothing about importance."""
PREFIX = "config."
NOT_INSTALLED = "optuna is missing (pip install 'se-hpo[analysis]')"


@dataclass(frozen=True)
class Importance:
    """Of each hyperparameter, most important first; or why there are none."""

    frame: pd.DataFrame | None
    """`hyperparameter`, `importance`."""
    note: str
    budget: float
    """Of the evaluations used; NaN without any."""
    n_trials: int


def hyperparameter_importance(
    trials: pd.DataFrame,
    *,
    configspace: Mapping[str, Any] | None = None,
    budget: float | None = None,
    method: str = "fanova",
    seed: int = 0,
) -> Importance:
    """How much of the loss each hyperparameter decides, at one budget.

    By a method of `METHODS`, see docs/analysis.md: `fanova` leaves out conditional
    hyperparameters, `ped_anova` compares the best tenth with all, `ranks` takes each
    alone and needs no extra. The first two are given numbers on the scale that was
    searched, as `configspace.json` has it; without it on the range of the values,
    linear. `budget` is by default that with most different
    losses, of equals the largest. `seed` is the forest's. Raises a `UserError` for an
    unknown method or budget, and as `incumbents.with_loss` does.
    """
    if method not in METHODS:
        raise UserError(f"unknown method {method!r}: {did_you_mean(method, METHODS)}")
    frame = with_loss(trials)
    budget = _budget(frame, budget)
    frame = frame[frame["budget"] == budget]
    names = [n for n in frame.columns if str(n).startswith(PREFIX)]
    names = [n for n in names if frame[n].nunique() > 1]
    n = len(frame)
    if note := _too_little(frame, names):
        return Importance(None, note, budget, n)
    try:
        if method == "ranks":
            found = _by_ranks(frame, names)
        else:
            found = _evaluate(frame, names, configspace or {}, method, seed)
    except ImportError:
        return Importance(None, NOT_INSTALLED, budget, n)
    except RuntimeError as error:
        return Importance(None, f"no importance: {error}", budget, n)
    rows = [{"hyperparameter": k, "importance": v} for k, v in found.items()]
    table = tidy(rows, table_columns.IMPORTANCE)
    return Importance(table, _weakness(n, names, found, method), budget, n)


def _budget(frame: pd.DataFrame, budget: float | None) -> float:
    different = frame.groupby("budget")["loss"].nunique()
    if budget is None:
        best = different[different == different.max()]
        return float(best.index.max()) if len(best) else math.nan
    if budget not in different.index:
        known = ", ".join(f"{b:g}" for b in different.index) or "none"
        raise UserError(f"no evaluation at budget {budget:g}: there are {known}")
    return float(budget)


def _too_little(frame: pd.DataFrame, names: list[str]) -> str:
    if len(frame) < MIN_TRIALS:
        return f"{len(frame)} trials at one budget, too few (< {MIN_TRIALS})"
    if frame["loss"].nunique() < 2:
        return "all losses are equal"
    return "" if names else "no hyperparameter varies"


def _weakness(n: int, names: list[str], found: Mapping[str, float], method: str) -> str:
    notes = []
    if n < 4 * len(names):
        notes.append(f"rough: {n} trials for {len(names)} hyperparameters")
    left_out = [name.removeprefix(PREFIX) for name in names]
    left_out = [name for name in left_out if name not in found]
    if left_out:
        notes.append(f"not assessed (conditional): {', '.join(left_out)}")
    if method == "fanova":
        notes.append(f"together {sum(found.values()):.0%}, the rest: interactions")
    return "; ".join(notes)


def _by_ranks(frame: pd.DataFrame, names: list[str]) -> dict[str, float]:
    """Share of the variance of the loss' ranks that each explains alone, largest first.

    Of numbers the square of Spearman's correlation, of names eta squared; of the trials
    that have the hyperparameter, and less what as many values explain by chance.
    """
    found = {}
    for column in names:
        rows = frame[frame[column].notna()]
        share, free = _explained(rows["loss"].rank().to_numpy(), rows[column])
        n = len(rows)
        if n > free + 1 and math.isfinite(share):
            adjusted = 1 - (1 - share) * (n - 1) / (n - free - 1)
            found[column.removeprefix(PREFIX)] = max(0.0, adjusted)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _explained(ranks: np.ndarray, values: pd.Series) -> tuple[float, int]:
    """R^2 of one hyperparameter, and its degrees of freedom."""
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        of = pd.Series(numbers(values)).rank()
        return float(of.corr(pd.Series(ranks)) ** 2), 1
    centered = pd.Series(ranks - ranks.mean())
    names = values.astype(str).to_numpy()
    means = centered.groupby(names).transform("mean")
    total = float((centered**2).sum())
    return float((means**2).sum()) / total if total else math.nan, len(set(names)) - 1


def _evaluate(
    frame: pd.DataFrame,
    names: list[str],
    space: Mapping[str, Any],
    method: str,
    seed: int,
) -> dict[str, float]:
    """Importance by name, largest first.

    Raises:
        ImportError: optuna or, for `fanova`, scikit-learn is missing.
        RuntimeError: no tree of the forest splits.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.importance import (
        FanovaImportanceEvaluator,
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    forest_seed = int(Bootstrap(seed).generator("importance").integers(2**31))
    declared = {p["name"]: p for p in space.get("hyperparameters", [])}
    encoded = {}
    for column in names:
        name = column.removeprefix(PREFIX)
        encoded[name] = _encode(frame[column], declared.get(name, {}))
    study = _study(encoded, frame["loss"].to_numpy())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # for `normalize`
        if method == "fanova":
            forest = FanovaImportanceEvaluator(seed=forest_seed)
            return get_param_importances(study, evaluator=forest, normalize=False)
        return get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())


def _study(encoded: Mapping[str, list[Any]], losses: np.ndarray) -> Any:
    """An optuna study of finished trials."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # no line about the study
    try:
        study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    finally:
        optuna.logging.set_verbosity(level)
    distributions = {name: _distribution(values) for name, values in encoded.items()}
    for place, loss in enumerate(losses):
        there = {n: v[place] for n, v in encoded.items() if v[place] is not None}
        ranges = {name: distributions[name] for name in there}
        of: Any = {"params": there, "distributions": ranges, "value": float(loss)}
        study.add_trial(optuna.trial.create_trial(**of))
    return study


def _encode(values: pd.Series, declared: Mapping[str, Any]) -> list[Any]:
    """Numbers in [0, 1] on the searched scale, others by name; None: inactive."""
    there = values.notna().to_numpy(bool)
    listed, kind = bool({"choices", "sequence"} & set(declared)), values.dtype
    is_bool = pd.api.types.is_bool_dtype(kind)
    if listed or is_bool or not pd.api.types.is_numeric_dtype(kind):
        names = values.astype(str)
        return [n if t else None for n, t in zip(names, there, strict=True)]
    scale = np.log if declared.get("log") else np.asarray
    found = numbers(values)
    low = scale(float(declared.get("lower", np.nanmin(found))))
    high = scale(float(declared.get("upper", np.nanmax(found))))
    unit = np.clip((scale(found) - low) / (high - low), 0.0, 1.0)
    return [float(u) if t else None for u, t in zip(unit, there, strict=True)]


def _distribution(encoded: list[Any]) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    names = {v for v in encoded if v is not None}
    if all(isinstance(v, str) for v in names):
        return CategoricalDistribution(sorted(names))
    return FloatDistribution(0.0, 1.0)
