"""How a BOHB run went: its best configuration over time and cost."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from se_hpo.analysis.budgets import with_loss
from se_hpo.analysis.trained_agents import numbers
from se_hpo.results.ranking import incumbents

TRAJECTORY_COLUMNS = [
    *("trial", "budget", "loss", "finished", "hours", "generations_total"),
    *("env_steps_se_total", "env_steps_task_total", "cpu_hours_total", "best_loss"),
    *("incumbent", "incumbent_budget", "incumbent_loss", "improved"),
]
"""Columns of `incumbent_trajectory`."""
_CUMULATIVE = ("generations", "env_steps_se", "env_steps_task")


@dataclass(frozen=True)
class Cost:
    """What a run has spent so far, everything included that is in its frame."""

    env_steps_task: float
    """Real env steps: tests, and training where agents train on the task."""
    env_steps_se: float
    cpu_seconds: float
    wall_seconds: float
    """Sum over evaluations; with several workers more than the time that passed."""


def bohb_cost(trials: pd.DataFrame) -> Cost:
    """The cost of a BOHB run, from the frame of `load_trials`.

    A promoted trial goes on where it was, and its env steps count from its beginning:
    of a trial's steps the largest count is taken, of its seconds the sum.
    """
    keys = [key for key in ("run", "trial") if key in trials]
    steps = pd.DataFrame({k: numbers(trials[k]) for k in _CUMULATIVE})
    names = [trials[key].astype(str).to_numpy(str) for key in keys]
    largest = steps.groupby(names).max().sum()
    return Cost(
        env_steps_task=float(largest["env_steps_task"]),
        env_steps_se=float(largest["env_steps_se"]),
        cpu_seconds=float(trials["cpu_seconds"].sum()),
        wall_seconds=float(trials["wall_seconds"].sum()),
    )


def incumbent_trajectory(trials: pd.DataFrame) -> pd.DataFrame:
    """One row per evaluation, by the time it finished, with the best so far.

    `TRAJECTORY_COLUMNS`, see docs/analysis.md. `hours` are since the first evaluation
    began, pauses included; `*_total` of the run up to here, `best_loss` the lowest so
    far at this row's budget, the incumbent that of `load_incumbent`; `improved`: it
    changed here. Raises a `UserError` as `budgets.with_loss` does.
    """
    frame = with_loss(trials).reset_index(drop=True)
    for name in _CUMULATIVE:
        before = frame.groupby("trial")[name].cummax()
        before = before.groupby(frame["trial"]).shift(fill_value=0)
        new = (frame[name] - before).clip(lower=0)
        frame[f"{name}_total"] = new.cumsum().astype("int64")
    frame["cpu_hours_total"] = frame["cpu_seconds"].cumsum() / 3600.0
    since = frame["finished"] - trials["started"].min()
    frame["hours"] = since.dt.total_seconds() / 3600.0
    frame["best_loss"] = frame.groupby("budget")["loss"].cummin()
    return pd.concat([frame, incumbents(frame)], axis=1)[TRAJECTORY_COLUMNS]
