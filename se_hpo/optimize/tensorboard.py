"""A run as TensorBoard shows it: loss per budget, center scores, what it cost.

Needs the extra `tensorboard`. One folder of events per run and attempt; TensorBoard
joins them.
"""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from se_hpo.errors import UserError
from se_hpo.storage.records import EvaluationRecord, Status

_STEPS = ("env_steps_se", "env_steps_task")


class TensorBoardWriter:
    """Writes scalars of a run; a context manager.

    - `loss/budget_9`: of each evaluation at that budget, by how many have ended;
      `loss/incumbent`: the best so far at the largest budget so far.
    - `score/<trial>`: mean score of the center, by generation from 1.
    - `cost/...`: env steps on SEs and on the task and processor seconds so far, by how
      many evaluations have ended.

    Args:
        folder: of the events.
        earlier: evaluations of earlier attempts, which count and are not written again.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, earlier: list[EvaluationRecord]) -> None:
        try:
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ModuleNotFoundError as error:
            raise UserError(
                f"--tensorboard needs {error.name}: pip install tensorboard (extra "
                "`tensorboard`)"
            ) from error
        self._events = EventFileWriter(str(folder))
        self._ended = 0
        self._best: tuple[float, float] | None = None
        self._cost = {"env_steps_se": 0.0, "env_steps_task": 0.0, "cpu_seconds": 0.0}
        self._steps: dict[tuple[str, str], int] = {}
        """Those that a trial had behind it, by its name and that of the counter."""
        for record in earlier:
            self._count(record)

    def evaluation(self, record: EvaluationRecord) -> None:
        """Write what an evaluation gave and cost."""
        self._count(record)
        if record.status is Status.FINISHED:
            self._write(f"loss/budget_{record.budget:g}", record.loss, self._ended)
        if self._best is not None:
            self._write("loss/incumbent", self._best[1], self._ended)
        for name, value in self._cost.items():
            self._write(f"cost/{name}", value, self._ended)

    def generation(self, row: dict[str, Any]) -> None:
        """Write the mean center score of a generation, a row of `load_generations`."""
        step = int(row["generation"])
        self._write(f"score/{row['trial']}", float(row["center_score"]), step)

    def _count(self, record: EvaluationRecord) -> None:
        self._ended += 1
        self._cost["cpu_seconds"] += record.cpu_seconds
        for name in _STEPS:  # a promoted trial has those of its lower budgets, too
            place = record.trial, name
            before = self._steps.get(place, 0)
            self._steps[place] = max(before, getattr(record, name))
            self._cost[name] += self._steps[place] - before
        if record.status is Status.FINISHED:
            found = (-record.budget, record.loss)
            self._best = found if self._best is None else min(self._best, found)

    def _write(self, tag: str, value: float, step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        scalar = Summary.Value(tag=tag, simple_value=value)
        summary = Summary(value=[scalar])
        self._events.add_event(Event(wall_time=time.time(), step=step, summary=summary))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()
