"""Which evaluation of which bracket comes next, so that workers seldom wait.

No worker waits for the end of a rung: where all brackets wait, it takes a trial that is
sure to be promoted, or begins the next bracket. What is left is the end of the run,
when there is no next bracket. There what has most still before it goes first.

With one worker brackets follow each other, and rungs within a bracket.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.halving import NextRun, SuccessiveHalving
from se_hpo.storage.paths import ConfigId

Sampler = Callable[[float], tuple[dict[str, Any], dict[str, Any]]]


class Schedule:
    """The brackets of a search: begun, and yet to begin."""

    def __init__(
        self,
        brackets: Iterable[Bracket],
        sampler: Sampler,
        result_logger: Any = None,
        *,
        ends: bool = True,
    ) -> None:
        """Begin none.

        Args:
            brackets: in order; more may be appended to `planned`.
            sampler: proposes configurations for a budget.
            result_logger: told of each proposal.
            ends: with the last of the brackets, so that no more will be appended.
        """
        self.planned = list(brackets)
        self.begun: list[SuccessiveHalving] = []
        """As many as have begun, in order."""
        self.active: list[SuccessiveHalving] = []
        """Those of them that were not finished when last looked at."""
        self._sampler, self._logger, self._ends = sampler, result_logger, ends
        self._yet = sum(bracket.generations for bracket in self.planned)
        """Total budget of the brackets that have not begun."""

    @property
    def is_finished(self) -> bool:
        """Whether every bracket has been run to its end."""
        self.active = [bracket for bracket in self.active if not bracket.is_finished]
        return not self.active and len(self.begun) == len(self.planned)

    def begin(self) -> SuccessiveHalving:
        """Begin the next bracket."""
        sizes = self.planned[len(self.begun)]
        bracket = SuccessiveHalving(sizes, self._sampler, self._logger)
        self.active.append(bracket)
        self.begun.append(bracket)
        self._yet -= sizes.generations
        return bracket

    def next_run(self, out: int) -> NextRun | None:
        """The next evaluation, while `out` others run; None if all depends on them."""
        self.active = [bracket for bracket in self.active if not bracket.is_finished]
        if out and self._is_short(out + 1):
            while len(self.begun) < len(self.planned):
                self.begin()
            return self._longest()
        for bracket in self.active:
            if (following := bracket.get_next_run()) is not None:
                return following
        if out and any([bracket.promote_early() for bracket in self.active]):
            return self.next_run(out)
        if len(self.begun) < len(self.planned):
            return self.begin().get_next_run()
        return None

    def _is_short(self, workers: int) -> bool:
        """Whether what is left gives each worker two trials to the top, or less."""
        most = 2 * workers * max(bracket.budgets[-1] for bracket in self.planned)
        if not self._ends or self._yet > most:
            return False
        return self._yet + sum(bracket.left for bracket in self.active) <= most

    def _longest(self) -> NextRun | None:
        """What has the largest budget before it; of equals the first bracket's."""
        for bracket in self.active:
            bracket.promote_early()
        found: list[tuple[float, SuccessiveHalving, ConfigId | None]] = []
        for bracket in self.active:
            runs: list[tuple[ConfigId | None, int]] = [
                (cid, bracket.rung_of(budget)) for cid, budget in bracket.queued()
            ]
            if not runs and bracket.next_slot() is not None:
                runs = [(None, bracket.stage)]
            for config_id, rung in runs:
                before = bracket.budgets[-1] - bracket.paid(rung)
                found.append((before, bracket, config_id))
        if not found:
            return None
        _, bracket, first = max(found, key=lambda item: item[0])
        return bracket.hand_out(first) if first else bracket.get_next_run()
