"""The flags of `python -m se_hpo.slurm`; the comment under a field is its help."""

from __future__ import annotations

import shlex
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any

import tyro

from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.slurm.scripts import Resources, directive, seconds_of
from se_hpo.terminal.flags import at_least

_NOT_PASSED = {"run", "threads", "n_workers", "role", "host", "overwrite"}
_LOCAL = ("plan", "list_spaces", "describe")


@dataclass(frozen=True)
class ResourceOptions:
    """What to ask SLURM for; the flags that all launches share."""

    partition: str | None = None
    """Partition; default: the cluster's own."""
    time: str | None = None
    """Time limit of each job: `1-00:00` is a day. At the limit jobs go back into the
    queue and continue."""
    cpus_per_task: int = 1
    """Cores, and so threads, of each worker or shard."""
    setup: str = ""
    """Shell commands before anything else: `module load gcc`."""
    sbatch: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """More options of sbatch: `"--account=x --mem=4G"`; may be given again."""
    dry_run: bool = False
    """Write the scripts, submit nothing."""

    def resources(self) -> Resources:
        """Checked; flags that make no job are a `UserError`."""
        at_least(1, cpus_per_task=self.cpus_per_task)
        if self.time is not None:
            seconds_of(self.time)
        more = tuple(word for text in self.sbatch for word in _words(text))
        asked = (self.partition, self.time, self.cpus_per_task, self.setup)
        return Resources(*asked, more)


def _words(text: str) -> list[str]:
    """Options of sbatch, one each: `--mem 4G` is one.

    >>> _words("--account=x --mem 4G -C 'a b'")
    ['--account=x', '--mem 4G', '-C "a b"']
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"--sbatch {text}: {error}") from error
    options: list[str] = []
    for word in words:
        if word.startswith("-"):
            options.append(directive(word))
        elif options:
            options[-1] += f" {directive(word)}"
        else:
            raise UserError(f"--sbatch {text}: an option begins with -")
    return options


@dataclass(frozen=True)
class ShardOptions(ResourceOptions):
    """Share the work of a command among the tasks of a job array.

    All other flags are the command's own.
    """

    shards: int = 1
    """Tasks."""


@dataclass(frozen=True)
class SlurmOptions(ResourceOptions, Options):
    """Run BOHB on a SLURM cluster: one master job, an array of workers.

    All flags of `python -m se_hpo.optimize` hold. `python -m se_hpo.slurm train ...`
    and `... evaluate ...` submit those commands as arrays of shards.
    """

    n_workers: int = 1
    """Worker jobs; more may join later, see --add-workers."""
    threads: int = 0
    """Threads of each worker; 0: as many as --cpus-per-task."""
    add_workers: int | None = None
    """Submit this many more workers for the run in --run, then exit."""
    status: bool = False
    """Show jobs, workers, brackets and losses of the run in --run, then exit."""
    stop: bool = False
    """End all jobs of the run in --run in order, then exit."""

    def optimize_options(self) -> Options:
        """Those of `python -m se_hpo.optimize`."""
        return Options(**{f.name: getattr(self, f.name) for f in fields(Options)})

    def is_local(self) -> bool:
        """Whether it only asks for something that `optimize` shows without a run."""
        return any(getattr(self, name) not in (None, False) for name in _LOCAL)

    def master_flags(self) -> list[str]:
        """What the master's command repeats of this one's."""
        return flags(self.optimize_options(), _NOT_PASSED)


def flags(options: Any, without: set[str]) -> list[str]:
    """A dataclass as a command line: what differs from the defaults."""
    words: list[str] = []
    for f in fields(options):
        value = getattr(options, f.name)
        default = f.default if f.default is not MISSING else None
        if f.name in without or value == default:
            continue
        words.append("--" + f.name.replace("_", "-"))
        if value is not True:
            words.append(str(value))
    return words
