"""Nobody without the key, and no pickle from anybody; only where a run was told to."""

from __future__ import annotations

import contextlib
import os
import pickle
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import Pyro4
import pytest
from Pyro4 import message

from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import read_credentials
from se_hpo.bohb.wire.master_connection import address_towards_master
from se_hpo.storage.paths import RunPaths
from tests.helpers.bohb_processes import (
    ROOT,
    ended,
    master_in_thread,
    wait_for,
    worker_process,
)
from tests.helpers.ports import hosts, listening

PICKLE = Pyro4.util.PickleSerializer.serializer_id
PICKLE_STARTS = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.fixture
def running(tmp_path):
    """A master with a busy worker, and the addresses of all three ports."""
    worker = worker_process(tmp_path, "endless")
    with ended(worker), master_in_thread(tmp_path) as master:
        wait_for(master.running)
        (pool_worker,) = master.master.dispatcher.roster.workers.values()
        credentials = read_credentials(master.run.credentials)
        uris = (
            f"PYRO:Pyro.NameServer@{credentials.host}:{credentials.port}",
            master.master.dispatcher.uri,
            pool_worker.uri,
        )
        yield uris, credentials.key, tmp_path
        (running,) = master.running()
        assert running["trial"] == "000-0-000", "undisturbed"
        assert running["pid"] == worker.pid and not master.results


def connect(uri):
    host, _, port = uri.rpartition("@")[2].rpartition(":")
    return socket.create_connection((host, int(port)), 5)


def say(sock, kind, data, key, serializer=PICKLE):
    sent = message.Message(
        kind, data, serializer, 0, 0, annotations={}, hmac_key=key and key.encode()
    )
    sock.sendall(sent.to_bytes())


@pytest.mark.parametrize("target", [0, 1, 2], ids=["names", "dispatcher", "worker"])
@pytest.mark.parametrize("who", ["nobody", "wrong key", "right key"])
def test_a_pickle_is_loaded_from_nobody_neither_as_greeting_nor_as_call(
    running, target, who
):
    uris, key, folder = running
    used = {"nobody": None, "wrong key": "00" * 32, "right key": key}[who]
    bomb = pickle.dumps(Bomb(folder / "owned"))
    with connect(uris[target]) as sock:
        say(sock, message.MSG_CONNECT, bomb, used)
        assert answer(sock)
    with connect(uris[target]) as sock:
        say(sock, message.MSG_INVOKE, bomb, used)
        answer(sock)
    if who == "right key":
        call_with_pickle(uris[target], key, bomb)
    time.sleep(0.2)
    assert not (folder / "owned").exists()


def call_with_pickle(uri, key, bomb):
    """Greet properly, then call with a pickle."""
    with pyro.keyed_proxy(uri, key) as proxy:
        proxy._pyroBind()
        sock = proxy._pyroConnection.sock
        say(sock, message.MSG_INVOKE, bomb, key)
        assert answer(sock)


def answer(sock):
    try:
        return sock.recv(10_000)
    except ConnectionError:
        return b"hung up"


def test_the_bomb_of_these_tests_is_one(tmp_path):
    pickle.loads(pickle.dumps(Bomb(tmp_path / "owned")))
    assert (tmp_path / "owned").exists()


def test_every_start_of_a_master_has_a_key_of_its_own(tmp_path):
    keys = set()
    for _ in range(2):
        with master_in_thread(tmp_path) as master:
            found = read_credentials(master.run.credentials)
            assert master.run.credentials.stat().st_mode & 0o777 == 0o600
            assert len(bytes.fromhex(found.key)) == 32
            keys.add(found.key)
    assert len(keys) == 2


def test_master_and_worker_listen_on_the_chosen_address_and_on_no_other(tmp_path):
    worker = worker_process(tmp_path, "endless")
    before = set(listening(os.getpid()))
    with ended(worker), master_in_thread(tmp_path, host="127.0.0.2") as master:
        wait_for(master.running)
        ours = set(listening(os.getpid())) - before
        theirs = set(listening(worker.pid))
        assert (len(ours), len(theirs)) == (2, 1), (ours, theirs)
        for where in ours | theirs:
            host, _, port = where.rpartition(":")
            assert host == "127.0.0.2"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", int(port)), 2)
        found = read_credentials(master.run.credentials)
        assert address_towards_master(found) == "127.0.0.2"


def test_a_local_run_listens_on_loopback_and_leaves_no_pickle(tmp_path):
    run = RunPaths(tmp_path / "run")
    command = [sys.executable, "-m", "se_hpo.optimize", "--space", "smoke", "--quiet"]
    command += ["--run", str(run.root), "--n-brackets", "40"]
    master = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with ended(master):
        wait_for(lambda: run.results.exists() and run.results.read_text(), 120)
        assert hosts(master.pid) == {"127.0.0.1"}
        (child,) = children(master.pid)
        assert hosts(child) == {"127.0.0.1"}
        there = [path for path in run.root.rglob("*") if path.is_file()]
        assert run.credentials in there and run.results in there
        for path in there:
            assert path.suffix not in (".pkl", ".pickle", ".pt", ".pth"), path
            with contextlib.suppress(FileNotFoundError):  # renamed by the live run
                assert not path.read_bytes().startswith(PICKLE_STARTS), path
        master.terminate()
        assert master.wait(60) == 143
    assert not run.credentials.exists()


def children(pid):
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]


@pytest.mark.parametrize("name", ["spaces", "cluster", "optimize"])
def test_the_docs_say_that_a_space_is_code(name):
    text = (ROOT / "docs" / f"{name}.md").read_text()
    words = " ".join(text.lower().replace("*", "").split())
    assert re.search(
        r"(space file is|space is a python file .*? it is) (python )?code", words
    )
