"""What learning curves say, in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from se_hpo.agents.registry import agent_label
from se_hpo.names import REAL, arm_label

_GROUP = ["agent", "agent_values", "variation", "max_env_steps"]


def curve_paragraphs(table: pd.DataFrame) -> Iterator[str]:
    """A paragraph per agent and hyperparameters, of `analysis.curve_table`."""
    if table.empty:
        return
    groups: Any = table.groupby(_GROUP, sort=False)
    for (agent, values, variation, steps), rows in groups:
        if rows["train_env"].eq(REAL).all():
            continue
        head = f"{agent_label(agent)} ({values} hyperparameters, {variation}; "
        found = "; ".join(_arm(row) for row in rows.to_dict("records"))
        yield f"{head}{steps:,} training steps): {found}."
    yield (
        "Of learning curves, brackets are 95 % intervals over learned environments; "
        "steps until solved are medians, and agents that never solve the task count "
        "with all their steps."
    )


def _arm(row: Mapping[Any, Any]) -> str:
    alone = row["train_env"] == REAL
    name = "alone" if alone else f"on {arm_label(row['kind'], row['train_env'])}"
    many = "" if alone else f" ({row['n_envs']})"
    solved = f"{row['share_solved']:.0%} of {row['n_agents']} agents solve the task, "
    return f"{name}{many} {solved}after {_interval(row)} steps"


def _interval(row: Mapping[Any, Any]) -> str:
    low, high = row["steps_to_solve_low"], row["steps_to_solve_high"]
    shown = f"{row['steps_to_solve']:,.0f}"
    return shown if math.isnan(low) else f"{shown} [{low:,.0f}, {high:,.0f}]"
