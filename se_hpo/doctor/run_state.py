"""The state of a run: who has it, what is damaged, what is left to do."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterator
from typing import Any

from se_hpo.bohb.brackets import plan
from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import NotReady, read_credentials
from se_hpo.doctor.damage import damaged_files, set_aside_files
from se_hpo.doctor.finding import Finding, error, ok, safely, warning
from se_hpo.envs.tasks import check_task
from se_hpo.errors import UserError
from se_hpo.machine.provenance import as_typed
from se_hpo.results.lines import read_evaluations
from se_hpo.results.run_settings import read_run, settings_from_dict
from se_hpo.results.se_sets import read_set
from se_hpo.search_spaces.user_code import prepare
from se_hpo.slurm.slurm_jobs import read_launches
from se_hpo.storage.json_records import RecordError
from se_hpo.storage.lock import Holder, lock_holder
from se_hpo.storage.paths import RunPaths, sets_in

_SHOWN = 5
_RESTORE = "restore it from a copy, or start over with --overwrite"
_AGAIN = "the same command starts it again"


def check(run: RunPaths) -> Iterator[Finding]:
    """All of it; nothing is touched."""
    holder = lock_holder(run.lock)
    alive = holder is not None and holder.alive
    yield from safely("lock", lambda: lock(run, holder))
    yield from safely("credentials", lambda: credentials(run, alive))
    yield from safely("files", lambda: files(run, alive))
    yield from safely("space file", lambda: space_file(run))
    yield from safely("run", lambda: progress(run, alive))
    yield from safely("SEs", lambda: sets(run))


def lock(run: RunPaths, holder: Holder | None) -> Iterator[Finding]:
    """Whether a master has the run."""
    if holder is None:
        yield ok("lock", "free: no master has the run")
        return
    who = f"the master with pid {holder.pid} on {holder.host}"
    if holder.alive:
        yield ok("lock", f"held by {who}, which is alive")
    else:
        mend = f"none is needed: {_AGAIN} and takes it over"
        yield warning("lock", f"stale: left by {who}, which is gone", mend)


def credentials(run: RunPaths, alive: bool) -> Iterator[Finding]:
    """Whether workers find the master through its credentials, and reach it."""
    path = run.credentials
    if not path.exists() and not path.is_symlink():
        if not alive:
            yield ok("credentials", "none, as no master is running")
            return
        value = "none, though the master is alive: workers cannot find it"
        yield warning("credentials", value, "wait if it is just starting, else --stop")
        return
    try:
        found = read_credentials(path)
    except UserError as problem:
        mend = f"chmod 600 or remove {path}, then start the run again"
        yield error("credentials", str(problem), mend)
        return
    except NotReady as problem:
        mend = f"remove {path}: a master writes it anew when it starts"
        yield warning("credentials", str(problem), mend)
        return
    host, port = found.host, found.port
    value = f"mode 0600, but nobody answers at {host}:{port}"
    try:
        with pyro.name_server(host, port, found.key) as server:
            server.ping()
    except pyro.PyroError:
        if alive:
            mend = "from a node, not from here? else launch with --nic (ip -br addr)"
            yield error("credentials", value, mend)
        else:
            mend = f"none is needed: {_AGAIN} and replaces them"
            value += ": left by a master that is gone"
            yield warning("credentials", value, mend)
    else:
        yield ok("credentials", f"mode 0600, the master answers at {host}:{port}")


def files(run: RunPaths, alive: bool) -> Iterator[Finding]:
    """Damaged files by name."""
    damage = list(damaged_files(run, alive))
    for each in [d for d in damage if d.vital]:
        yield error("files", f"{each.path}: {each.what}", _RESTORE)
    others = [d for d in damage if not d.vital]
    for each in others[:_SHOWN]:
        mend = "none is needed: it is set aside and computed again when the run goes on"
        yield warning("files", f"{each.path}: {each.what}", mend)
    if len(others) > _SHOWN:
        value = f"{len(others) - _SHOWN} more are damaged"
        yield warning("files", value, "look at the disk: this many are no accident")
    if not damage:
        yield ok("files", "none is damaged")
    if aside := set_aside_files(run):
        names = [str(path.relative_to(run.root)) for path in aside[:_SHOWN]]
        more = ", ..." if len(aside) > _SHOWN else ""
        yield ok("set aside", f"{len(aside)} before now: {', '.join(names)}{more}")


def space_file(run: RunPaths) -> Iterator[Finding]:
    """Whether the user's file, which workers run, still does what it did."""
    data = read_run(run)
    if data.get("space_file"):
        prepare(data, run.run)
        task = check_task(data["settings"]["task"]).id
        yield ok("space file", f"{data['space_file']}: {task} is as Gymnasium asks")


def progress(run: RunPaths, alive: bool) -> Iterator[Finding]:
    """What is finished, and the command that does the rest."""
    data = read_run(run)
    try:
        settings = settings_from_dict(data["settings"])
        planned = plan(settings.bracket_list(data["n_brackets"])).evaluations
    except RecordError as problem:
        value = f"{run.run}: its settings are not whole ({problem})"
        yield error("run", value, _RESTORE)
        return
    with warnings.catch_warnings(action="ignore"):  # named by `files`
        done = len(read_evaluations(run))
    value = f"{settings.space}, {settings.optimizer}: {done} of {planned} evaluations"
    if done >= planned:
        yield ok("run", f"{value}: finished")
    elif alive:
        yield ok("run", f"{value}, going on")
    else:
        yield warning("run", f"{value}, and nobody is at it", command(run, data))


def command(run: RunPaths, data: dict[str, Any]) -> str:
    """The command that continues a run: the one that it was begun with."""
    launches = [made for made in read_launches(run.jobs) if made.kind == "optimize"]
    if launches and launches[-1].command:
        return as_typed(launches[-1].command)
    for attempt in reversed(data["attempts"]):
        if isinstance(attempt, dict) and isinstance(attempt.get("command"), list):
            return as_typed(attempt["command"])
    folder = shlex.quote(str(run.root))
    return f"python -m se_hpo.optimize --space NAME --run {folder}"


def sets(run: RunPaths) -> Iterator[Finding]:
    """Sets of SEs that are not whole."""
    for folder in sets_in(run.ses):
        with warnings.catch_warnings(action="ignore"):
            try:
                found = read_set(folder)
            except UserError as problem:
                yield error("SEs", str(problem), "see above")
                continue
        value = f"{folder.name}: {len(found.outcomes)} of {found.n_envs} trained"
        if len(found.outcomes) < found.n_envs:
            mend = "the same command of python -m se_hpo.train does the rest"
            yield warning("SEs", value, mend)
        else:
            yield ok("SEs", value)
