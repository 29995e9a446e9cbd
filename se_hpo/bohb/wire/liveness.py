"""Which of a master's workers are still there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from se_hpo.bohb.wire.roster import Roster
from se_hpo.bohb.wire.worker_handle import WorkerHandle


class Liveness:
    """Looks at workers now and then, and when a connection breaks.

    A dead process is known by its closed port and given up at once. A frozen one, or
    one behind a broken network, is given some patience.
    """

    def __init__(
        self,
        roster: Roster,
        interval: float,
        patience: float,
        on_gone: Callable[[WorkerHandle, str, bool], None],
    ) -> None:
        """`on_gone` gets a worker, why it is given up, and whether it has died."""
        self.roster, self.interval, self.patience = roster, interval, patience
        self.on_gone = on_gone
        self._wake = threading.Event()
        self._last = time.monotonic()

    def wake(self) -> None:
        """Do not wait for the next look."""
        self._wake.set()

    def hung_up(self, connection: Any) -> None:
        """A connection broke, which a killed process's does at once."""
        for worker in self.roster.everybody():
            if worker.connection is connection:
                worker.hung_up = True
                self._wake.set()

    def look(self) -> None:
        """Wait for the next look, then ask whoever has been silent for too long."""
        self._wake.wait(self.interval)
        self._wake.clear()
        now = time.monotonic()
        frozen = now - self._last > 3 * self.interval + 5.0
        self._last = now
        for worker in self.roster.everybody():
            if frozen:  # we were, ourselves: nobody's silence means anything
                worker.seen = now
            if worker.is_overdue() and not worker.probing:
                worker.probing = True
                threading.Thread(
                    target=self._probe, args=(worker,), daemon=True
                ).start()

    def _probe(self, worker: WorkerHandle) -> None:
        alive = worker.is_alive()
        worker.probing = False
        if alive is False:
            self.on_gone(worker, "it is gone", True)
        elif alive is None and worker.silent_for() > self.patience:
            self.on_gone(worker, f"silent for {worker.silent_for():.0f} s", False)
