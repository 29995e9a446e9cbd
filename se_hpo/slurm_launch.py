"""Submits a run to SLURM: scripts into its folder, jobs into the queue."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from se_hpo import slurm_queue
from se_hpo.bohb.lock import RunLock
from se_hpo.errors import UserError
from se_hpo.paths import RunPaths, write_atomic
from se_hpo.run_folder import delete_run, find_run
from se_hpo.search_space import load_space
from se_hpo.session import Session
from se_hpo.slurm_jobs import (
    Launch,
    new_launch,
    read_launches,
    submitting,
    write_launch,
)
from se_hpo.slurm_options import SlurmOptions
from se_hpo.slurm_scripts import Scripts

WORKER_TIMEOUT = 600
"""Seconds that a worker waits for a master that is queued again."""
STOP_SECONDS = 60.0
_THREADS = '"${SLURM_CPUS_PER_TASK:-1}"'


def launch(options: SlurmOptions) -> tuple[RunPaths, Launch]:
    """Write the scripts of a run and, unless it is a dry run, submit them.

    Raises:
        UserError: flags that make no run, a folder that is in use or holds something
            else, no SLURM here, or SLURM's refusal.
    """
    if not options.dry_run:
        slurm_queue.require_slurm()
    _check(options)
    session = _session(options)
    paths = RunPaths(session.paths.root.absolute())
    with submitting(paths.slurm):
        refuse_second_launch(paths, ("optimize",))
        with RunLock(paths.lock):
            settings = session.settings.to_dict()
            find_run(paths, settings, session.configspace, options.overwrite)
            if options.overwrite and paths.run.exists():
                delete_run(paths)
        made = new_launch(paths.root, "optimize", options.n_workers)
        write_scripts(paths, options, made)
        write_launch(paths.jobs, made)
        if not options.dry_run:
            made = _submit(paths, made)
    return paths, made


def _check(options: SlurmOptions) -> None:
    if options.space is None:
        raise UserError("no --space: see --list-spaces, or give your own file by path")
    if options.role != "all":
        raise UserError(f"--role {options.role}: master and workers are jobs already")
    if options.host is not None:
        raise UserError(
            f"--host {options.host}: SLURM chooses the nodes; choose an interface that "
            "they all have with --nic, if their own names will not do"
        )
    if options.dry_run and options.overwrite:
        raise UserError("--dry-run deletes nothing: leave out --overwrite")


def _session(options: SlurmOptions) -> Session:
    """What the master will check, checked here and now; interfaces differ by node."""
    asked = replace(options.optimize_options(), role="all", nic=None)
    return Session(asked, load_space(options.space or ""))


def refuse_second_launch(paths: RunPaths, kinds: tuple[str, ...]) -> None:
    """Raise if jobs of an earlier launch are still queued or running.

    Raises:
        UserError: they are.
    """
    earlier = [each for each in read_launches(paths.jobs) if each.kind in kinds]
    names = [name for each in earlier for name in each.job_names()]
    if not names or shutil.which("squeue") is None:
        return
    there = slurm_queue.jobs(names, tasks=False)
    if there:
        ids = ", ".join(job.id for job in there)
        raise UserError(
            f"{paths.root} is in use by SLURM job {ids}: see --status, join with "
            "--add-workers, or end it with --stop first"
        )


def write_scripts(paths: RunPaths, options: SlurmOptions, made: Launch) -> None:
    """Write master.sbatch, workers.sbatch and cleanup.sbatch."""
    scripts = Scripts(
        paths.root, paths.slurm, paths.logs, made.name, options.resources()
    )
    texts = {
        "master": scripts.master(master_command(paths, options), options.n_workers),
        "workers": scripts.workers(
            worker_command(paths, options, made), options.n_workers
        ),
        "cleanup": scripts.cleanup(),
    }
    prepare_folder(paths)
    for name, text in texts.items():
        write_atomic(paths.slurm / f"{name}.sbatch", text)


def prepare_folder(paths: RunPaths) -> None:
    """Make what scripts write to; SLURM does not make the folder of a job's output."""
    (paths.slurm / "ended").mkdir(parents=True, exist_ok=True)
    paths.logs.mkdir(exist_ok=True)


def master_command(paths: RunPaths, options: SlurmOptions) -> list[str]:
    """What the master's job runs."""
    command = [sys.executable, "-m", "se_hpo.optimize", "--role", "master"]
    command += ["--run", str(paths.root), "--threads", _THREADS]
    return command + options.master_flags()


def worker_command(paths: RunPaths, options: SlurmOptions, made: Launch) -> list[str]:
    """What each worker's job runs."""
    command = [sys.executable, "-m", "se_hpo.worker", "--run", str(paths.root)]
    command += ["--threads", str(options.threads) if options.threads else _THREADS]
    command += ["--wait", "--timeout", str(WORKER_TIMEOUT)]
    command += ["--master-job", f"{made.name}-master"]
    if options.nic is not None:
        command += ["--nic", options.nic]
    return command + (["--quiet"] if options.quiet else [])


def _submit(paths: RunPaths, made: Launch) -> Launch:
    """Submit all three; what was submitted is cancelled if one is refused."""
    master = slurm_queue.submit(paths.slurm / "master.sbatch")
    try:
        write_launch(paths.jobs, made := replace(made, ids={"master": [master]}))
        after = f"--dependency=after:{master}"
        workers = slurm_queue.submit(paths.slurm / "workers.sbatch", after)
        after = f"--dependency=afterany:{master}"
        cleanup = slurm_queue.submit(paths.slurm / "cleanup.sbatch", after)
    except BaseException:
        slurm_queue.cancel(made.job_names())
        raise
    ids = {"master": [master], "worker": [workers], "cleanup": [cleanup]}
    made = replace(made, ids=ids)
    write_launch(paths.jobs, made)
    return made


def current_launch(paths: RunPaths) -> Launch:
    """The last launch of BOHB.

    Raises:
        UserError: there is none.
    """
    for made in reversed(read_launches(paths.jobs)):
        if made.kind == "optimize":
            return made
    raise UserError(
        f"{paths.root} was not launched on SLURM: python -m se_hpo.slurm --space NAME "
        f"--run {paths.root} does that"
    )


def add_workers(paths: RunPaths, n: int) -> str:
    """Submit more workers for a master that is queued or running; returns the job id.

    Raises:
        UserError: there is no master, or SLURM refuses.
    """
    if n < 1:
        raise UserError(f"--add-workers {n}: must be 1 or more")
    slurm_queue.require_slurm()
    with submitting(paths.slurm):
        made = current_launch(paths)
        masters = slurm_queue.jobs([f"{made.name}-master"])
        if not masters:
            raise UserError(
                f"no master of {paths.root} is queued or running: launch the run again "
                "with the same command as before"
            )
        job = slurm_queue.submit(
            paths.slurm / "workers.sbatch",
            f"--array=0-{n - 1}",
            f"--dependency=after:{masters[0].id}",
        )
        ids = {**made.ids, "worker": [*made.ids.get("worker", []), job]}
        write_launch(paths.jobs, replace(made, ids=ids))
    return job


def stop(paths: RunPaths) -> list[str]:
    """End all jobs of a run: the master first, then what is left.

    Returns:
        Ids of the jobs that there were.

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
        raise UserError(
            f"job {', '.join(left)} has not ended after {STOP_SECONDS:g} s: look at it "
            "with scontrol show job"
        )
    return [job.id for job in there]


def _wait_for_end(names: list[str], seconds: float) -> list[str]:
    """Wait until SLURM has none of these jobs; ids of those left."""
    deadline = time.monotonic() + seconds
    while left := slurm_queue.jobs(names, tasks=False):
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    return [job.id for job in left]


def run_folder(options: SlurmOptions) -> RunPaths:
    """The run that --status, --stop and --add-workers are about.

    Raises:
        UserError: none is named.
    """
    if options.run is not None:
        return RunPaths(options.run.absolute())
    if options.space is None:
        raise UserError("which run? give its folder with --run")
    return RunPaths(Path(_session(options).paths.root).absolute())
