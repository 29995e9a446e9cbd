"""What `python -m se_hpo.slurm --status` shows: jobs, workers, brackets, losses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from se_hpo.bohb.status import MasterStatus
from se_hpo.errors import UserError
from se_hpo.machine import slurm_queue
from se_hpo.optimize.display import RunDisplay
from se_hpo.optimize.outcome import show_best
from se_hpo.registries import budget_unit
from se_hpo.results.lines import read_checked, read_evaluations, read_json
from se_hpo.results.trials import load_trials
from se_hpo.slurm.slurm_jobs import Launch, read_launches, roles
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.rich_tables import table
from se_hpo.text import duration

STALE_SECONDS = 30.0
"""A master that writes its status every two seconds and has not for so long is away."""
_ENOUGH = 10_000


def show(paths: RunPaths, console: Console) -> None:
    """Print the state of a run; what cannot be shown leaves the rest.

    Raises:
        UserError: nothing was launched, or, when all else is shown, squeue does not
            answer.
        OSError: a file that cannot be read, likewise.
    """
    launches = read_launches(paths.jobs)
    if not launches:
        raise UserError(
            f"{paths.root} was not launched on SLURM: python -m se_hpo.slurm --space "
            f"NAME --run {paths.root} does that"
        )
    failed: list[Exception] = []
    for part in (
        lambda: console.print(job_table(paths, launches)),
        lambda: _show_master(paths, console),
        lambda: _show_trials(paths, console),
    ):
        try:
            part()
        except (UserError, OSError) as error:
            failed.append(error)
    if failed:
        raise failed[0]


def _show_master(paths: RunPaths, console: Console) -> None:
    status = read_status(paths)
    if status is not None:
        _show_status(paths, status, console)
        if status.state == "running" and status.workers:
            console.print(worker_table(status))


def _show_trials(paths: RunPaths, console: Console) -> None:
    if paths.results.exists():
        show_best(load_trials(paths.root), console)


def job_table(paths: RunPaths, launches: Iterable[Launch]) -> Table:
    """Jobs: those that SLURM still has, and how those of the last launch ended."""
    launches = list(launches)
    names = {f"{x.name}-{role}": role for x in launches for role in roles(x.kind)}
    there = slurm_queue.jobs(names)
    known = {job.id for job in there}
    rows = []
    for job in _waiting_together(there):
        waits = job.reason if job.state == "PENDING" else ""
        role = names[job.name]
        rows.append((role, job.id, job.state, job.elapsed, job.node, waits))
    ended = [
        (role, *how)
        for role, job_id in _ids(launches[-1])
        for how in _ended(paths, job_id, known)
    ]
    ended += [("by hand", *how) for how in _ended_by_hand(paths, launches, known)]
    rows += [(role, each, state, "", "", "") for role, each, state in ended]
    columns = ("role", "job", "state", "time", "node", "waits for~")
    return table("Jobs", columns, rows)


def _waiting_together(jobs: Iterable[slurm_queue.Job]) -> list[slurm_queue.Job]:
    """Waiting tasks of an array in one line."""
    lines: dict[tuple[str, str], slurm_queue.Job] = {}
    count: Counter[tuple[str, str]] = Counter()
    for job in jobs:
        array, _, task = job.id.partition("_")
        key = (array if task and job.state == "PENDING" else job.id, job.reason)
        lines[key], count[key] = job, count[key] + 1
    return [
        replace(job, id=f"{key[0]}, {count[key]} tasks") if count[key] > 1 else job
        for key, job in lines.items()
    ]


def _ids(launch: Launch) -> list[tuple[str, str]]:
    return [
        (role, job) for role in roles(launch.kind) for job in launch.ids.get(role, [])
    ]


def _ended(paths: RunPaths, job_id: str, known: set[str]) -> list[tuple[str, str]]:
    """How a job, or tasks of an array, ended; not those that SLURM still has."""
    folder = paths.ended
    names = [path.name for path in folder.glob(f"{job_id}_*")]
    if not names and not any(name.partition("_")[0] == job_id for name in known):
        names = [job_id]
    names = sorted({*names} - known, key=lambda name: int(name.rpartition("_")[2]))
    return [(name, slurm_queue.final_state(name, folder)) for name in names]


def _ended_by_hand(
    paths: RunPaths, launches: Iterable[Launch], known: set[str]
) -> list[tuple[str, str]]:
    """How jobs ended whose scripts the user has submitted."""
    ours = {job for launch in launches for _, job in _ids(launch)}
    folder = paths.ended
    names = [p.name for p in folder.glob("[0-9]*") if p.name not in known]
    strange = [name for name in names if name.partition("_")[0] not in ours]
    strange.sort(key=lambda name: [int(n) for n in name.split("_") if n.isdigit()])
    return [(name, slurm_queue.final_state(name, folder)) for name in strange]


def read_status(paths: RunPaths) -> MasterStatus | None:
    """What the master wrote last; None if that is nothing, or cannot be read."""
    return read_checked(paths.status, MasterStatus, None)


def _show_status(paths: RunPaths, status: MasterStatus, console: Console) -> None:
    """The view of a running master, as its own terminal would show it."""
    age = max(0.0, time.time() - status.time)
    if status.state != "running":
        console.print(_ended_line(status, age))
        return
    if age > STALE_SECONDS:
        console.print(
            Text(f"No word from the master for {duration(age)}.", style="yellow")
        )
    settings = read_json(paths.run).get("settings")
    settings = settings if isinstance(settings, dict) else {}
    title = f"{settings.get('space', '?')}, {settings.get('optimizer', '?')}"
    unit = budget_unit(settings.get("objective"))
    earlier = (evaluation.record for evaluation in read_evaluations(paths))
    display = RunDisplay(paths, title, unit, earlier)
    display.update(status)
    display.began = status.time
    console.print(display.view(_ENOUGH))


def _ended_line(status: MasterStatus, age: float) -> str:
    """One sentence about a run that has no master now."""
    complete = sum(bracket.finished for bracket in status.brackets)
    return (
        f"The run is {status.state}, since {duration(age)}: {status.finished} of "
        f"{status.planned} evaluations, {complete} of {len(status.brackets)} brackets, "
        f"{status.failed} failed, {status.lost} interrupted and repeated."
    )


def worker_table(status: MasterStatus) -> Table:
    """Workers: where they are and what they evaluate."""
    running = {each.worker: each for each in status.running}
    rows = []
    for worker in sorted(status.workers, key=lambda w: (w.host, w.pid)):
        now = running.get(worker.worker)
        budget = f"{now.budget:g}" if now else ""
        since = duration(status.time - now.since) if now else ""
        trial = worker.trial or "idle"
        rows.append((worker.host, str(worker.pid), trial, budget, since))
    return table("Workers", ("host", "pid", "trial", "budget", "for"), rows)
