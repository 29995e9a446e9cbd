"""This process: its cores, how it is told to end, and with whom it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, raised in the main thread to unwind like Ctrl-C."""


def end_in_order() -> None:
    """Let a signal end a command that still imports: code 128 + its number.

    `cli.exit_with` takes over from here.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def available_cores() -> int:
    """Cores this process may use: its affinity mask, as SLURM and containers set it.

    Some clusters bind nobody to cores: a job's share is then what it asked for.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        cores = os.cpu_count() or 1
    asked = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) else cores


def die_with_parent(parent: int) -> None:
    """Let the kernel end this process when `parent`, which started it, is gone.

    Linux only; elsewhere a worker ends when it finds no master any more.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it was gone before the kernel was asked
        raise SystemExit(f"the process {parent} that started this worker is gone")
