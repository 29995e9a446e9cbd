"""How long a run still takes: the median of what is left, step by step of its rungs.

A step is the budget that an evaluation adds: all of it on the first rung of a bracket,
the difference to the rung below for a trial that was promoted.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from se_hpo.bohb.status import Bracket, Running
from se_hpo.storage.records import EvaluationRecord, Status


class StepSeconds:
    """How long evaluations took, by the step that they added."""

    def __init__(self) -> None:
        self._seconds: dict[float, list[float]] = defaultdict(list)
        self._medians: dict[float, float | None] = {}
        """Those asked for since the last was counted."""

    def add(self, record: EvaluationRecord, brackets: Sequence[Bracket]) -> None:
        """Count an evaluation that ended well; one of an unknown bracket counts not."""
        known = 0 <= record.bracket < len(brackets)
        if known and record.status is Status.FINISHED and record.wall_seconds > 0:
            step = step_of(brackets[record.bracket], record.budget)
            self._seconds[step].append(record.wall_seconds)
            self._medians.clear()

    def of(self, step: float) -> float | None:
        """Median seconds; of a step that was not seen, in proportion to all others."""
        if step not in self._medians:
            self._medians[step] = self._median(step)
        return self._medians[step]

    def _median(self, step: float) -> float | None:
        if step in self._seconds:
            return statistics.median(self._seconds[step])
        paces = [s / seen for seen, many in self._seconds.items() for s in many if seen]
        return statistics.median(paces) * step if paces else None


def step_of(bracket: Bracket, budget: float) -> float:
    """What an evaluation at this budget adds.

    >>> from se_hpo.bohb.status import Rung
    >>> step_of(Bracket(0, False, [Rung(1, 9, 9), Rung(3, 0, 3)]), 3)
    2.0
    """
    below = (rung.budget for rung in bracket.rungs if rung.budget < budget)
    return float(budget - max(below, default=0.0))


def seconds_to_go(
    brackets: Sequence[Bracket],
    running: Iterable[Running],
    seconds: StepSeconds,
    now: float,
    n_workers: int,
) -> float | None:
    """Seconds until all brackets are done; None before an evaluation has ended.

    Args:
        brackets: with what is done and planned.
        running: evaluations under way; the time they have had counts.
        seconds: of those that ended.
        now: Unix seconds.
        n_workers: how many evaluate side by side.
    """
    left = list(_left(brackets, seconds))
    if not left:
        return 0.0
    if None in left:
        return None
    whole = [seconds_left for seconds_left in left if seconds_left is not None]
    total, longest = sum(whole), 0.0
    for each in running:
        takes = seconds.of(step_of(brackets[each.config_id[0]], each.budget)) or 0.0
        had = min(max(0.0, now - each.since), takes)
        total, longest = total - had, max(longest, takes - had)
    return max(total / max(1, min(n_workers, len(whole))), longest)


def _left(brackets: Iterable[Bracket], seconds: StepSeconds) -> Iterator[float | None]:
    """Median seconds of each evaluation that has not ended."""
    for bracket in brackets:
        for rung in bracket.rungs:
            takes = seconds.of(step_of(bracket, rung.budget))
            yield from [takes] * max(0, rung.planned - rung.done)
