"""The sbatch scripts of a run: plain bash, to be read, edited and submitted again."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.errors import UserError
from se_hpo.slurm import bash
from se_hpo.storage.paths import LOG, RunPaths

WARNING_SECONDS = 60
"""How long before the time limit SLURM sends USR1."""
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
    """Seconds of a time limit as SLURM writes it.

    >>> [seconds_of(t) for t in ("90", "5:30", "2:00:00", "1-12", "1-00:30")]
    [5400, 330, 7200, 129600, 88200]

    Raises:
        UserError: it is none.
    """
    match = _TIME.fullmatch(time.strip())
    if match is None:
        raise UserError(
            f"--time {time}: write minutes, hours:minutes:seconds, days-hours or "
            "days-hours:minutes, such as 1-00:00 for a day"
        )
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
        lines[-1].append(_quote(word))
    return f" \\\n{indent}".join(" ".join(line) for line in lines)


def _quote(word: str) -> str:
    """As the shell needs it; `"${NAME}..."` is the script's own and stays."""
    own = word.startswith('"${') and word.endswith('"')
    return word if own else shlex.quote(word)


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


def head(
    about: str,
    name: str,
    output: Path,
    resources: Resources,
    cpus: int,
    array: str | None = None,
    keep: bool = True,
) -> str:
    """The head of a script: what it is (`about`), and what it asks SLURM for.

    `cpus` are per task; a job to `keep` is run again after preemption, and warned
    before its time limit.
    """
    options = [] if array is None else [f"array={array}"]
    options += ["ntasks=1", f"cpus-per-task={cpus}"]
    if resources.partition is not None:
        options.append(f"partition={directive(resources.partition)}")
    if keep:
        options += ["requeue", f"signal=B:USR1@{_warning(resources.time)}"]
        if resources.time is not None:
            options.append(f"time={resources.time}")
    else:
        options.append("time=5")
    lines = [f"#SBATCH --{option}" for option in options]
    lines += [f"#SBATCH {option}" for option in resources.sbatch]
    return HEAD.format(
        about="\n".join(f"# {line}".rstrip() for line in about.splitlines()),
        name=name,
        folder=directive(Path.cwd()),
        output=_output(output),
        options="\n".join(lines),
    )


def directive(value: object) -> str:
    r"""A value on an #SBATCH line, quoted where sbatch would read something else.

    >>> print(directive("/runs/a"), directive("/runs/run#1"), directive('a "b"'))
    /runs/a "/runs/run#1" "a \"b\""

    Raises:
        UserError: it has a character that no #SBATCH line can have.
    """
    text = str(value)
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise _unfit(text, character)
    if text and text[0] != ":" and not re.search(r"[\s\"'#\\]", text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _output(pattern: Path) -> str:
    """A file of output; a backslash in it would keep SLURM from filling in %j."""
    if "\\" in str(pattern):
        raise _unfit(str(pattern), "\\")
    return directive(pattern)


def _unfit(text: str, character: str) -> UserError:
    return UserError(
        f"{text!r}: sbatch cannot read the character {character!r}: choose another name"
    )


def _warning(time: str | None) -> int:
    """A minute, less for jobs of a few minutes."""
    if time is None:
        return WARNING_SECONDS
    return max(5, min(WARNING_SECONDS, seconds_of(time) // 3))


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

    def _head(self, about: str, role: str, log: str, **more: Any) -> str:
        output = Path(str(self.paths.logs).replace("%", "%%")) / f"{log}{LOG}"
        name = f"{self.name}-{role}"
        return head(about, name, output, self.resources, **more)

    def master(self, command: Sequence[str], n_workers: int) -> str:
        """The job that runs BOHB; `n_workers` are to be there when it starts again."""
        about = (
            f"BOHB master of {self.paths.root}:\n"
            "proposes configurations, hands them to workers.\n"
            "Edit as you like. To submit the run again:\n"
            "    python -m se_hpo.slurm with the same options, or, with these files,\n"
            "    sbatch master.sbatch; sbatch workers.sbatch"
        )
        text, n = self._head(about, "master", "master-%j", cpus=1), str(n_workers)
        return text + self._body(bash.MASTER, command, bash.JOB, n_workers=n)

    def workers(self, command: Sequence[str], n: int) -> str:
        """The job array of workers."""
        about = (
            f"BOHB workers of {self.paths.root}: each evaluates one trial at a time.\n"
            "Start and end them whenever you like; they find the master by themselves."
        )
        cpus, array = self.resources.cpus_per_task, f"0-{n - 1}"
        text = self._head(about, "worker", "worker-%A_%a", cpus=cpus, array=array)
        return text + self._body(bash.WORKER, command, bash.TASK)

    def cleanup(self) -> str:
        """The job that ends the workers of a master that could not do so itself."""
        about = (
            f"Ends the workers of {self.paths.root} after a master that could not (its "
            "node\ndied, say). Waits for the master's end, takes a second."
        )
        text = self._head(about, "cleanup", "cleanup-%j", cpus=1, keep=False)
        return text + fill(bash.CLEANUP, name=self.name)

    def shards(self, about: str, role: str, command: Sequence[str], array: str) -> str:
        """A job array whose tasks share the work of one command."""
        cpus = self.resources.cpus_per_task
        text = self._head(about, role, f"{role}-%A_%a", cpus=cpus, array=array)
        return text + self._body(bash.SHARD, command, bash.TASK)
