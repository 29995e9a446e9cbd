"""The published address: what other nodes reach, never loopback across hosts."""

import socket
from pathlib import Path

import pytest

from se_hpo.errors import UserError
from se_hpo.machine import addresses
from se_hpo.machine.addresses import interfaces, nic_address, node_host, published_host
from se_hpo.optimize.worker import WorkerOptions, _host


@pytest.fixture
def in_a_job(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("SLURMD_NODENAME", "node7")


def named(monkeypatch, name, address):
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(socket, "gethostbyname", lambda _name: address)
    monkeypatch.setattr(addresses, "_whole_cluster_is_here", lambda: False)


def test_the_loopback_interface_is_found_by_its_name():
    assert interfaces()["lo"] == nic_address("lo") == "127.0.0.1"
    assert published_host(None, "lo", distributed=True) == "127.0.0.1"


def test_an_unknown_interface_is_named_with_those_there_are():
    with pytest.raises(UserError, match=r"--nic ib9: no interface .* known: .*lo"):
        nic_address("ib9")


def test_host_and_nic_exclude_each_other():
    with pytest.raises(UserError, match="give one of them"):
        published_host("node1", "lo", distributed=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_nobody_listens_on_all_addresses(host, in_a_job):
    with pytest.raises(UserError, match="the one address that others reach"):
        published_host(host, None, distributed=True)
    with pytest.raises(UserError, match="the one address"):
        _host(WorkerOptions(Path(), host=host))


def test_outside_a_job_the_default_is_loopback(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert published_host(None, None, distributed=True) == "127.0.0.1"


def test_in_a_job_only_a_distributed_process_is_published(in_a_job, monkeypatch):
    named(monkeypatch, "node7", "10.0.0.7")
    assert published_host(None, None, distributed=False) == "127.0.0.1"
    assert published_host(None, None, distributed=True) == "node7"
    assert published_host("other", None, distributed=True) == "other"


def test_a_name_that_leads_to_the_node_itself_is_replaced_by_an_address(
    in_a_job, monkeypatch
):
    named(monkeypatch, "node7", "127.0.1.1")
    monkeypatch.setattr(addresses, "_outward_address", lambda: "10.0.0.7")
    assert node_host() == "10.0.0.7"
    monkeypatch.setattr(addresses, "_outward_address", lambda: None)
    with pytest.raises(UserError, match=r"node7, leads nowhere .* --nic"):
        node_host()


def test_a_worker_in_a_job_listens_where_the_node_is_reached(in_a_job, monkeypatch):
    named(monkeypatch, "node7", "10.0.0.7")
    assert _host(WorkerOptions(Path())) == "node7"
    assert _host(WorkerOptions(Path(), nic="lo")) == "127.0.0.1"
    assert _host(WorkerOptions(Path(), host="other")) == "other"
    monkeypatch.delenv("SLURM_JOB_ID")
    assert _host(WorkerOptions(Path())) is None, "the interface towards the master"


def test_a_cluster_of_one_machine_may_use_loopback_names(in_a_job, monkeypatch):
    named(monkeypatch, "node7", "127.0.0.1")
    monkeypatch.setattr(addresses, "_whole_cluster_is_here", lambda: True)
    assert node_host() == "node7"
