"""Giving evaluations to workers, without ever waiting for a frozen one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from se_hpo.bohb import pyro
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.pool import PoolWorker

if TYPE_CHECKING:
    from se_hpo.bohb.dispatcher import Dispatcher

log = logging.getLogger(__name__)

START_SECONDS = 2.0
"""Limit for handing an evaluation to a worker."""


class Handout:
    """Pairs what waits with who is idle, first come, first served."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        """Serve the table and the workers of `dispatcher`."""
        self.dispatcher = dispatcher

    def run(self) -> None:
        """Hand out until the dispatcher ends."""
        own = self.dispatcher
        while True:
            with own.runner_cond:
                while not (own.ending.is_set() or self._possible()):
                    own.runner_cond.wait(own.ping_interval)
                if own.ending.is_set():
                    return
                worker = own.worker_pool[next(iter(own.idle_workers))]
                del own.idle_workers[worker.name]
                job = worker.runs_job = own.table.next_job(worker.name)
            # A thread each: a worker that froze a moment ago holds nobody up.
            threading.Thread(target=self._send, args=(job, worker), daemon=True).start()

    def _possible(self) -> bool:
        own = self.dispatcher
        for name in list(own.idle_workers):
            worker = own.worker_pool.get(name)
            if worker is None or worker.is_overdue():
                del own.idle_workers[name]  # its next heartbeat brings it back
        return bool(own.table.waiting and own.idle_workers)

    def _send(self, job: Job, worker: PoolWorker) -> None:
        try:
            accepted = worker.start(job, START_SECONDS)
        except pyro.PyroError as error:
            log.debug("%s could not be handed to %s: %s", job.token, worker.name, error)
            accepted = False
            self.dispatcher.watch.look_now()
        if not accepted:
            with self.dispatcher.runner_cond:
                if not job.claimed and worker.runs_job is job:
                    self.dispatcher.take_back(worker)
