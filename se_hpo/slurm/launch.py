"""Submits a run to SLURM: scripts into its folder, jobs into the queue."""

from __future__ import annotations

import sys
from dataclasses import replace

from se_hpo.errors import UserError
from se_hpo.machine import slurm_queue
from se_hpo.optimize.run_folder import delete_run, find_run
from se_hpo.optimize.run_request import RunRequest, resolve_run
from se_hpo.search_spaces.loading import load_space
from se_hpo.slurm.control import refuse_second_launch
from se_hpo.slurm.options import SlurmOptions
from se_hpo.slurm.scripts import Scripts, prepare_folder
from se_hpo.slurm.slurm_jobs import Launch, new_launch, submitting, write_launch
from se_hpo.storage.files import write_atomic
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import RunPaths

WORKER_TIMEOUT = 600
"""Seconds that a worker waits for a master that is queued again."""
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
    request = _request(options)
    paths = RunPaths(request.paths.root.absolute())
    made = new_launch(paths.root, "optimize", options.n_workers)
    texts = script_texts(paths, options, made)
    with submitting(paths):
        refuse_second_launch(paths, ("optimize",))
        with RunLock(paths.lock):
            settings = request.settings.to_dict()
            find_run(paths, settings, request.configspace, options.overwrite)
            if options.overwrite and paths.run.exists():
                delete_run(paths)
        prepare_folder(paths)
        for name, text in texts.items():
            write_atomic(paths.script(name), text)
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
        mend = "choose an interface that they all have with --nic"
        what = f"--host {options.host}: SLURM chooses the nodes"
        raise UserError(f"{what}; {mend}, if their own names will not do")
    if options.dry_run and options.overwrite:
        raise UserError("--dry-run deletes nothing: leave out --overwrite")


def _request(options: SlurmOptions) -> RunRequest:
    """What the master will check, checked here and now; interfaces differ by node."""
    asked = replace(options.optimize_options(), role="all", nic=None)
    return resolve_run(asked, load_space(options.space or ""))


def script_texts(
    paths: RunPaths, options: SlurmOptions, made: Launch
) -> dict[str, str]:
    """The scripts of a launch, by name; a `UserError` for what sbatch cannot read."""
    scripts, n = Scripts(paths, made.name, options.resources()), options.n_workers
    return {
        "master": scripts.master(master_command(paths, options), n),
        "workers": scripts.workers(worker_command(paths, options, made), n),
        "cleanup": scripts.cleanup(),
    }


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
    master = slurm_queue.submit(paths.script("master"))
    try:
        write_launch(paths.jobs, made := replace(made, ids={"master": [master]}))
        after = f"--dependency=after:{master}"
        workers = slurm_queue.submit(paths.script("workers"), after)
        after = f"--dependency=afterany:{master}"
        cleanup = slurm_queue.submit(paths.script("cleanup"), after)
    except BaseException:
        slurm_queue.cancel(made.job_names())
        raise
    ids = {"master": [master], "worker": [workers], "cleanup": [cleanup]}
    made = replace(made, ids=ids)
    write_launch(paths.jobs, made)
    return made
