"""The doctor on a real SLURM: does another node reach a master here?"""

import subprocess
import sys

import pytest

from se_hpo.doctor import __main__ as doctor
from se_hpo.doctor import nodes
from se_hpo.doctor.nodes import Request
from se_hpo.doctor.scratch import Scratch
from tests.helpers.places import ROOT
from tests.helpers.slurm_cluster import wait_until
from tests.helpers.slurm_runs import PATIENCE

real = [pytest.mark.slurm, pytest.mark.timeout(600)]


def on_a_cluster(test):
    """It needs a real SLURM."""
    for mark in real:
        test = mark(test)
    return test


@pytest.fixture
def asked(cluster, tmp_path, monkeypatch):
    """Findings about the second node, with a nameserver at an interface of ours."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(nodes, "ALLOCATE_SECONDS", 60)
    monkeypatch.setattr(nodes, "ANSWER_SECONDS", PATIENCE)

    def ask(request=Request(), nic=None, **changes):  # noqa: B008 - frozen
        options = doctor.DoctorOptions(tmp_path, nic=nic)
        found = {}
        with Scratch(tmp_path) as scratch:
            server = None
            if changes.get("serve", True):
                host = doctor.network.chosen_host(None, options.nic, True)
                server = doctor.network.start_nameserver(scratch, host)
            scratch.lock()
            try:
                for each in nodes.check(scratch, request):
                    found[each.what] = each
            finally:
                if server is not None:
                    server.shutdown()
        return found

    return ask


@on_a_cluster
def test_a_second_node_reaches_the_nameserver_and_sees_the_same_files(cluster, asked):
    found = asked()
    host = cluster.nodes[0] if cluster.own_names else cluster.host
    assert found["second node"].value.startswith(host)
    assert {each.level for each in found.values()} == {"ok"}, found
    expected = {"SLURM", "second node", "nameserver", "rename and append"}
    assert expected | {"file locks", "clock"} == set(found)
    assert not cluster.queue()


@on_a_cluster
def test_the_command_asks_a_node_by_itself_and_with_the_flags_of_a_launch(
    cluster, tmp_path
):
    command = [sys.executable, "-m", "se_hpo.doctor", "--run", str(tmp_path)]
    command += ["--partition", "urgent", "--sbatch", "--comment='a b'"]
    command += ["--setup", "export SLURM_SETUP=1", "--nic", "lo"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok      SLURM: 3 nodes, " in done.stdout
    assert "ok      address: 127.0.0.1 (--nic lo;" in done.stdout
    assert "ok      second node: " in done.stdout, done.stdout
    assert done.stdout.count("ok      nameserver: ") == 2


@on_a_cluster
def test_inside_a_job_another_node_than_its_own_is_asked(cluster, tmp_path):
    probe = ["python", "-m", "se_hpo.doctor", "--run"]
    words = [
        "srun",
        "-N1",
        f"--chdir={ROOT}",
        sys.executable,
        *probe[1:],
        str(tmp_path),
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    hosts = cluster.nodes if cluster.own_names else [cluster.host]
    (line,) = [x for x in done.stdout.splitlines() if "  address: " in x]
    assert line.split()[2] in hosts, "as a master in this job would publish"
    (line,) = [x for x in done.stdout.splitlines() if "  second node: " in x]
    assert line.split()[3] in hosts
    if cluster.own_names:
        assert line.split()[3] != cluster.nodes[0], "the job's own"
    assert done.stdout.count("ok      nameserver: ") == 2


@on_a_cluster
def test_what_may_be_wrong_with_a_second_node_has_its_mend(cluster, asked, tmp_path):
    found = asked(Request(partition="nowhere"))
    assert found["SLURM"].value == "no node in 'nowhere'"
    found = asked(Request(sbatch=("--mem=999G",)))["second node"]
    assert found.level == "warning"
    assert "--sbatch" in found.mend or "--partition" in found.mend
    found = asked(Request(setup="exit 3"))["second node"]
    assert found.level == "error", found
    assert "--setup" in found.mend
    found = asked(serve=False)["nameserver"]
    assert found.level == "warning", "this is no node: masters do not run here"
    assert "srun python -m se_hpo.doctor" in found.mend


@on_a_cluster
def test_where_no_node_has_room_it_is_not_known(cluster, asked):
    wrap = ["sbatch", "--parsable", "--exclusive", "--array=1-3", "--wrap", "sleep 600"]
    cluster.run(*wrap)
    wait_until(
        lambda: [job["state"] for job in cluster.queue()] == 3 * ["RUNNING"], PATIENCE
    )
    found = asked()
    assert found["second node"].level == "warning"
    assert "not known" in found["second node"].value
    assert len(cluster.queue()) == 3, "and nothing is left waiting"


# -- without a cluster ----------------------------------------------------------------


def told(nodes_found, monkeypatch, tmp_path):
    monkeypatch.setattr(nodes, "_nodes", lambda request: nodes_found)
    monkeypatch.setattr(nodes, "_this_node", lambda: ["node1"])
    with Scratch(tmp_path) as scratch:
        return {each.what: each for each in nodes.check(scratch, Request())}


def test_a_cluster_of_one_node_has_no_other(monkeypatch, tmp_path):
    found = told({"node1": "idle"}, monkeypatch, tmp_path)["second node"]
    assert found.level == "warning"
    assert "no node but this one" in found.value


def test_a_slurm_that_does_not_answer_is_a_warning(monkeypatch, tmp_path):
    found = told("Unable to contact slurm controller", monkeypatch, tmp_path)["SLURM"]
    assert (found.level, found.mend) == ("warning", "try sinfo")


def test_a_folder_that_takes_nothing_is_mended_first(monkeypatch, tmp_path):
    path = tmp_path / "run"
    path.touch()
    states = {"node1": "idle", "node2": "idle"}
    found = told(states, monkeypatch, path)["second node"]
    assert "not asked" in found.value


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("srun: error: Unable to allocate resources: Immediate execution", "warning"),
        ("srun: error: Invalid account or account/partition", "warning"),
        ("srun: error: node2: task 0: Exited with exit code 1", "error"),
        ("slurmstepd: error: execve(): /x/python: No such file", "error"),
    ],
)
def test_why_a_node_gives_no_answer(said, level):
    finding = nodes._no_answer(said)
    assert finding.level == level
    assert finding.mend


def test_a_step_is_taken_outside_of_the_job_we_are_in(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    environment = nodes._outside_of_jobs()
    assert "SLURM_JOB_ID" not in environment
    assert environment["SLURM_CONF"] == "/etc/slurm.conf"


def test_a_node_that_does_not_answer_is_given_up_and_its_job_cancelled(
    monkeypatch, tmp_path
):
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text("#!/bin/sh\nexec sleep 60\n")
    srun.chmod(0o755)
    cancelled = []
    monkeypatch.setenv("PATH", f"{srun.parent}:/bin:/usr/bin")
    monkeypatch.setattr(nodes, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(nodes.slurm_queue, "cancel", cancelled.extend)
    states = {"node1": "idle", "node2": "idle"}
    found = told(states, monkeypatch, tmp_path / "run")["second node"]
    assert found.level == "warning"
    assert "no answer in 1 s" in found.value
    assert cancelled and cancelled[0].startswith("se_hpo-doctor-")
