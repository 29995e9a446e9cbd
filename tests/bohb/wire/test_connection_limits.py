"""A crowd without the key at the ports of a run that is going: it goes on."""

from __future__ import annotations

import json
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from se_hpo.bohb.wire import connection_limits, pyro
from se_hpo.bohb.wire.credentials import new_key, read_credentials
from se_hpo.storage.paths import RunPaths
from tests.helpers.bohb_processes import (
    ROOT,
    ended,
    loss_of,
    master_process,
    output,
    wait_for,
    worker_process,
)
from tests.helpers.floods import LARGE
from tests.helpers.ports import listening

FLOOD_SECONDS = 12.0
FEW_FILES = 400
"""As on a cluster whose administrator is stingy: less than the crowd could use up."""


def open_files(pid):
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except FileNotFoundError:  # it has ended
        return 0


def flood_process(addresses, seconds=FLOOD_SECONDS):
    command = [sys.executable, "-m", "tests.helpers.floods", str(seconds), *addresses]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_run_under_a_flood_of_unauthenticated_ends_as_if_there_were_none(tmp_path):
    run = RunPaths(tmp_path)
    master = master_process(tmp_path, "--parallel", "2", "--brackets", "6")
    resource.prlimit(master.pid, resource.RLIMIT_NOFILE, (FEW_FILES, FEW_FILES))
    workers = [worker_process(tmp_path, "slow") for _ in range(2)]
    with ended(master, *workers):
        wait_for(lambda: run.results.exists() and run.results.read_text())
        wait_for(lambda: all(listening(worker.pid) for worker in workers))
        ports = [listening(process.pid) for process in (master, *workers)]
        assert [len(each) for each in ports] == [2, 1, 1]
        assert all(port.startswith("127.0.0.1:") for each in ports for port in each)
        credentials = read_credentials(run.credentials)
        assert f"{credentials.host}:{credentials.port}" in ports[0]
        before = results_of(run)
        flooding = flood_process([port for each in ports for port in each])
        most_files = 0
        with ended(flooding):
            while flooding.poll() is None and master.poll() is None:
                most_files = max(most_files, open_files(master.pid))
                time.sleep(0.1)
            during = results_of(run)
            assert int(output(flooding).split()[0]) > 1000, "it was a flood"
        text = output(master)
        lost = [line for line in text.splitlines() if "is queued again" in line]
    assert len(during) > len(before) + 10, "work went on meanwhile"
    assert master.returncode == 0, text
    assert not lost, lost
    assert most_files < FEW_FILES - 50
    assert "connections to 127.0.0.1" in text, "and somebody is told"
    assert len(text) < 20_000, "but not of each"
    results = results_of(run)
    assert len(results) == len({(tuple(r[0]), r[1]) for r in results}) == 40
    for _, budget, _, result, _ in results:
        assert result["loss"] == loss_of(result["config"], budget)


def results_of(run):
    return [json.loads(line) for line in run.results.read_text().splitlines()]


@pytest.fixture
def daemon():
    made = pyro.KeyedDaemon(new_key(), "127.0.0.1")
    made.serve_in_thread("test")
    yield made
    made.stop()


def knock(daemon, text=b""):
    host, _, port = daemon.locationStr.rpartition(":")
    sock = socket.create_connection((host, int(port)), 5)
    sock.sendall(text)
    return sock


def test_of_too_many_strangers_the_oldest_has_to_go(daemon, monkeypatch):
    monkeypatch.setattr(connection_limits, "MAX_UNAUTHENTICATED", 3)
    crowd = [knock(daemon) for _ in range(3)]
    wait_for(lambda: len(daemon._limits._unauthenticated) == 3)
    crowd.append(knock(daemon))
    assert crowd[0].recv(1) == b""
    with pyro.keyed_proxy(uri(daemon), daemon._pyroHmacKey.decode()) as proxy:
        proxy._pyroBind()  # and who has the key comes in
    for sock in crowd:
        sock.close()


def test_a_stranger_who_drips_is_sent_away_in_time(daemon, monkeypatch):
    monkeypatch.setattr(
        connection_limits.ConnectionLimits.send_away, "__defaults__", (1.0,)
    )
    sock = knock(daemon, b"P")
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() < began + 10:
            time.sleep(0.1)
            sock.sendall(b"Y")
    assert time.monotonic() - began < 5
    sock.close()


def test_a_long_first_message_is_not_read(daemon):
    sock = knock(daemon, LARGE)
    assert b"too long for a greeting" in sock.recv(1000)
    sock.close()


def test_the_last_word_of_pyro_s_log_is_not_had_by_unauthenticated(daemon, caplog):
    for text in (b"\0" * 100, b"PYRO" + b"\xff" * 60):
        sock = knock(daemon, text)
        while sock.recv(1000):
            pass
        sock.close()
    assert not [r for r in caplog.records if r.name.startswith("Pyro4")]


def uri(daemon):
    return f"PYRO:Pyro.Daemon@{daemon.locationStr}"
