"""The address a master would publish, and whether a second process reaches it there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from se_hpo.bohb.wire.credentials import new_key
from se_hpo.bohb.wire.nameserver import NameServer
from se_hpo.doctor.finding import Finding, error, ok, warning
from se_hpo.doctor.probe import APPENDED, RENAMED, Report, appended, clock, renamed
from se_hpo.doctor.probe import waited as waited_for
from se_hpo.doctor.scratch import Scratch
from se_hpo.machine.addresses import LOOPBACK, interfaces, node_host, published_host
from se_hpo.storage.json_records import RecordError, parsed, record
from se_hpo.storage.paths import RunPaths
from se_hpo.text import last_line

SKEW_SECONDS = 2.0
"""Clocks further apart than this make the ages that `--status` shows wrong."""
PROBE_SECONDS = 60.0
_CLOCKS = "have the clocks set (chrony, NTP): ages and durations are wrong else"
_FOLDER = "choose a folder on another file system with --run"


def chosen_host(host: str | None, nic: str | None, distributed: bool) -> str:
    """The address of a master started here; a `UserError` if others do not reach it."""
    if host is None and nic is None:
        return node_host() if distributed else LOOPBACK
    return published_host(host, nic, distributed)


def address(host: str, nic: str | None, distributed: bool) -> Iterator[Finding]:
    """Which address it is, and what others there are."""
    others = ", ".join(f"{name} {where}" for name, where in interfaces().items())
    why = f"--nic {nic}" if nic else "cluster" if distributed else "local runs"
    yield ok("address", f"{host} ({why}; interfaces: {others})")


def start_nameserver(scratch: Scratch, host: str) -> NameServer:
    """As a run has it, 0600; a `UserError` if `host` is no address of this machine."""
    path = RunPaths(scratch.path).credentials
    server = NameServer("doctor", new_key(), path, host)
    server.start()
    return server


def second_process(scratch: Scratch) -> Iterator[Finding]:
    """What another process of this machine sees."""
    command = [sys.executable, "-m", "se_hpo.doctor.probe", str(scratch.path)]
    ask: Any = {"capture_output": True, "text": True, "timeout": PROBE_SECONDS}
    try:
        done = subprocess.run(command, **ask)
    except subprocess.TimeoutExpired:
        mend = "see the load of this machine"
        yield error("second process", "no answer in a minute", mend)
        return
    report = read_report(done.stdout)
    if report is not None:
        yield from judged(report, "a second process", scratch)
    else:
        said = last_line(done.stderr, f"exit code {done.returncode}")
        yield error("second process", said, "install se-hpo again")


def read_report(text: str) -> Report | None:
    """The line of JSON among what a probe has printed."""
    for line in reversed(text.splitlines()):
        try:
            return record(Report, parsed(line))
        except RecordError:
            continue
    return None


def judged(report: Report, who: str, scratch: Scratch) -> Iterator[Finding]:
    """What a probe, called `who`, saw of the scratch folder."""
    if report.nameserver:
        mend = "choose an interface that all nodes reach with --nic (ip -br addr)"
        yield error("nameserver", f"{who} does not reach it: {report.nameserver}", mend)
    elif report.stranger:
        yield error("nameserver", report.stranger, "do not run here; report this")
    else:
        yield ok("nameserver", f"{who} reaches it with the key, and not without")
    yield from _files(report, who, scratch)
    yield from _locks(report, who)
    yield from _clock(report, who, scratch)


def _files(report: Report, who: str, scratch: Scratch) -> Iterator[Finding]:
    there = report.renamed or report.appended
    lines = ["doctor", "doctor", "probe"]
    back = waited_for(lambda: renamed(scratch.path, "probe", "probe-"))
    back = back or waited_for(lambda: appended(scratch.path, lines))
    (scratch.path / f"probe-{RENAMED}").unlink(missing_ok=True)
    ours = (scratch.path / APPENDED).read_bytes().splitlines(keepends=True)[:2]
    (scratch.path / APPENDED).write_bytes(b"".join(ours))  # for the next probe
    if there:
        yield error("rename and append", f"{who} does not see ours: {there}", _FOLDER)
    elif back:
        yield error("rename and append", f"not seen of {who}: {back}", _FOLDER)
    else:
        yield ok("rename and append", f"seen by {who}, and its own are seen here")


def _locks(report: Report, who: str) -> Iterator[Finding]:
    if report.locks == "kept":
        yield ok("file locks", f"keep {who} out")
    else:
        mend = "none is needed: masters look for signs of life instead, for ten seconds"
        yield warning("file locks", f"of no effect on {who}", mend)


def _clock(report: Report, who: str, scratch: Scratch) -> Iterator[Finding]:
    ours = clock(scratch.path)
    clocks = [("the file server", -ours)]
    if report.host != socket.gethostname():
        clocks.append((who, report.clock - ours))
    for whose, skew in clocks:
        value = f"{whose} is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}"
        if abs(skew) > SKEW_SECONDS:
            yield warning("clock", value, _CLOCKS)
        else:
            yield ok("clock", f"that of {whose} agrees with ours")
