"""Who of the workers is still there, and the phonebook that says so."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from se_hpo.bohb import pyro
from se_hpo.bohb.pool import PoolWorker

if TYPE_CHECKING:
    from se_hpo.bohb.dispatcher import Dispatcher

log = logging.getLogger(__name__)


class Watch:
    """Looks at a dispatcher's workers now and then, and when a connection breaks.

    A dead process is known by its closed port and dropped at once. A frozen one, or one
    behind a broken network, is given the dispatcher's patience.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        """Watch the workers of `dispatcher`."""
        self.dispatcher = dispatcher
        self._look = threading.Event()
        self._name_server_ok = True

    def look_now(self) -> None:
        """Do not wait for the next round."""
        self._look.set()

    def hung_up(self, connection: Any) -> None:
        """A connection broke, which a killed process's does at once."""
        for worker in list(self.dispatcher.worker_pool.values()):
            if worker.connection is connection:
                worker.hung_up = True
                self._look.set()

    def run(self) -> None:
        """Watch until the dispatcher ends."""
        interval, last = self.dispatcher.ping_interval, time.monotonic()
        while not self.dispatcher.ending.is_set():
            self._look.wait(interval)
            self._look.clear()
            now = time.monotonic()
            if now - last > 3 * interval + 5.0:
                self._forgive_silence()
            last = now
            self.publish()
            for worker in list(self.dispatcher.worker_pool.values()):
                if worker.is_overdue() and not worker.probing:
                    worker.probing = True
                    threading.Thread(
                        target=self._probe, args=(worker,), daemon=True
                    ).start()

    def _forgive_silence(self) -> None:
        """We were frozen ourselves: nobody's silence means anything."""
        for worker in list(self.dispatcher.worker_pool.values()):
            worker.seen = time.monotonic()

    def _probe(self, worker: PoolWorker) -> None:
        alive = worker.is_alive()
        worker.probing = False
        dispatcher = self.dispatcher
        if alive is False:
            dispatcher.drop(worker.name, "it is gone", dispatcher.ending.is_set())
        elif alive is None and worker.silent_for() > dispatcher.patience:
            dispatcher.drop(worker.name, f"silent for {worker.silent_for():.0f} s")

    def publish(self) -> None:
        """Keep dispatcher and workers in the nameserver, also in a restarted one."""
        try:
            self._publish()
        except pyro.PyroError as error:
            if self._name_server_ok and not self.dispatcher.ending.is_set():
                log.warning("the nameserver does not answer: %s", error)
            self._name_server_ok = False
        else:
            self._name_server_ok = True

    def _publish(self) -> None:
        own = self.dispatcher
        with pyro.name_server(own.nameserver, own.nameserver_port, own.key) as ns:
            listed = ns.list(prefix=f"hpbandster.run_{own.run_id}.")
            wanted = {w.name: w.uri for w in list(own.worker_pool.values())}
            wanted[own.pyro_id] = own.uri
            for name in wanted.keys() - listed.keys():
                ns.register(name, wanted[name])
            for name in listed.keys() - wanted.keys():
                ns.remove(name)
