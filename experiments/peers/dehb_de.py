"""DEHB: differential evolution in Hyperband's brackets."""

from __future__ import annotations

from typing import Any

from dehb import DEHB
from pipe import evaluate, read_task

task = read_task()


def objective(config: Any, fidelity: float, **_: Any) -> dict[str, float]:
    """One evaluation."""
    return {"fitness": evaluate(dict(config), round(fidelity)), "cost": fidelity}


DEHB(
    f=objective,
    cs=task.space,
    min_fidelity=task.ladder[0],
    max_fidelity=task.ladder[-1],
    eta=task.eta,
    n_workers=1,
    seed=task.seed,
    output_path=task.folder,
    save_freq="end",
    log_level="ERROR",
).run(fevals=1_000_000)
