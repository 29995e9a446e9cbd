"""What a master tells while it runs: its status, and what is long in coming."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from se_hpo.bohb import status
from se_hpo.paths import write_json

if TYPE_CHECKING:
    from se_hpo.bohb.master import Master

log = logging.getLogger(__name__)


class Reporter:
    """Writes `status.json` now and then, and breaks every long silence."""

    def __init__(
        self, master: Master, on_status: Callable[[dict[str, Any]], None] | None
    ) -> None:
        """Report on `master`; `on_status` gets what the file gets."""
        self.master, self.on_status = master, on_status
        self.started = time.time()
        self.state = "running"
        self._last_result = self._last_report = time.monotonic()

    def note_result(self) -> None:
        """A result came in."""
        self._last_result = time.monotonic()

    def tick(self) -> None:
        """Tell what is due."""
        now, settings = time.monotonic(), self.master.settings
        if now - self._last_report >= settings.status_seconds:
            self.report()
        if now - self._last_result >= settings.quiet_seconds:
            self._last_result = now
            self._log_quiet(settings.quiet_seconds)

    def _log_quiet(self, seconds: float) -> None:
        dispatcher = self.master.dispatcher
        if not self.master.n_workers:
            log.warning(
                "no result for %.0f s: no worker is alive, start one for this run",
                seconds,
            )
            return
        running = status.running_trials(dispatcher)
        told = status.describe_running(running, len(dispatcher.table.waiting))
        log.info("no result for %.0f s: %s", seconds, told)

    def report(self) -> None:
        """Write and pass on the status now."""
        self._last_report = time.monotonic()
        snapshot = self.snapshot()
        write_json(self.master.paths.status, snapshot)
        if self.on_status is not None:
            self.on_status(snapshot)

    def report_end(self) -> None:
        """Leave a last status that says whether the run is finished or was stopped."""
        self.state = "finished" if self.master.is_complete() else "stopped"
        with contextlib.suppress(OSError):  # a full disk must not hide the first error
            write_json(self.master.paths.status, self.snapshot())

    def snapshot(self) -> dict[str, Any]:
        """Builtin types: counts, brackets, running trials, workers."""
        master, dispatcher = self.master, self.master.dispatcher
        return {
            "state": self.state,
            "time": time.time(),
            "started": self.started,
            "finished": master.finished,
            "planned": sum(b.evaluations for b in master.brackets),
            "failed": master.failures,
            "lost": dispatcher.lost,
            "waiting": len(dispatcher.table.waiting),
            "running": status.running_trials(dispatcher),
            "workers": status.workers_alive(dispatcher),
            "brackets": status.bracket_counts(master.brackets, master.iterations),
        }
