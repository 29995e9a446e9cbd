"""`train` and `evaluate` on SLURM: arrays of tasks that share the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tyro

from se_hpo.errors import UserError
from se_hpo.evaluate import __main__ as evaluate
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
from se_hpo.terminal.flags import at_least
from se_hpo.train import __main__ as train
from se_hpo.train.options import TrainOptions
from se_hpo.train.request import resolve_request


@dataclass(frozen=True)
class Command:
    """A command whose work can be shared."""

    parse: Callable[[Sequence[str]], object]
    run_here: Callable[[Sequence[str]], int]
    """What it does without SLURM."""
    output: Callable[[Sequence[str]], Path]
    """What it writes; raises a `UserError` if its flags make no sense."""
    local: frozenset[str]
    """Flags that only ask it something."""


def _train(arguments: Sequence[str]) -> TrainOptions:
    return tyro.cli(TrainOptions, args=arguments, config=_CONFIG)


def _evaluate(arguments: Sequence[str]) -> EvaluateOptions:
    return tyro.cli(EvaluateOptions, args=arguments, config=_CONFIG)


_CONFIG = (tyro.conf.FlagCreatePairsOff,)
COMMANDS = {
    "train": Command(
        _train,
        lambda words: train.main(_train(words)),
        lambda words: resolve_request(_train(words)).paths.root,
        frozenset({"--plan", "--list-configs", "--help", "-h"}),
    ),
    "evaluate": Command(
        _evaluate,
        lambda words: evaluate.main(_evaluate(words)),
        lambda words: resolve(_evaluate(words)).records,
        frozenset({"--plan", "--help", "-h"}),
    ),
}


def launch_shards(
    name: str, options: ShardOptions, rest: Sequence[str]
) -> tuple[RunPaths, Launch] | int:
    """Submit a command as an array of shards.

    Args:
        name: `train` or `evaluate`.
        options: what to ask SLURM for.
        rest: the command's own flags.

    Returns:
        Where, and what was submitted; an exit code if the flags only asked something.

    Raises:
        UserError: flags that make no sense, or SLURM's refusal.
    """
    command = COMMANDS[name]
    if command.local & set(rest):
        return command.run_here(rest)
    at_least(1, shards=options.shards)
    if any(word.partition("=")[0] == "--shard" for word in rest):
        raise UserError("--shard: each task gets its own; say how many with --shards")
    resources = options.resources()
    if not options.dry_run:
        slurm_queue.require_slurm()
    output = command.output(rest).absolute()
    paths, role = home(output), name_of_shards(name, output)
    made = new_launch(paths.root, role, options.shards)
    text = _script(paths, made, resources, name, rest)
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
    paths: RunPaths,
    made: Launch,
    resources: Resources,
    name: str,
    rest: Sequence[str],
) -> str:
    role, n = made.kind, made.n
    scripts = Scripts(paths.root, paths.slurm, paths.logs, made.name, resources)
    words = [sys.executable, "-m", f"se_hpo.{name}", *rest]
    words += ["--shard", f'"${{SLURM_ARRAY_TASK_ID}}/{n}"']
    about = (
        f"{name} in {paths.root}: each of {n} tasks does its share.\n"
        "Submit it again with sbatch to continue what was interrupted."
    )
    return scripts.shards(about, role, words, f"1-{n}")
