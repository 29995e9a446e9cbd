"""Made-up frames of evaluations, SE outcomes, trials and generations."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from se_hpo.results.columns import (
    GENERATION_COLUMNS,
    SE_COLUMNS,
    SE_GENERATION_COLUMNS,
    TRIAL_COLUMNS,
    dtypes_of,
    tidy,
)
from se_hpo.results.evaluations import EVALUATION_COLUMNS

Score = Callable[[str, int, dict[str, Any]], float]


def hyperparameters(pair: int) -> dict[str, Any]:
    """Those of a pair: spread evenly and unrelated to each other."""
    rng = np.random.default_rng([pair, 7])
    return {
        "lr": float(np.exp(rng.uniform(-8, -6))),
        "batch_size": int(rng.integers(42, 384)),
        "hidden_layers": int(rng.integers(1, 4)),
    }


def evaluation_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """As `load_evaluations` would give it."""
    return tidy(rows, {**EVALUATION_COLUMNS, **dtypes_of(rows, "hp.", {})})


def evaluation_row(
    train_env: str,
    pair: int,
    score: float | None,
    se: int | None = None,
    **changes: Any,
) -> dict[str, Any]:
    on_se = train_env != "real"
    row = {
        "train_env": train_env,
        "task": "CartPole-v0",
        "se_set": train_env.removeprefix("se_") if on_se else None,
        "se": (pair if se is None else se) if on_se else None,
        "se_solved": True if on_se else None,
        "se_score": 196.0 if on_se else None,
        "agent": "ddqn",
        "pair": pair,
        "agent_seed": 1000 + pair,
        "rule": "paper",
        "env_steps": 4000 if on_se else 10_000,
        "episodes": 30 if on_se else 100,
        "stop_reason": "plateau" if on_se else "solved",
        "test_returns": [] if score is None else [score],
        "score": score,
        "test_env_steps": 200,
        "seconds": 0.5 if on_se else 1.0,
        "engine": "native",
        "record_file": "paper-0.jsonl",
    }
    row |= {f"hp.{name}": value for name, value in hyperparameters(pair).items()}
    return row | changes


def evaluations_of(
    score: Score,
    n_ses: int = 6,
    n_agents: int = 5,
    train_envs: Sequence[str] = ("real", "se_varied", "se_fixed"),
    **changes: Any,
) -> pd.DataFrame:
    """The same pairs everywhere; `score(train_env, pair, hyperparameters)`."""
    rows = [
        evaluation_row(
            train_env,
            pair,
            score(train_env, pair, hyperparameters(pair)),
            pair // n_agents,
            **changes,
        )
        for train_env in train_envs
        for pair in range(n_ses * n_agents)
    ]
    return evaluation_frame(rows)


def noisy(seed: int = 0, gain: float = 0.0, spread: float = 30.0) -> Score:
    """Scores around 150, on SEs `gain` higher, with a little of the hyperparameters."""
    rng = np.random.default_rng(seed)

    def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
        level = 150.0 + (gain if train_env != "real" else 0.0)
        level += 20.0 * (np.log(hp["lr"]) + 7.0)
        return float(level + spread * rng.standard_normal())

    return score


def outcome_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """As `load_ses` would give it."""
    return tidy(rows, SE_COLUMNS)


def outcome_row(train_env: str, se: int, **changes: Any) -> dict[str, Any]:
    row = {
        "run": "run",
        "se_set": train_env.removeprefix("se_"),
        "se": se,
        "train_env": train_env,
        "task": "CartPole-v0",
        "solved": True,
        "best_score": 196.0,
        "reason": "solved",
        "env_steps_se": 500_000,
        "env_steps_task": 60_000,
        "cpu_seconds": 20.0,
        "wall_seconds": 20.0,
    }
    return row | changes


def trial_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """As `load_trials` would give it; one second passes per row."""
    defaults = {"run": "run", "status": "finished", "model_based": False}
    full = [
        defaults
        | {
            "started": 1000.0 + second,
            "finished": 1001.0 + second,
            "generations": int(row["budget"]),
        }
        | row
        for second, row in enumerate(rows)
    ]
    return tidy(full, {**TRIAL_COLUMNS, **dtypes_of(full, "config.", {})})


def generation_frame(
    scores: dict[Any, Sequence[float]], solved_return: float = 195.0, *, se: bool = True
) -> pd.DataFrame:
    """Center scores by run: key (set, SE) or, with `se=False`, the trial."""
    rows = []
    for key, centers in scores.items():
        own = {"se_set": key[0], "se": key[1]} if se else {"trial": key}
        for generation, score in enumerate(centers):
            row = {"generation": generation, "center_score": score}
            row |= {"best_score": max(centers[: generation + 1])}
            row |= {"solved": bool(score >= solved_return)}
            rows.append({"run": "run", **own, **row})
    return tidy(rows, SE_GENERATION_COLUMNS if se else GENERATION_COLUMNS)
