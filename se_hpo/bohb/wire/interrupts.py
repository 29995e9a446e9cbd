"""How a worker is interrupted: by signals, by its master, or by losing its trial.

Evaluations run in the main thread, so that a signal handler can end one at any Python
bytecode (and native code that asks for signals). Only while one runs, or while the
worker waits for one, does a handler raise; else it leaves a note that is read next.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger(__name__)

LEAVE_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
"""Preemption, scancel, Ctrl-C, SLURM's warning before a time limit, closed terminal."""
_POKE = signal.SIGUSR2
GRACE_SECONDS = 1.5
"""Time for an evaluation to unwind before the process ends regardless."""


class Leave(BaseException):
    """The worker is to end; carries the reason."""


class Abandon(BaseException):
    """The evaluation has been given to somebody else."""


class Interrupts:
    """Requests to stop, raised in the main thread where that is safe."""

    def __init__(self) -> None:
        self.leave_reason: str | None = None
        self.failed = False
        """It ends because something here is broken: a full disk, say."""
        self.unwound = False
        """The evaluation has let go; the rest takes bounded time."""
        self.evaluating: str | None = None
        """Token of the evaluation that `abandon` may end."""
        self._abandoned: str | None = None
        self._open = False
        self._installed = False
        self.on_overdue: Callable[[], None] = lambda: None
        self.requested = threading.Event()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle signals inside, if this is the main thread; restore them after."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        under_nohup = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        before = {
            s: signal.signal(s, self._on_signal)
            for s in LEAVE_SIGNALS
            if not (under_nohup and s == signal.SIGHUP)
        }
        before[_POKE] = signal.signal(_POKE, self._on_poke)
        self._installed = True
        try:
            yield
        finally:
            self._installed = False
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Let requests interrupt what is done inside."""
        self._open = True
        try:
            self.check()
            yield
        finally:
            self._open = False

    def check(self) -> None:
        """Raise what has been requested."""
        if self.leave_reason is not None:
            self._open = False
            raise Leave(self.leave_reason)
        if self.evaluating is not None and self._abandoned == self.evaluating:
            self._open, self._abandoned = False, None
            raise Abandon

    def leave(self, reason: str) -> None:
        """Ask the worker to end; from any thread."""
        if self.leave_reason is None:
            self.leave_reason = reason
            self._poke()

    def fail(self, reason: str) -> None:
        """The worker ends of an error that says nothing about its trial."""
        self.failed, self.leave_reason = True, f"it failed: {reason}"

    def abandon(self, token: str) -> None:
        """Ask the worker to drop this evaluation; from any thread."""
        self._abandoned = token
        self._poke()

    def _poke(self) -> None:
        self.requested.set()
        if not self._installed:
            return
        if self.leave_reason is not None:
            timer = threading.Timer(GRACE_SECONDS, self._overdue)
            timer.daemon = True
            timer.start()
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, _POKE)

    def _overdue(self) -> None:
        """The evaluation would not let go."""
        if not self.unwound:
            log.warning("the evaluation did not end in time: ending the process")
            self.on_overdue()
            logging.shutdown()
            os._exit(1)

    def _on_signal(self, number: int, _frame: Any) -> None:
        self.leave(f"received {signal.Signals(number).name}")

    def _on_poke(self, _number: int, _frame: Any) -> None:
        if self._open:
            self.check()
