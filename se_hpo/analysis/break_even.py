"""After how many agents an SE has paid for itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.analysis import table_columns
from se_hpo.analysis.estimates import (
    FEW_CLUSTERS,
    Bootstrap,
    Clusters,
    Estimate,
    mean,
)
from se_hpo.analysis.incumbents import Cost, bohb_cost
from se_hpo.analysis.trained_agents import (
    REAL,
    groups,
    is_true,
    of_keys,
    pairs,
    prepare,
)
from se_hpo.names import is_random
from se_hpo.results.columns import tidy

TOO_FEW = "too few SEs"
_UNITS = {
    "env_steps_task": "real env steps",
    "env_steps": "env steps (SE or real)",
    "cpu_seconds": "processor seconds",
}


def break_even(
    evaluations: pd.DataFrame,
    outcomes: pd.DataFrame,
    trials: pd.DataFrame | None = None,
    *,
    seed: int = 0,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """What an SE cost against what it saves per agent; see docs/analysis.md.

    One row per rule, agent, SE train_env, unit and `with_bohb`, of the frames of
    `load_evaluations` (one task), `load_ses` with the sets that were evaluated, and
    `load_trials` of the run they come from. Raises a `UserError` as
    `trained_agents.prepare` does.
    """
    prepared = prepare(evaluations)
    how = Bootstrap(seed, n_resamples, confidence)
    searched = None if trials is None or trials.empty else bohb_cost(trials)
    costs = _Costs(prepared, outcomes, searched)
    both = pairs(prepared).dropna(subset=["score_se", "score_real"])
    rows = []
    for keys, agents in groups(prepared):
        if keys["train_env"] == REAL:
            continue
        matched = of_keys(both, keys)
        clusters = Clusters(matched["cluster"].to_numpy(str), how)
        worse = (matched["score_se"] - matched["score_real"]).to_numpy()
        difference = clusters.estimate(partial(mean, worse))
        sets = set(agents["se_set"].astype(str))
        for unit in _UNITS:
            saved = clusters.estimate(partial(mean, _saved(matched, unit)))
            for with_bohb, cost in costs.of_sets(sets, unit):
                row = {**keys, "unit": unit, "with_bohb": with_bohb, **cost}
                row |= difference.columns("difference")
                row |= saved.columns("saved_per_agent")
                row["n_ses"] = clusters.n_clusters
                rows.append(row | _verdict(row, saved, difference))
    return tidy(rows, table_columns.BREAK_EVEN)


def _saved(matched: pd.DataFrame, unit: str) -> np.ndarray:
    """Per pair, what the agent on the SE did not need."""
    if unit == "env_steps_task":
        return matched["env_steps_real"].to_numpy()
    name = "env_steps" if unit == "env_steps" else "seconds"
    return (matched[f"{name}_real"] - matched[f"{name}_se"]).to_numpy()


class _Costs:
    """What the SEs of a task cost."""

    def __init__(
        self, prepared: pd.DataFrame, outcomes: pd.DataFrame, bohb: Cost | None
    ) -> None:
        task = set(prepared["task"].astype(str))
        self.outcomes = outcomes[outcomes["task"].astype(str).isin(task)]
        self.bohb = None if bohb is None else pd.DataFrame([vars(bohb)])
        on_se = prepared[prepared["train_env"] != REAL]
        solved = is_true(on_se["se_solved"]).groupby(on_se["se_set"].astype(str)).all()
        # Sets whose solved SEs alone were evaluated: these pay for the unsolved.
        self.solved_only = frozenset(solved.index[solved.to_numpy(bool)])

    def of_sets(
        self, names: set[str], unit: str
    ) -> Iterator[tuple[bool, dict[str, float]]]:
        """Without and, where there is a BOHB run, with its share."""
        sets = self.outcomes[self.outcomes["se_set"].astype(str).isin(names)]
        nes = _per_se(_total(sets, unit), self._n_ses(sets))
        yield False, {"cost_per_se": nes, "nes_cost": nes, "bohb_cost": math.nan}
        if self.bohb is not None:
            learned = self.outcomes[
                ~self.outcomes["train_env"].map(is_random).astype(bool)
            ]
            share = _per_se(_total(self.bohb, unit), self._n_ses(learned))
            costs = {"cost_per_se": nes + share, "nes_cost": nes, "bohb_cost": share}
            yield True, costs

    def _n_ses(self, outcomes: pd.DataFrame) -> int:
        """Those that agents can be trained on: a run that raised left none."""
        solved = is_true(outcomes["solved"])
        unsolved_too = ~outcomes["se_set"].astype(str).isin(self.solved_only)
        return int((outcomes["best_score"].notna() & (solved | unsolved_too)).sum())


def _total(outcomes: pd.DataFrame, unit: str) -> float:
    of_both = ["env_steps_task", "env_steps_se"]
    return float(outcomes[of_both if unit == "env_steps" else [unit]].sum().sum())


def _per_se(total: float, n_ses: int) -> float:
    return total / n_ses if n_ses else math.nan


def _verdict(
    row: dict[str, Any], saved: Estimate, difference: Estimate
) -> dict[str, Any]:
    cost = row["cost_per_se"]
    verdict, note = _judge(row, saved, difference)
    found: dict[str, Any] = {"agents": math.nan, "verdict": verdict}
    found |= {"agents_low": math.nan, "agents_high": math.nan}
    if verdict == "pays off":
        found["agents"] = math.ceil(cost / saved.value)
        note += f"paid for after {found['agents']:,} agents"
        if saved.low is not None and saved.high is not None:
            latest = math.ceil(cost / saved.low) if saved.low > 0 else math.inf
            found["agents_low"] = math.ceil(cost / saved.high)
            found["agents_high"] = latest
            if latest == math.inf:
                note += " (perhaps never: the interval of what it saves reaches 0)"
    return {**found, "note": note}


def _judge(
    row: dict[str, Any], saved: Estimate, difference: Estimate
) -> tuple[str, str]:
    """The verdict, and its sentence or the beginning of it."""
    unit, cost, n = row["unit"], row["cost_per_se"], row["n_ses"]
    if not math.isfinite(saved.value):
        return "unknown", "what an agent saves is not known: no pairs with the task"
    if saved.value == 0:
        return "never", f"never: an agent needs as many {_UNITS[unit]} as on the task"
    if saved.value < 0:
        more = f"{_amount(-saved.value)} {_UNITS[unit]} more"
        return "never", f"never: an agent on the SE needs {more} than on the task"
    if not math.isfinite(cost):
        what = "what the SE cost is not known: no finished NES run of its set"
        return "unknown", what
    if n < FEW_CLUSTERS or difference.low is None or difference.high is None:
        what = f"{n} SEs" if n > 1 else "one SE"
        return TOO_FEW, f"{what}: too few to say whether the return is worse"
    if difference.high < 0:
        interval = f"{-difference.high:,.1f} to {-difference.low:,.1f}"
        lower = f"mean return {-difference.value:,.1f} lower ({interval})"
        return "cheaper but worse", f"cheaper but worse: {lower}"
    each = f"an agent saves {_amount(saved.value)}: "
    return "pays off", f"an SE cost {_amount(cost)} {_UNITS[unit]}, {each}"


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
