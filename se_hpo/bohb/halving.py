"""Successive halving on hpbandster's iteration: stable in ties, resumable, linear.

hpbandster's own subclass adds one method, which is replaced here; importing it would
load statsmodels for a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from hpbandster.core.base_iteration import BaseIteration

from se_hpo.bohb.brackets import Bracket
from se_hpo.storage.paths import ConfigId

Configuration = dict[str, Any]
NextRun = tuple[ConfigId, Configuration, float]


class SuccessiveHalving(BaseIteration):
    """One bracket: rungs of trials, the best of each promoted to the next."""

    def __init__(
        self,
        bracket: Bracket,
        config_sampler: Callable[[float], tuple[Configuration, dict[str, Any]]],
        result_logger: Any = None,
    ) -> None:
        """`config_sampler` proposes configurations and tells how they were found."""
        super().__init__(
            HPB_iter=bracket.index,
            num_configs=list(bracket.num_configs),
            budgets=list(bracket.budgets),
            config_sampler=config_sampler,
            result_logger=result_logger,
        )
        self.done = [0] * len(bracket.budgets)
        """Evaluations finished on each rung."""
        self._queued: deque[ConfigId] = deque()

    def add_configuration(
        self, config: Any = None, config_info: Mapping[str, Any] | None = None
    ) -> ConfigId:
        """Propose a trial for the present rung, or take the one given."""
        config_id = super().add_configuration(config, dict(config_info or {}))
        self._queued.append(config_id)
        return config_id

    def next_slot(self) -> ConfigId | None:
        """The id that the next proposal would get; None if the rung is full."""
        if self.is_finished or self._full():
            return None
        return (self.HPB_iter, self.stage, self.actual_num_configs[self.stage])

    def _full(self) -> bool:
        return bool(self.actual_num_configs[self.stage] >= self.num_configs[self.stage])

    def get_next_run(self) -> NextRun | None:
        """The next evaluation to run; None if results must come in first."""
        if not self._queued and self.next_slot() is not None:
            self.add_configuration()
        return self.hand_out()

    def rung_of(self, budget: float) -> int:
        """The rung, from 0, with a budget."""
        return int(self.budgets.index(budget))

    def paid(self, rung: int) -> float:
        """What a trial has behind it that comes to a rung."""
        return float(self.budgets[rung - 1]) if rung else 0.0

    @property
    def left(self) -> float:
        """Total budget of what is not finished."""
        steps = ((b - self.paid(i)) for i, b in enumerate(self.budgets))
        rungs = zip(self.num_configs, self.done, steps, strict=True)
        return float(sum((n - done) * step for n, done, step in rungs))

    def queued(self) -> list[tuple[ConfigId, float]]:
        """Evaluations that could run now: trial and budget."""
        return [(cid, self.data[cid].budget) for cid in self._queued]

    def hand_out(self, config_id: ConfigId | None = None) -> NextRun | None:
        """The next evaluation of a trial that is already there, or of the one named."""
        if not self._queued:
            return None
        if config_id is None:
            config_id = self._queued[0]
        self._queued.remove(config_id)
        datum = self.data[config_id]
        datum.status = "RUNNING"
        self.num_running += 1
        return config_id, datum.config, datum.budget

    def register_result(self, job: Any, skip_sanity_checks: bool = False) -> None:
        """Take a result; a rung is closed when its last one is in."""
        super().register_result(job, skip_sanity_checks)
        self.done[self.rung_of(job.kwargs["budget"])] += 1
        while not self.is_finished and self._full() and self._all_in(self.stage):
            self.process_results()

    def _all_in(self, rung: int) -> bool:
        return bool(self.done[rung] >= self.actual_num_configs[rung])

    def process_results(self) -> None:
        """Close the present rung: promote the best that are not yet, drop the rest."""
        rung = self.stage
        best = self._best(rung)
        self.stage += 1
        if self.stage == len(self.num_configs):
            self.finish_up()
            return
        left = self.num_configs[self.stage] - self.actual_num_configs[self.stage]
        for config_id in sorted(best[:left]):  # as they were proposed
            self._promote(config_id, rung)
        for config_id in best[left:]:
            self.data[config_id].status = "TERMINATED"

    def promote_early(
        self, wanted: Callable[[tuple[ConfigId, float]], bool] = lambda run: True
    ) -> bool:
        """Promote whom no result that is still out can keep from it.

        Args:
            wanted: of these evaluations (trial and budget) alone.

        Returns:
            Whether there was one.
        """
        promoted = False
        for rung in range(self.stage, len(self.budgets) - 1):
            out = self.num_configs[rung] - self.done[rung]
            sure = self.num_configs[rung + 1] - self.actual_num_configs[rung + 1] - out
            for config_id in self._best(rung)[: max(sure, 0)]:
                if wanted((config_id, self.budgets[rung + 1])):
                    self._promote(config_id, rung)
                    promoted = True
        return promoted

    def _promote(self, config_id: ConfigId, rung: int) -> None:
        datum = self.data[config_id]
        datum.status, datum.budget = "QUEUED", self.budgets[rung + 1]
        self.actual_num_configs[rung + 1] += 1
        self._queued.append(config_id)

    def _best(self, rung: int) -> list[ConfigId]:
        """Who has a result on a rung and waits there, best first.

        Of equal losses the trial proposed first.
        """
        budget = self.budgets[rung]
        waiting = [
            config_id
            for config_id, datum in self.data.items()
            if datum.status == "REVIEW" and datum.budget == budget
        ]
        return sorted(waiting, key=lambda i: self.data[i].results[budget]["loss"])
