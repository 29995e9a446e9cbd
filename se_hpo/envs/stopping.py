"""When the training of an agent ends by rule: plateau (SE) or solved (task)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from se_hpo.agents.config import AgentConfig


def stop_on_plateau(returns: Sequence[float], config: AgentConfig) -> str | None:
    """`plateau` when the mean return has stopped changing: the rule on an SE.

    With k = `stop_window`, the mean of the last k episodes is compared with that of the
    k before (fewer where there are no more). It needs the episode of index
    `init_episodes` + k, counted from 0.
    """
    k = config.stop_window
    if len(returns) - 1 < config.init_episodes + k:
        return None
    last, before = _mean(returns[-k:]), _mean(returns[-2 * k : -k])
    change = abs(last - before) / (abs(before) + 1e-9)
    return "plateau" if change < config.plateau_tolerance else None


def stop_when_solved(
    returns: Sequence[float], config: AgentConfig, solved_return: float
) -> str | None:
    """`solved` when the mean return of the last k episodes reaches `solved_return`.

    The rule on the task. Fewer than k episodes suffice, but not before the episode of
    index `init_episodes`.
    """
    if len(returns) - 1 < config.init_episodes:
        return None
    solved = _mean(returns[-config.stop_window :]) >= solved_return
    return "solved" if solved else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
