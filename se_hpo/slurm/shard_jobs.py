"""`train` and `evaluate` on SLURM: arrays of tasks that share the work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tyro

from se_hpo.errors import UserError
from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.machine import slurm_queue
from se_hpo.slurm.control import refuse_second_launch
from se_hpo.slurm.options import ShardOptions
from se_hpo.slurm.scripts import Resources, Scripts, prepare_folder
from se_hpo.slurm.slurm_jobs import (
    Launch,
    name_of_shards,
    new_launch,
    submitting,
    write_launch,
)
from se_hpo.storage.files import write_atomic
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.cli import PLAIN
from se_hpo.terminal.flags import at_least
from se_hpo.train.options import TrainOptions
from se_hpo.train.request import resolve_request

_ASKING = {"--plan", "--list-configs", "--help", "-h"}
"""Flags with which a command writes nothing."""


def launch_shards(
    name: str, options: ShardOptions, rest: Sequence[str]
) -> tuple[RunPaths, Launch] | int:
    """Submit `train` or `evaluate` with its own flags as an array of shards.

    Returns:
        Where, and what was submitted; an exit code if the flags only asked something.

    Raises:
        UserError: flags that make no sense, or SLURM's refusal.
    """
    if _ASKING & set(rest):
        return subprocess.call([sys.executable, "-m", f"se_hpo.{name}", *rest])
    at_least(1, shards=options.shards)
    if any(word.partition("=")[0] == "--shard" for word in rest):
        raise UserError("--shard: each task gets its own; say how many with --shards")
    resources = options.resources()
    if not options.dry_run:
        slurm_queue.require_slurm()
    output = _output(name, rest).absolute()
    paths, role = home(output), name_of_shards(name, output)
    made = new_launch(paths.root, role, options.shards)
    text = _script(paths, made, resources, [name, *rest])
    with submitting(paths):
        refuse_second_launch(paths, (role,))
        prepare_folder(paths)
        script = paths.script(role)
        write_atomic(script, text)
        write_launch(paths.jobs, made)
        if not options.dry_run:
            made = replace(made, ids={role: [slurm_queue.submit(script)]})
            write_launch(paths.jobs, made)
    return paths, made


def _output(name: str, words: Sequence[str]) -> Path:
    """What the command would write.

    Raises:
        UserError: its flags make no sense.
    """
    if name == "train":
        request = tyro.cli(TrainOptions, args=words, config=PLAIN)
        return resolve_request(request).paths.root
    return resolve(tyro.cli(EvaluateOptions, args=words, config=PLAIN)).records


def home(output: Path) -> RunPaths:
    """The run that an output belongs to, or the folder that it lies in.

    >>> home(Path("results/a/ses/varied")).root
    PosixPath('results/a')
    >>> home(Path("sets/mine")).root
    PosixPath('sets')
    """
    folder = output.parent
    inside = folder.name in ("ses", "evaluations")
    return RunPaths(folder.parent if inside else folder)


def _script(
    paths: RunPaths, made: Launch, resources: Resources, rest: list[str]
) -> str:
    name, n = rest[0], made.n
    scripts = Scripts(paths, made.name, resources)
    words = [sys.executable, "-m", f"se_hpo.{name}", *rest[1:]]
    words += ["--shard", f'"${{SLURM_ARRAY_TASK_ID}}/{n}"']
    about = (
        f"{name} in {paths.root}: each of {n} tasks does its share.\n"
        "Submit it again with sbatch to continue what was interrupted."
    )
    return scripts.shards(about, made.kind, words, f"1-{n}")
