"""Under SLURM: whether another node reaches the nameserver, and sees the same files."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from se_hpo.doctor.finding import Finding, error, ok, warning
from se_hpo.doctor.network import judged, read_report
from se_hpo.doctor.scratch import Scratch
from se_hpo.errors import UserError
from se_hpo.machine import slurm_queue
from se_hpo.machine.addresses import in_slurm_job
from se_hpo.text import command_line

ALLOCATE_SECONDS = 20
"""How long to wait for a node."""
ANSWER_SECONDS = 60.0
"""How long to wait for its answer, in all."""
_ON_NODES = (
    "masters run on nodes, which may reach each other: srun python -m se_hpo.doctor "
    "tells; if not, --nic (ip -br addr)"
)
_FREE = ("idle", "mix", "mixed")
_OF_JOBS = (
    *("SLURM_JOB", "SLURM_ARRAY", "SLURM_STEP", "SLURM_NODE", "SLURM_TASK"),
    *("SLURM_NTASKS", "SLURM_NNODES", "SLURM_CPUS", "SLURM_MEM", "SLURM_NPROCS"),
)


@dataclass(frozen=True)
class Request:
    """What to ask SLURM for; as for a run."""

    partition: str | None = None
    setup: str = ""
    """Shell commands before Python starts there."""
    sbatch: tuple[str, ...] = ()
    """More options: an account."""


def has_slurm() -> bool:
    """Whether jobs can be submitted from here."""
    return all(shutil.which(name) for name in ("sbatch", "srun", "sinfo"))


def check(scratch: Scratch, request: Request) -> Iterator[Finding]:
    """Ask a node that is not this one, if there is one with room."""
    answer = _nodes(request)
    if isinstance(answer, str):
        yield warning("SLURM", f"does not answer: {answer}", "try sinfo")
        return
    if not answer:
        where = repr(request.partition) if request.partition else "the cluster"
        yield warning("SLURM", f"no node in {where}", "see sinfo for --partition")
        return
    here = _this_node()
    others = {name: state for name, state in answer.items() if name not in here}
    free = [name for name, state in others.items() if state in _FREE]
    yield ok("SLURM", f"{len(answer)} nodes, {len(free)} others with room now")
    if not others:
        value = "this cluster has no node but this one: nothing to reach"
        mend = "none is needed on one machine"
    elif not free:
        value = "none has room now: not known whether one reaches the nameserver"
        mend = "run the doctor again later"
    elif scratch.problem is not None:
        value, mend = "not asked: the folder cannot be written to", "mend that first"
    else:
        yield from _ask(scratch, request, [name for name in here if name in answer])
        return
    yield warning("second node", value, mend)


def _nodes(request: Request) -> dict[str, str] | str:
    """State of each node by name; what SLURM said instead if it does not answer."""
    command = ["sinfo", "-h", "-N", "-o", "%N %t"]
    if request.partition is not None:
        command.append(f"--partition={request.partition}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired:
        return "sinfo took longer than 30 s"
    if done.returncode != 0:
        return command_line(done.stderr, "nothing")
    pairs = map(str.split, done.stdout.splitlines())
    return {name: re.sub(r"\W", "", state) for name, state in pairs}


def _this_node() -> list[str]:
    """Names that SLURM may have for this machine."""
    names = {os.environ.get("SLURMD_NODENAME", ""), socket.gethostname()}
    return sorted((names | {name.partition(".")[0] for name in names}) - {""})


def _ask(
    scratch: Scratch, request: Request, without: Sequence[str]
) -> Iterator[Finding]:
    name = f"se_hpo-doctor-{socket.gethostname()}-{os.getpid()}"
    command = _command(scratch.path, request, without, name)
    pipes: Any = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    pipes |= {"stdin": subprocess.DEVNULL, "text": True}
    process = subprocess.Popen(command, env=_outside_of_jobs(), **pipes)
    try:
        out, err = process.communicate(timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        value = f"no answer in {ANSWER_SECONDS:.0f} s"
        yield warning("second node", value, "run the doctor again later")
        return
    finally:
        if process.poll() is None:
            _give_up(process, name)
    report = read_report(out)
    if report is None:
        yield _no_answer(err)
        return
    yield ok("second node", f"{report.host} runs {sys.executable}")
    yield from map(_from_login_node, judged(report, report.host, scratch))


def _command(
    folder: Path, request: Request, without: Sequence[str], name: str
) -> list[str]:
    command = ["srun", "--nodes=1", "--ntasks=1", "--time=2", f"--job-name={name}"]
    command += [f"--immediate={ALLOCATE_SECONDS}", f"--chdir={Path.cwd()}"]
    if without:
        command.append(f"--exclude={','.join(without)}")
    if request.partition is not None:
        command.append(f"--partition={request.partition}")
    command += [word for text in request.sbatch for word in shlex.split(text)]
    probe = [sys.executable, "-m", "se_hpo.doctor.probe", str(folder)]
    if request.setup:
        return [*command, "bash", "-c", f'{request.setup}\nexec "$@"', "bash", *probe]
    return [*command, *probe]


def _outside_of_jobs() -> dict[str, str]:
    """The environment without the job we are in, which has no other node."""
    return {k: v for k, v in os.environ.items() if not k.startswith(_OF_JOBS)}


def _give_up(process: subprocess.Popen[str], name: str) -> None:
    """End srun and its job."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(UserError):  # it ends by its time limit of two minutes
        slurm_queue.cancel([name])


def _no_answer(text: str) -> Finding:
    """Why the probe said nothing."""
    said = command_line(text, "nothing")
    if "exited with exit code" in text.lower() or "execve" in text:
        mend = "install on a file system that all nodes share, or give --setup"
        return error("second node", f"Python does not run there: {said}", mend)
    if "immediate" in text.lower() or "allocation" in text.lower():
        mend = "run the doctor again later, or give --partition"
        return warning("second node", f"SLURM gives none now: {said}", mend)
    mend = 'give what your cluster asks for: --partition cpu --sbatch "--account=x"'
    return warning("second node", f"srun: {said}", mend)


def _from_login_node(finding: Finding) -> Finding:
    """A login node that nodes do not reach is no fault: masters run on nodes."""
    if finding.what != "nameserver" or finding.level != "error" or in_slurm_job():
        return finding
    return warning(finding.what, finding.value, _ON_NODES)
