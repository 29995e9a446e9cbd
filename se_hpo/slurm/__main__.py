"""`python -m se_hpo.slurm --space nes_cartpole --n-workers 16`: BOHB on a cluster."""

from __future__ import annotations

import shlex
import subprocess
import sys

import tyro
from rich.console import Console

from se_hpo.errors import UserError
from se_hpo.slurm.control import add_workers, stop
from se_hpo.slurm.options import ShardOptions, SlurmOptions, flags
from se_hpo.slurm.slurm_jobs import Launch
from se_hpo.slurm.slurm_status import show
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.cli import PLAIN, exit_with, run_command
from se_hpo.terminal.flags import joined
from se_hpo.terminal.help_texts import with_help

SHARED = ("train", "evaluate")


def main(options: SlurmOptions) -> int:
    """Do what the flags ask for."""
    console = Console(highlight=False)
    asked = [options.status, options.stop, options.add_workers is not None]
    if sum(asked) > 1:
        raise UserError("--status, --stop, --add-workers: give one of them")
    if options.is_local() or not any(asked):
        return _launch(options, console)
    if options.run is None:
        raise UserError("which run? give its folder with --run")
    paths = RunPaths(options.run.absolute())
    if options.status:
        show(paths, console)
    elif options.stop:
        ended = ", ".join(stop(paths))
        console.print(f"ended: job {ended}" if ended else "no job was left")
    elif options.add_workers is not None:
        job = add_workers(paths, options.add_workers)
        console.print(f"{options.add_workers} more workers: job {job}")
    return 0


def _launch(options: SlurmOptions, console: Console) -> int:
    if options.is_local():
        words = flags(options.optimize_options(), set())
        return subprocess.call([sys.executable, "-m", "se_hpo.optimize", *words])
    # With torch, which takes seconds: the other flags do without.
    from se_hpo.slurm.launch import launch

    told = _told(*launch(options))
    console.print(told, soft_wrap=True, markup=False)
    return 0


def _told(paths: RunPaths, made: Launch) -> str:
    """What a launch did, and what to type next."""
    lines = [f"scripts in {paths.slurm}"]
    if not made.ids:
        lines += [
            "to submit them:",
            f"  cd {shlex.quote(str(paths.slurm))}",
            "  master=$(sbatch --parsable master.sbatch)",
            "  sbatch --dependency=after:$master workers.sbatch",
            "  sbatch --dependency=afterany:$master cleanup.sbatch",
        ]
        return "\n".join(lines)
    ids = {role: ", ".join(jobs) for role, jobs in made.ids.items()}
    lines += [
        f"master   job {ids['master']}",
        f"workers  job {ids['worker']}, {made.n} of them",
        f"cleanup  job {ids['cleanup']}, for a master that dies with its node",
    ]
    next_ = _next_commands(paths, look="--status", join="--add-workers 8", end="--stop")
    return "\n".join([*lines, *next_])


def _next_commands(paths: RunPaths, **verbs: str) -> list[str]:
    command = f"python -m se_hpo.slurm --run {shlex.quote(str(paths.root))}"
    return [f"{verb:<8} {command} {flag}" for verb, flag in verbs.items()]


def share(name: str, arguments: list[str]) -> int:
    """`python -m se_hpo.slurm train ...`: submit a command as an array of shards."""
    options, rest = tyro.cli(
        with_help(ShardOptions),
        args=arguments,
        prog=f"python -m se_hpo.slurm {name}",
        config=PLAIN,
        return_unknown_args=True,
    )
    from se_hpo.slurm.shard_jobs import launch_shards  # with torch

    done = launch_shards(name, options, rest)
    if isinstance(done, int):
        return done
    paths, made = done
    lines = [f"script {paths.script(made.kind)}"]
    for job in made.ids.get(made.kind, []):
        lines.append(f"job    {job}, {made.n} tasks")
        lines += _next_commands(paths, look="--status", end="--stop")
    Console(highlight=False).print("\n".join(lines), soft_wrap=True, markup=False)
    return 0


if __name__ == "__main__":
    words = joined(sys.argv[1:])
    if words and words[0] in SHARED:
        exit_with(lambda: share(words[0], words[1:]))
    sys.argv[1:] = words
    run_command(SlurmOptions, main)
