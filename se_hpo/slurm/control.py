"""What is done to a run that SLURM has: joined by workers, stopped, not doubled."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from se_hpo.errors import UserError
from se_hpo.machine import slurm_queue
from se_hpo.slurm.slurm_jobs import Launch, read_launches, submitting, write_launch
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.flags import at_least

STOP_SECONDS = 60.0


def refuse_second_launch(paths: RunPaths, kinds: tuple[str, ...]) -> None:
    """Raise a `UserError` if jobs of an earlier launch are still queued or running."""
    earlier = [each for each in read_launches(paths.jobs) if each.kind in kinds]
    names = [name for each in earlier for name in each.job_names()]
    if not names or shutil.which("squeue") is None:
        return
    there = slurm_queue.jobs(names, tasks=False)
    if there:
        ids = ", ".join(job.id for job in there)
        mend = "see --status, join with --add-workers, or end it with --stop first"
        raise UserError(f"{paths.root} is in use by SLURM job {ids}: {mend}")


def current_launch(paths: RunPaths) -> Launch:
    """The last launch of BOHB; a `UserError` if there is none."""
    for made in reversed(read_launches(paths.jobs)):
        if made.kind == "optimize":
            return made
    command = f"python -m se_hpo.slurm --space NAME --run {paths.root}"
    raise UserError(f"{paths.root} was not launched on SLURM: {command} does that")


def add_workers(paths: RunPaths, n: int) -> str:
    """Submit more workers for a master that is queued or running; returns the job id.

    A `UserError` if there is no master, or SLURM refuses.
    """
    at_least(1, add_workers=n)
    slurm_queue.require_slurm()
    with submitting(paths):
        made = current_launch(paths)
        masters = slurm_queue.jobs([f"{made.name}-master"])
        if not masters:
            mend = "launch the run again with the same command as before"
            raise UserError(f"no master of {paths.root} is queued or running: {mend}")
        options = (f"--array=0-{n - 1}", f"--dependency=after:{masters[0].id}")
        job = slurm_queue.submit(paths.script("workers"), *options)
        ids = {**made.ids, "worker": [*made.ids.get("worker", []), job]}
        write_launch(paths.jobs, replace(made, ids=ids))
    return job


def stop(paths: RunPaths) -> list[str]:
    """End all jobs of a run, the master first; returns the ids of those there were.

    Raises:
        UserError: nothing was launched, or some jobs do not end.
    """
    slurm_queue.require_slurm()
    launches = read_launches(paths.jobs)
    if not launches:
        current_launch(paths)
    names = [name for made in launches for name in made.job_names()]
    there = slurm_queue.jobs(names, tasks=False)
    masters = [name for name in names if name.endswith("-master")]
    slurm_queue.cancel(names, "PENDING")  # a dependency ends with what it waits for
    left: list[str] = []
    for group, seconds in ((masters, 15.0), (names, STOP_SECONDS)):
        if slurm_queue.jobs(group):
            slurm_queue.cancel(group)
            left = _wait_for_end(group, seconds)
    if left:
        what = f"job {', '.join(left)} has not ended after {STOP_SECONDS:g} s"
        raise UserError(f"{what}: look at it with scontrol show job")
    return [job.id for job in there]


def _wait_for_end(names: list[str], seconds: float) -> list[str]:
    """Wait until SLURM has none of these jobs; ids of those left."""
    deadline = time.monotonic() + seconds
    left = slurm_queue.jobs(names, tasks=False)
    while left and time.monotonic() <= deadline:
        time.sleep(0.5)
        left = slurm_queue.jobs(names, tasks=False)
    return [job.id for job in left]
