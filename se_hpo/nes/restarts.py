"""Where a run stands still: an SE that teaches nothing, whatever is added to it.

Then there is no slope to climb, and the run starts anew from another random SE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import measure_task
from se_hpo.nes.fitness import worst_score

RESTARTED = "restarted"
"""Key of a line of `generations.jsonl`: with it a new start begins."""
RISEN = 0.01
"""Part of the way from the worst score to that of a solved task."""


def restarts_in(history: Sequence[dict[str, Any]]) -> int:
    """How often a run with these generations has started anew."""
    return sum(line.get(RESTARTED) is True for line in history)


def begun_at(history: Sequence[dict[str, Any]]) -> int:
    """The generation with which the run's last start began."""
    starts = [g for g, line in enumerate(history) if line.get(RESTARTED) is True]
    return starts[-1] if starts else 0


def stands_still(
    config: RunConfig, best_score: float, history: Sequence[dict[str, Any]]
) -> bool:
    """Whether `restart_after` generations of a start have not left the worst score."""
    after = config.nes.restart_after
    if not after or len(history) - begun_at(history) < after:
        return False
    task = measure_task(config.task)
    worst = worst_score(config, task)
    solved = {"return": task.solved_return, "area": 1.0}.get(config.nes.fitness, 0.0)
    return best_score <= worst + RISEN * (solved - worst)
