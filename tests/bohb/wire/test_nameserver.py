"""Who gets in: credentials, keys, strangers."""

from __future__ import annotations

import socket
import stat

import Pyro4
import pytest

from se_hpo.bohb.wire import pyro
from se_hpo.bohb.wire.credentials import (
    NotReady,
    credentials_now,
    new_key,
    read_credentials,
    remove_credentials,
    write_credentials,
)
from se_hpo.bohb.wire.nameserver import NameServer
from se_hpo.errors import UserError
from tests.helpers.bohb_processes import (
    ended,
    master_in_thread,
    wait_for,
    worker_process,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "credentials.json"


def test_credentials_are_private_json_and_come_back(path):
    written = credentials_now("run", "127.0.0.1", 1234, new_key())
    write_credentials(path, written)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_credentials(path, "run") == written
    assert written.key not in repr(written)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o622])
def test_credentials_that_others_can_touch_are_refused(path, mode):
    write_credentials(path, credentials_now("run", "127.0.0.1", 1, new_key()))
    path.chmod(mode)
    with pytest.raises(UserError, match=f"{mode:04o}"):
        read_credentials(path)


@pytest.mark.parametrize(
    "text", ["", "{", '{"run_id": "r"', "[]", "null", "3", '{"run_id": "r"}', "\x80"]
)
def test_damaged_credentials_are_waited_out(path, text):
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(NotReady):
        read_credentials(path)


def test_a_link_or_a_folder_is_no_credentials_file(path):
    path.mkdir()
    with pytest.raises((UserError, NotReady)):
        read_credentials(path)


def test_only_the_own_credentials_are_removed(path):
    mine = credentials_now("run", "127.0.0.1", 1, new_key())
    theirs = credentials_now("run", "127.0.0.1", 2, new_key())
    write_credentials(path, theirs)
    remove_credentials(path, mine)
    assert path.exists()
    remove_credentials(path, theirs)
    assert not path.exists()


def test_nameserver_publishes_itself_and_takes_it_back(path):
    server = NameServer("run", new_key(), path, "127.0.0.1")
    started = server.start()
    found = read_credentials(path, "run")
    assert found == started
    host, port = found.host, found.port
    with pyro.name_server(host, port, found.key) as ns:
        ns.ping()
    server.shutdown()
    assert not path.exists()
    with pytest.raises(OSError):
        socket.create_connection((host, port), 1).close()


def test_nameserver_on_a_foreign_address_is_a_clear_error(path):
    with pytest.raises(UserError, match="choose an address of this machine"):
        NameServer("run", new_key(), path, "192.0.2.1").start()
    assert not path.exists()


@pytest.fixture
def running(tmp_path):
    """A master with a busy worker; yields its master and all three addresses."""
    worker = worker_process(tmp_path, "endless")
    with ended(worker), master_in_thread(tmp_path) as master:
        wait_for(master.running)
        dispatcher = master.master.dispatcher
        (pool_worker,) = dispatcher.roster.workers.values()
        credentials = read_credentials(master.run.credentials)
        names = f"PYRO:Pyro.NameServer@{credentials.host}:{credentials.port}"
        yield master, (names, dispatcher.uri, pool_worker.uri)
        assert wait_for(master.running)[0]["trial"] == "000-0-000"  # undisturbed
        assert not master.results and len(master.workers()) == 1


CALLS = {0: ("list",), 1: ("register_result",), 2: ("is_busy",)}


@pytest.mark.parametrize("target", [0, 1, 2])
@pytest.mark.parametrize("key", [None, b"wrong key"])
def test_without_the_key_nobody_gets_in(running, target, key):
    _master, uris = running
    with Pyro4.Proxy(uris[target]) as proxy:
        proxy._pyroHmacKey = key
        proxy._pyroTimeout = 2
        with pytest.raises(Pyro4.errors.CommunicationError):
            proxy._pyroBind()
        with pytest.raises(Pyro4.errors.CommunicationError):
            getattr(proxy, CALLS[target][0])()


@pytest.mark.parametrize("serializer", ["pickle", "marshal", "json"])
def test_nobody_may_speak_anything_but_serpent(running, serializer):
    master, uris = running
    key = read_credentials(master.run.credentials).key
    Pyro4.config.SERIALIZERS_ACCEPTED = {"serpent", serializer}
    try:
        with pyro.keyed_proxy(uris[1], key) as proxy:
            Pyro4.config.SERIALIZERS_ACCEPTED = {"serpent", serializer}
            proxy._pyroSerializer = serializer
            with pytest.raises(Pyro4.errors.PyroError, match="not accepted"):
                proxy.claim("", "")
    finally:
        pyro.configure()


def test_what_is_not_exposed_cannot_be_called_even_with_the_key(running):
    master, uris = running
    key = read_credentials(master.run.credentials).key
    for uri, name in ((uris[1], "submit_job"), (uris[2], "compute"), (uris[2], "stop")):
        with pyro.keyed_proxy(uri, key) as proxy, pytest.raises(AttributeError):
            getattr(proxy, name)()


def test_garbage_bytes_and_half_open_connections_stop_nothing(running):
    master, uris = running
    sockets = []
    for uri in uris:
        host, port = uri.rpartition("@")[2].split(":")
        for text in (
            b"",
            b"\0" * 100,
            b"PYRO" + b"\xff" * 60,
            b"GET / HTTP/1.0\r\n\r\n",
        ):
            for _ in range(5):
                sock = socket.create_connection((host, int(port)), 2)
                sock.sendall(text)
                sockets.append(sock)
    beat = next(iter(master.master.dispatcher.roster.workers.values()))
    seen = beat.seen
    wait_for(lambda: beat.seen > seen)
    for sock in sockets:
        sock.close()


def test_everything_listens_on_loopback_only(running):
    _master, uris = running
    assert all("@127.0.0.1:" in uri for uri in uris)
