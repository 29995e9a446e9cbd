"""A master from start to end: lock, journal, nameserver, search, and an end."""

from __future__ import annotations

import contextlib
import queue
import re
import resource
from collections.abc import Callable, Sequence
from typing import Any

from hpbandster.core.result import Result

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import Journal
from se_hpo.bohb.master import Inbox, Master
from se_hpo.bohb.master_settings import HowItDied, MasterSettings
from se_hpo.bohb.wire.credentials import new_key
from se_hpo.bohb.wire.dispatcher import Dispatcher
from se_hpo.bohb.wire.nameserver import NameServer
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import RunPaths

_MOST_FILES = 8192  # twice pyro.MAX_CONNECTIONS


def run_id_of(run: RunPaths) -> str:
    """The run's name on the wire: its folder's, with what Pyro takes.

    >>> from pathlib import Path
    >>> run_id_of(RunPaths(Path("results/my run@1")))
    'my_run_1'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "_", run.root.resolve().name) or "run"


def allow_many_files() -> None:
    """Raise this process's limit of open files as far as it may.

    Each worker keeps a connection open, and 1,024 files are usual: at about 1,000
    workers nobody else could attach.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run_master(run: RunPaths, *args: Any, **kwargs: Any) -> Result:
    """Take the run's lock, then `run_locked_master` with the same arguments.

    Raises:
        UserError: another master has the run; or see there.
    """
    with RunLock(run.lock):
        return run_locked_master(run, *args, **kwargs)


def run_locked_master(
    run: RunPaths,
    brackets: Sequence[Bracket],
    generator: Any,
    settings: MasterSettings | None = None,
    on_result: Callable[[Job], None] | None = None,
    on_status: Callable[[dict[str, Any]], None] | None = None,
    on_start: Callable[[Master], None] | None = None,
    how_it_died: HowItDied = lambda host, pid: None,
) -> Result:
    """Run all brackets, continuing what the run's journal holds; blocks.

    An interrupted run (Ctrl-C, an exception, kill -9) continues when this is called
    again with the same arguments.

    Args:
        run: paths of the run's folder; the caller holds its lock.
        brackets: what to run, in order.
        generator: `BOHBGenerator` or `RandomGenerator`, new.
        settings: how to behave.
        on_result: called in this thread after each new evaluation is on disk.
        on_status: called in this thread every `settings.status_seconds`.
        on_start: called once when workers can attach, unless nothing is left to do.
        how_it_died: asked about workers that an evaluation has killed.

    Returns:
        hpbandster's result object.

    Raises:
        UserError: a host that is not ours, a journal of another search space, or too
            many failures.
        FailedRunError: nothing but failures.
        OSError: the run's folder cannot be written.
    """
    settings = settings or MasterSettings()
    allow_many_files()
    key, run_id = new_key(), run_id_of(run)
    journal = Journal(run.configs, run.results)
    server = NameServer(run_id, key, run.credentials, settings.host)
    master, dispatcher, end_workers = None, None, True
    try:
        inbox: Inbox = queue.SimpleQueue()
        dispatcher = Dispatcher(run, server.start(), settings, inbox.put, how_it_died)
        master = Master(
            run,
            brackets,
            generator,
            journal,
            dispatcher,
            inbox,
            settings,
            on_result,
            on_status,
        )
        dispatcher.start()
        if on_start is not None and not master.is_complete():
            master.tally.check(settings.max_failures)
            on_start(master)
        return master.run()
    except settings.keep_workers_on:
        end_workers = False
        raise
    finally:
        if dispatcher is not None:
            dispatcher.shutdown(end_workers)
        if master is not None:
            master.report_end()
        server.shutdown()
