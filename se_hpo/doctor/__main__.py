"""`python -m se_hpo.doctor [--run DIR]`: does all work here, and what to mend.

`--reward-network FILE`: what holds for a reward network.
"""

from __future__ import annotations

import sys

from se_hpo.doctor.options import DoctorOptions
from se_hpo.terminal.cli import exit_with, log_to_stderr, parsed
from se_hpo.terminal.flags import joined

if __name__ == "__main__":  # the rest takes a second, which flags need not wait for
    sys.argv[1:] = joined(sys.argv[1:])
    OPTIONS = parsed(DoctorOptions)

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from se_hpo.doctor import (
    checked_folder,
    checked_machine,
    network,
    nodes,
    run_state,
    trial,
)
from se_hpo.doctor.checked_reward import check_reward_network
from se_hpo.doctor.finding import Finding, error, ok, refused, safely
from se_hpo.doctor.scratch import Scratch
from se_hpo.errors import UserError
from se_hpo.machine.addresses import in_slurm_job
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.flags import joined

_STYLE = {"ok": "green", "warning": "yellow", "error": "red"}


def main(options: DoctorOptions) -> int:
    """Print a line per check; exit code 1 if one is an error."""
    log_to_stderr(logging.ERROR)
    console = Console(highlight=False)
    count: Counter[str] = Counter()
    for finding in examine(options):
        count[finding.level] += 1
        line = Text(f"{finding.level:<7} ", style=_STYLE[finding.level])
        line.append(f"{finding.what}: {finding.value}", style="default")
        console.print(line, soft_wrap=True)
        if finding.mend:
            console.print(Text(f"        -> {finding.mend}"), soft_wrap=True)
    console.print(f"{count['error']} errors, {count['warning']} warnings")
    return 1 if count["error"] else 0


def examine(options: DoctorOptions) -> Iterator[Finding]:
    """Everything, the quick things first; of a reward network only that."""
    if options.reward_network is not None:
        yield from check_reward_network(options.reward_network)
        return
    yield from checked_machine.check()
    wanted = options.run or Path("results")
    try:
        scratch = Scratch(wanted)
        with scratch:
            yield from safely("folder", lambda: checked_folder.check(scratch))
            yield from safely("nameserver", lambda: _others(scratch, options))
            yield from safely("one generation", lambda: trial.check(scratch))
    except OSError as problem:  # neither there nor in /tmp
        yield refused("folder", problem)
    run = RunPaths(wanted)
    is_run = any(path.exists() for path in (run.run, run.lock, run.credentials))
    if options.run is not None and is_run:
        yield from run_state.check(run)


def _others(scratch: Scratch, options: DoctorOptions) -> Iterator[Finding]:
    """What a second process and a second node see of a nameserver and of files."""
    slurm = nodes.has_slurm()
    distributed = slurm or in_slurm_job()
    server = None
    try:
        host = network.chosen_host(options.host, options.nic, distributed)
        yield from network.address(host, options.nic, distributed)
        server = network.start_nameserver(scratch, host)
    except UserError as problem:
        mend = "choose another with --nic (ip -br addr) or --host"
        yield error("address", str(problem), mend)
    try:
        scratch.lock()
        yield from safely("second process", lambda: network.second_process(scratch))
        if slurm:
            request = nodes.Request(options.partition, options.setup, options.sbatch)
            yield from safely("second node", lambda: nodes.check(scratch, request))
        else:
            yield ok("SLURM", "none here: runs are of this machine")
    finally:
        if server is not None:
            server.shutdown()


if __name__ == "__main__":
    exit_with(lambda: main(OPTIONS))
