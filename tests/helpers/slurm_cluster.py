"""A real, throw-away SLURM on this machine: own key, own ports, loopback only.

Several slurmd play several nodes; as root each has a host name of its own. Nothing is
left when the `with` ends, and nothing of a SLURM that is already here is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
CRED_SECONDS = 5
"""A requeued job waits this long before it may start again."""

CONFIG = """\
ClusterName=sehpo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire={cred}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
PlugStackConfig={folder}/plugstack.conf
MailProg=/bin/true
# Containers have neither cgroups nor as many cores as the nodes pretend to.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
AccountingStorageType=accounting_storage/none
# Quick reactions.
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,sched_min_interval=0,bf_interval=2,batch_sched_delay=0
KillWait={kill_wait}
MinJobAge=10
CompleteWait=0
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}
PartitionName=main Nodes=ALL Default=YES DefaultTime=10 MaxTime=60 PriorityTier=1
PartitionName=urgent Nodes=ALL DefaultTime=10 MaxTime=60 PriorityTier=9 PreemptMode=OFF
"""


def missing() -> str | None:
    """Why no SLURM can be started here; None if one can."""
    absent = [p for p in PROGRAMS if shutil.which(p, path=PATH) is None]
    if absent:
        return (
            f"no {', '.join(absent)}: as root, apt-get install slurm-wlm munge "
            "(.ci/run does)"
        )
    return None


def free_ports(n: int) -> list[int]:
    """TCP ports that nobody uses."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(what: Callable[[], Any], seconds: float, message: str = "") -> Any:
    """Wait for a true value and return it."""
    deadline = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain {message}")
        time.sleep(0.1)
    return value


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _step_daemons(jobs: list[int]) -> set[int]:
    """The processes of SLURM that have started these and tell of their end."""
    found = set()
    for pid in jobs:
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{pid}/stat").read_text()
            parent = int(text.rpartition(")")[2].split()[1])
            if "slurmstepd" in Path(f"/proc/{parent}/cmdline").read_text():
                found.add(parent)
    return found


class SlurmCluster:
    """The cluster; `env` is what the commands of a user on it need.

    Args:
        nodes: how many nodes.
        cpus: what each of them pretends to have.
        kill_wait: seconds from SIGTERM to SIGKILL.
    """

    def __init__(self, nodes: int = 3, cpus: int = 4, kill_wait: int = 5) -> None:
        self.nodes = [f"node{i + 1}" for i in range(nodes)]
        self.cpus, self.kill_wait = cpus, kill_wait
        # Short, for the socket's name, and open to all, which munged insists on.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        self.conf = self.folder / "slurm.conf"
        self.env = {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.conf)}
        for name in list(self.env):  # of a job that the tests may be running in
            if name.startswith(("SLURM_JOB", "SLURM_ARRAY", "SBATCH_")):
                del self.env[name]
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.host = socket.gethostname()
        self.own_names = False
        """Whether each node has a host name of its own."""

    def __enter__(self) -> SlurmCluster:
        try:
            self._configure()
            self._start_munge()
            self._start("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
            for node in self.nodes:
                self.start_node(node)
            wait_until(self._all_idle, 60, "for idle nodes")
        except BaseException as error:
            error.add_note(self.logs())
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        with contextlib.suppress(subprocess.SubprocessError, AssertionError):
            self.end_jobs()
        for process in reversed(self._daemons.values()):
            process.terminate()
        for process in self._daemons.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in self._left_behind():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- daemons --------------------------------------------------------------

    def _configure(self) -> None:
        for name in ("state", "log", "munge", *(f"spool/{n}" for n in self.nodes)):
            (self.folder / name).mkdir(parents=True, mode=0o755)
        (self.folder / "plugstack.conf").touch()
        self.own_names = self._can_name_nodes()
        host = self.host.partition(".")[0]
        ports = free_ports(1 + len(self.nodes))
        lines = [
            f"NodeName={node} NodeHostname={node if self.own_names else host} "
            f"NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} Sockets=1 "
            f"CoresPerSocket={self.cpus} ThreadsPerCore=1 RealMemory=4000"
            for node, port in zip(self.nodes, ports[1:], strict=True)
        ]
        text = CONFIG.format(
            folder=self.folder,
            host=host,
            ports=ports,
            user=subprocess.check_output(["id", "-un"], text=True).strip(),
            cred=CRED_SECONDS,
            kill_wait=self.kill_wait,
            nodes="\n".join(lines),
        )
        self.conf.write_text(text)
        hosts = Path("/etc/hosts").read_text()
        # One address for all: srun cannot be called back on another one of loopback.
        names = "".join(f"127.0.0.1 {node}\n" for node in self.nodes)
        (self.folder / "hosts").write_text(f"{hosts}\n{names}")

    def _can_name_nodes(self) -> bool:
        command = ["unshare", "--uts", "--mount", "true"]
        with contextlib.suppress(FileNotFoundError):
            done = subprocess.run(command, capture_output=True, check=False)
            return os.geteuid() == 0 and done.returncode == 0
        return False

    def _start_munge(self) -> None:
        munge = self.folder / "munge"
        key = munge / "key"
        key.touch(0o600)
        key.write_bytes(os.urandom(1024))
        self._start(
            "munged",
            "munged",
            "--foreground",
            f"--key-file={key}",
            f"--socket={munge}/socket",
            f"--pid-file={munge}/pid",
            f"--seed-file={munge}/seed",
        )
        wait_until((munge / "socket").exists, 10, "for munged's socket")

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node."""
        command = ["slurmd", "-D", "-f", str(self.conf), "-N", node]
        if self.own_names:
            inside = 'hostname "$0"; mount --bind "$1" /etc/hosts; shift; exec "$@"'
            hosts = str(self.folder / "hosts")
            command = ["bash", "-ec", inside, node, hosts, *command]
            command = ["unshare", "--uts", "--mount", *command]
        self._start(node, *command)

    def kill_node(self, node: str) -> None:
        """A node is lost with everything on it, and SLURM is told."""
        daemon = self._daemons.pop(node)
        daemon.kill()
        daemon.wait()
        # All at one moment: a script must not live to see its command's end, nor
        # SLURM's own process to tell of the script's. So all are stopped, then killed,
        # children first.
        jobs = self._left_behind(f"SLURMD_NODENAME={node}")
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in sorted({*jobs, *_step_daemons(jobs)}, reverse=True):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")

    def revive_node(self, node: str) -> None:
        """A lost node is back."""
        self.start_node(node)
        self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.env,
                cwd="/",
                preexec_fn=_end_with_parent,
            )

    def _all_idle(self) -> bool:
        for name, process in self._daemons.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}"
        states = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%t", check=False)
        return states.split() == ["idle"] * len(self.nodes)

    def _left_behind(self, variable: str | None = None) -> list[int]:
        """Processes of jobs of this cluster, by their environment."""
        wanted = {f"SLURM_CONF={self.conf}".encode()}
        if variable is not None:
            wanted.add(variable.encode())
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if wanted <= set(path.read_bytes().split(b"\0")):
                    found.append(int(path.parent.name))
        return [pid for pid in found if pid != os.getpid()]

    # -- what a user does -----------------------------------------------------

    def run(self, *command: str, check: bool = True) -> str:
        """Output of a SLURM command."""
        done = subprocess.run(
            command,
            env=self.env,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def queue(self, *names: str) -> list[dict[str, str]]:
        """Unfinished jobs, array tasks one by one: id, name, state, node."""
        only = ["--name", ",".join(names)] if names else []
        out = self.run("squeue", "-h", "-r", "-o", "%i|%j|%T|%N", *only)
        keys = ("id", "name", "state", "node")
        return [
            dict(zip(keys, line.split("|"), strict=True)) for line in out.splitlines()
        ]

    def end_jobs(self) -> None:
        """Cancel everything and wait for the end of it."""
        ids = {job["id"] for job in self.queue()}
        if ids:
            self.run("scancel", "--full", *ids, check=False)
        wait_until(lambda: not self.queue(), 20, "for an empty queue")

    def logs(self) -> str:
        """The last lines of every daemon's log."""
        texts = []
        for path in sorted((self.folder / "log").glob("*")):
            lines = path.read_text(errors="replace").splitlines()[-8:]
            texts.append("\n".join([f"-- {path.name}", *lines]))
        return "\n".join(texts)


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[SlurmCluster]:
    """One cluster for all tests of a process."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with SlurmCluster() as made:
        yield made


@pytest.fixture
def cluster(
    running_cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlurmCluster]:
    """The cluster with an empty queue before and after, as if we were logged in."""
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, running_cluster.env[name])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield running_cluster
    running_cluster.end_jobs()
