"""Successive halving on hpbandster's iteration: stable in ties, resumable, linear.

hpbandster's own subclass adds one method, which is replaced here; importing it would
load statsmodels for a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
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
        """Take a result; the rung is closed when it was the last one."""
        super().register_result(job, skip_sanity_checks)
        self.done[self.stage] += 1
        while not (
            self.is_finished or self.num_running or self._queued or not self._full()
        ):
            self.process_results()
            self._queued.extend(
                cid for cid, datum in self.data.items() if datum.status == "QUEUED"
            )

    def _advance_to_next_stage(
        self, config_ids: list[ConfigId], losses: np.ndarray
    ) -> np.ndarray:
        """Promote the lowest losses; of equal ones, the trial proposed first."""
        advance = np.zeros(len(config_ids), dtype=bool)
        order = np.argsort(losses, kind="stable")
        advance[order[: self.num_configs[self.stage]]] = True
        return advance
