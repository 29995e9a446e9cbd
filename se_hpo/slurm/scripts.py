"""The sbatch scripts of a run: plain bash, to be read, edited and submitted again."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from se_hpo.errors import UserError
from se_hpo.slurm import bash
from se_hpo.storage.paths import LOG, RunPaths

WARNING_SECONDS = 60
"""How long before the time limit SLURM sends USR1; less for jobs of a few minutes."""
_TIME = re.compile(
    r"(?:(?P<d>\d+)-(?P<dh>\d+)(?::(?P<dm>\d+)(?::(?P<ds>\d+))?)?"
    r"|(?:(?P<h>\d+):)?(?P<m>\d+):(?P<s>\d+)|(?P<only>\d+))"
)


@dataclass(frozen=True)
class Resources:
    """What the user asks SLURM for."""

    partition: str | None = None
    time: str | None = None
    cpus_per_task: int = 1
    setup: str = ""
    """Shell lines before anything else: modules, conda."""
    sbatch: tuple[str, ...] = ()
    """More options of sbatch, one each."""


def seconds_of(time: str) -> int:
    """Seconds of a time limit as SLURM writes it; a `UserError` if it is none.

    >>> [seconds_of(t) for t in ("90", "5:30", "2:00:00", "1-12", "1-00:30")]
    [5400, 330, 7200, 129600, 88200]
    """
    match = _TIME.fullmatch(time.strip())
    if match is None:
        forms = "minutes, hours:minutes:seconds, days-hours or days-hours:minutes"
        raise UserError(f"--time {time}: write {forms}, such as 1-00:00 for a day")
    part = {name: int(value or 0) for name, value in match.groupdict().items()}
    hours = 24 * part["d"] + part["dh"] + part["h"]
    minutes = part["dm"] + part["m"] + part["only"]
    return 3600 * hours + 60 * minutes + part["ds"] + part["s"]


def quoted(command: Sequence[str], indent: str = "    ") -> str:
    r"""A command for a script, one flag with its value a line.

    >>> print(quoted(["optimize", "--space", "my space", "--quiet"]))
    optimize \
        --space 'my space' \
        --quiet
    """
    lines: list[list[str]] = [[]]
    for word in command:
        if word.startswith("--") and lines[-1]:
            lines.append([])
        own = word.startswith('"${') and word.endswith('"')  # of the script: stays
        lines[-1].append(word if own else shlex.quote(word))
    return f" \\\n{indent}".join(" ".join(line) for line in lines)


HEAD = """\
#!/bin/bash
{about}
#SBATCH --job-name={name}
#SBATCH --chdir={folder}
#SBATCH --output={output}
#SBATCH --open-mode=append
{options}
"""


def prepare_folder(paths: RunPaths) -> None:
    """Make what scripts write to; SLURM does not make the folder of a job's output."""
    paths.ended.mkdir(parents=True, exist_ok=True)
    paths.logs.mkdir(exist_ok=True)


def directive(value: object) -> str:
    r"""A value on an #SBATCH line, quoted if need be; a `UserError` if it fits none.

    >>> print(directive("/runs/a"), directive("/runs/run#1"), directive('a "b"'))
    /runs/a "/runs/run#1" "a \"b\""
    """
    text = str(value)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise _unfit(text, character)
    if text and text[0] != ":" and not re.search(r"[\s\"'#\\]", text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _unfit(text: str, character: str) -> UserError:
    what = f"sbatch cannot read the character {character!r}"
    return UserError(f"{text!r}: {what}: choose another name")


def fill(text: str, **values: str) -> str:
    """A piece of a script with its @names@ filled in."""
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], text)


@dataclass(frozen=True)
class Scripts:
    """Writes the scripts of one launch."""

    paths: RunPaths
    """Absolute."""
    name: str
    """What the names of its jobs begin with; no other launch has it."""
    resources: Resources

    def _body(self, text: str, command: Sequence[str], job: str, **more: str) -> str:
        setup, folder = self.resources.setup, shlex.quote(str(self.paths.slurm))
        prelude = fill(bash.RUN, setup=setup, slurm=folder, id=job)
        commands = {"command": quoted(command), "indented": quoted(command, 8 * " ")}
        return prelude + fill(text, name=self.name, id=job, **commands, **more)

    def _head(
        self, about: str, role: str, cpus: int, array: str = "", keep: bool = True
    ) -> str:
        """What it is, and what it asks SLURM for; `cpus` are per task.

        A job to `keep` is run again after preemption, and warned before its time limit.
        """
        asked, folder = self.resources, str(self.paths.logs).replace("%", "%%")
        output = f"{folder}/{role}-{'%A_%a' if array else '%j'}{LOG}"
        if "\\" in output:  # would keep SLURM from filling in %j
            raise _unfit(output, "\\")
        options = [f"array={array}"] if array else []
        options += ["ntasks=1", f"cpus-per-task={cpus}"]
        if asked.partition is not None:
            options.append(f"partition={directive(asked.partition)}")
        if keep:
            before, limit = WARNING_SECONDS, []
            if asked.time is not None:
                before = max(5, min(before, seconds_of(asked.time) // 3))
                limit = [f"time={asked.time}"]
            options += ["requeue", f"signal=B:USR1@{before}", *limit]
        else:
            options.append("time=5")
        lines = [f"#SBATCH --{option}" for option in options]
        return HEAD.format(
            about="\n".join(f"# {line}".rstrip() for line in about.splitlines()),
            name=f"{self.name}-{role}",
            folder=directive(Path.cwd()),
            output=directive(output),
            options="\n".join([*lines, *(f"#SBATCH {o}" for o in asked.sbatch)]),
        )

    def master(self, command: Sequence[str], n_workers: int) -> str:
        """The job that runs BOHB; `n_workers` are to be there when it starts again."""
        about = (
            f"BOHB master of {self.paths.root}:\n"
            "proposes configurations, hands them to workers.\n"
            "Edit as you like. To submit the run again:\n"
            "    python -m se_hpo.slurm with the same options, or, with these files,\n"
            "    sbatch master.sbatch; sbatch workers.sbatch"
        )
        text, n = self._head(about, "master", cpus=1), str(n_workers)
        return text + self._body(bash.MASTER, command, bash.JOB, n_workers=n)

    def workers(self, command: Sequence[str], n: int) -> str:
        """The job array of workers."""
        about = (
            f"BOHB workers of {self.paths.root}: each evaluates one trial at a time.\n"
            "Start and end them whenever you like; they find the master by themselves."
        )
        cpus, array = self.resources.cpus_per_task, f"0-{n - 1}"
        text = self._head(about, "worker", cpus, array)
        return text + self._body(bash.WORKER, command, bash.TASK)

    def cleanup(self) -> str:
        """The job that ends the workers of a master that could not do so itself."""
        about = (
            f"Ends the workers of {self.paths.root} after a master that could not (its "
            "node\ndied, say). Waits for the master's end, takes a second."
        )
        text = self._head(about, "cleanup", cpus=1, keep=False)
        return text + fill(bash.CLEANUP, name=self.name)

    def shards(self, about: str, role: str, command: Sequence[str], array: str) -> str:
        """A job array whose tasks share the work of one command."""
        text = self._head(about, role, self.resources.cpus_per_task, array)
        return text + self._body(bash.SHARD, command, bash.TASK)
