"""Where a run stands still: an SE that teaches nothing, whatever is added to it.

Then there is no slope to climb, and the run starts anew from another random SE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from se_hpo.config.run import RunConfig
from se_hpo.envs.tasks import measure_task
from se_hpo.nes.fitness import worst_score
from se_hpo.nes.nes_state import begun_at

RISEN = 0.01
"""Part of the way from the worst score to that of a solved task."""


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
