"""The doctor finds what is broken and names the mend: machine, network, folder."""

import configparser
import errno
import importlib.util
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from dataclasses import replace

import pytest

from se_hpo.__main__ import COMMANDS
from se_hpo.doctor import __main__ as doctor
from se_hpo.doctor import checked_folder, checked_machine, network, nodes, probe, trial
from se_hpo.doctor.finding import safely
from se_hpo.doctor.scratch import Scratch
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.training import native_engine as engine
from tests.helpers.places import ROOT

LINES = (
    *(
        "python",
        "se_hpo",
        "packages",
        "extras",
        "compiler",
        "native engine",
        "cores",
        "threads",
    ),
    *("open files", "folder", "free space", "address", "nameserver"),
    *("rename and append", "file locks", "clock", "SLURM", "one generation"),
)


@pytest.fixture(autouse=True)
def _a_machine_without_slurm(monkeypatch):
    monkeypatch.setattr(nodes, "has_slurm", lambda: False)


@pytest.fixture
def scratch(tmp_path):
    with Scratch(tmp_path) as made:
        made.lock()
        yield made


def levels(findings):
    """Level of each line; the worst where there are several of one name."""
    order = ["ok", "warning", "error"]
    worst = {}
    for each in findings:
        before = worst.get(each.what, "ok")
        worst[each.what] = max(before, each.level, key=order.index)
        assert (each.level == "ok") == (not each.mend), each
    return worst


def only(findings):
    (finding,) = findings
    return finding


# -- the command ----------------------------------------------------------------------


def test_a_healthy_machine_passes_every_check(tmp_path, capsys):
    code = doctor.main(doctor.DoctorOptions(run=tmp_path / "new"))
    out = capsys.readouterr().out
    told = {line[8:].partition(":")[0] for line in out.splitlines()}
    assert set(LINES) <= told
    assert code == 0, out
    assert "error  " not in out
    assert "0 errors, " in out
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_warning_is_no_failure_and_an_error_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(doctor.trial, "check", lambda scratch: [])
    monkeypatch.setattr(engine, "unavailable_reason", lambda: "no compiler")
    assert doctor.main(doctor.DoctorOptions(run=tmp_path)) == 0
    out = capsys.readouterr().out
    assert "warning native engine: not there (no compiler)" in out
    assert "        -> install g++" in out
    assert doctor.main(doctor.DoctorOptions(run=tmp_path, host="192.0.2.99")) == 1
    out = capsys.readouterr().out
    assert "error   address: cannot listen on host '192.0.2.99'" in out
    assert "-> choose another with --nic" in out


def test_a_check_that_raises_is_reported_and_the_others_go_on(tmp_path, monkeypatch):
    def broken():
        raise ZeroDivisionError("no way")

    monkeypatch.setattr(checked_machine, "cores", broken)
    found = {each.what: each for each in checked_machine.check()}
    assert found["cores"].value == "ZeroDivisionError: no way"
    assert found["cores"].level == "error"
    assert found["open files"].level == "ok"


def test_every_command_of_the_console_script_exists():
    for name in COMMANDS:
        assert importlib.util.find_spec(f"se_hpo.{name}") is not None


# -- this machine ---------------------------------------------------------------------


def test_a_missing_package_is_an_error_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(checked_machine, "_PACKAGES", ("numpy", "no-such-package"))
    missing, there = checked_machine.packages()
    assert missing.level == "error"
    assert missing.mend.endswith("-m pip install no-such-package")
    assert there.value.startswith("numpy ")


def test_without_a_compiler_only_a_missing_engine_is_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(engine, "available", lambda: True)
    assert only(checked_machine.compiler()).level == "ok"
    monkeypatch.setattr(engine, "available", lambda: False)
    found = only(checked_machine.compiler())
    assert (found.level, found.value) == ("warning", "no C++ compiler")
    assert "g++" in found.mend


def test_a_compiler_is_named_with_its_version():
    if shutil.which("c++") is None:
        pytest.skip("there is none")
    assert shutil.which("c++") in only(checked_machine.compiler()).value


def test_an_engine_that_was_not_built_is_a_warning(monkeypatch):
    monkeypatch.setattr(engine, "_engine", None)
    monkeypatch.setattr(engine, "_IMPORT_ERROR", "No module", raising=False)
    found = only(checked_machine.native_engine())
    assert found.level == "warning"
    assert "No module" in found.value


@pytest.mark.skipif(not engine.available(), reason="needs the native engine")
def test_an_instruction_set_that_is_not_there_is_an_error(monkeypatch):
    monkeypatch.setenv(engine.ISA_VARIABLE, "x86-64-v9")
    assert levels(checked_machine.native_engine())["instruction set"] == "error"
    monkeypatch.setenv(engine.ISA_VARIABLE, engine.isas()[-1])
    assert levels(checked_machine.native_engine())["instruction set"] == "ok"


def test_a_busy_machine_is_told_of(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1000.0, 0.0, 0.0))
    assert only(checked_machine.cores()).level == "warning"
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    assert only(checked_machine.cores()).level == "ok"


@pytest.mark.parametrize(
    ("text", "level"),
    [("1", "ok"), ("", "ok"), ("4096", "warning"), ("0", "warning"), ("x", "warning")],
)
def test_threads_that_libraries_would_start(monkeypatch, text, level):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert levels(checked_machine.threads())["threads"] == level


def test_few_open_files_are_a_warning_with_the_workers_they_suffice_for(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 512))
    found = only(checked_machine.open_files())
    assert found.level == "warning"
    assert "about 96 workers" in found.value
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, -1))
    assert only(checked_machine.open_files()).level == "ok"


# -- the folder -----------------------------------------------------------------------


def in_a_mount(options, where, *command):
    """Run a command with a file system of its own on a folder."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("only root mounts")
    mount = f'mount -t tmpfs {options} none "$0" && exec "$@"'
    words = ["unshare", "--mount", "bash", "-c", mount, str(where), *map(str, command)]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=120, cwd=ROOT,
        env={**os.environ, "PATH": "/bin:/usr/bin:/sbin:/usr/sbin"},
    )  # fmt: skip
    if "mount" in done.stderr and "denied" in done.stderr:
        pytest.skip("no mounts here")
    return done


def test_a_read_only_folder_is_an_error_and_the_rest_is_still_checked(tmp_path):
    command = (sys.executable, "-m", "se_hpo.doctor", "--run", tmp_path / "run")
    done = in_a_mount("-o ro", tmp_path, *command)
    assert done.returncode == 1, done.stderr
    error = "error   folder: Read-only file system: "
    assert error in done.stdout
    assert "-> choose a folder that you may write to with --run" in done.stdout
    assert "ok      nameserver" in done.stdout
    assert "ok      one generation" in done.stdout


def test_a_full_folder_is_an_error_with_its_size(tmp_path):
    command = (sys.executable, "-m", "se_hpo.doctor", "--run", tmp_path)
    done = in_a_mount("-o size=8k,nr_inodes=20", tmp_path, *command)
    assert done.returncode == 1, done.stderr
    assert "error   free space: 0.0 MB" in done.stdout
    assert "error   free inodes: " in done.stdout
    assert "-> make space, or choose another folder with --run" in done.stdout


def test_little_room_is_a_warning_and_none_an_error(tmp_path, monkeypatch):
    real = os.statvfs(tmp_path)

    def system(free, files):
        values = list(real)
        values[1], values[4], values[5], values[7] = 1, int(free), 10**9, int(files)
        return os.statvfs_result(values)

    for free, files, expected in (
        (5e9, 1e6, ["ok", "ok"]),
        (5e8, 5e3, ["warning", "warning"]),
        (1e6, 10, ["error", "error"]),
    ):
        made = system(free, files)
        monkeypatch.setattr(os, "statvfs", lambda _, made=made: made)
        assert [f.level for f in checked_folder.room(tmp_path)] == expected


def test_a_file_in_the_way_is_an_error(tmp_path):
    path = tmp_path / "run"
    path.touch()
    with Scratch(path) as scratch:
        found = next(iter(checked_folder.check(scratch)))
    assert (found.level, found.what) == ("error", "folder")
    assert found.value.startswith("Not a directory")


@pytest.mark.parametrize(
    ("number", "mend"), [(errno.ENOSPC, "make space"), (errno.EIO, "see the error")]
)
def test_an_error_of_the_file_system_has_its_mend(number, mend):
    def check():
        raise OSError(number, os.strerror(number), "file")

    found = only(safely("folder", check))
    assert found.value == f"{os.strerror(number)}: file"
    assert found.mend.startswith(mend)


# -- address, nameserver, a second process --------------------------------------------


def test_the_address_is_that_of_the_interface_or_loopback(monkeypatch):
    assert network.chosen_host(None, None, distributed=False) == "127.0.0.1"
    assert network.chosen_host(None, "lo", distributed=True) == "127.0.0.1"
    assert network.chosen_host("node7", None, distributed=True) == "node7"
    monkeypatch.setattr(network, "node_host", lambda: "node8")
    assert network.chosen_host(None, None, distributed=True) == "node8"
    found = only(network.address("node8", None, distributed=True))
    assert "node8 (cluster; interfaces: lo 127.0.0.1" in found.value


def test_an_interface_that_is_not_there_is_an_error(tmp_path, scratch):
    options = doctor.DoctorOptions(run=tmp_path, nic="ib9")
    found = {each.what: each for each in doctor._others(scratch, options)}
    assert found["address"].level == "error"
    assert "--nic ib9: no interface" in found["address"].value
    assert found["nameserver"].level == "error", "and so nobody is reached"
    assert found["rename and append"].level == "ok", "the rest is checked"


def test_a_second_process_reaches_a_real_nameserver(scratch):
    server = network.start_nameserver(scratch, "127.0.0.1")
    try:
        found = levels(network.second_process(scratch))
    finally:
        server.shutdown()
    names = ("nameserver", "rename and append", "file locks", "clock")
    assert found == dict.fromkeys(names, "ok")


def test_an_address_that_leads_nowhere_is_an_error_in_time(scratch):
    server = network.start_nameserver(scratch, "127.0.0.1")
    path = scratch.path / "credentials.json"
    text = json.dumps({**json.loads(path.read_text()), "host": "198.51.100.1"})
    path.write_text(text)  # set aside for documentation: no route, or silence
    try:
        found = {each.what: each for each in network.second_process(scratch)}
    finally:
        server.shutdown()
    assert found["nameserver"].level == "error"
    assert "a second process does not reach it" in found["nameserver"].value
    assert "--nic" in found["nameserver"].mend


def test_credentials_of_a_wrong_mode_are_an_error(scratch):
    server = network.start_nameserver(scratch, "127.0.0.1")
    (scratch.path / "credentials.json").chmod(0o644)
    try:
        assert "mode 0644" in str(probe.nameserver(scratch.path))
    finally:
        server.shutdown()


def test_a_nameserver_that_answers_to_any_key_is_an_error(scratch, monkeypatch):
    server = network.start_nameserver(scratch, "127.0.0.1")
    real = probe.nameserver(scratch.path)
    assert probe.stranger(real) == ""
    monkeypatch.setattr(probe, "new_key", lambda: real.key)
    assert "answers to a wrong key" in probe.stranger(real)
    server.shutdown()
    found = levels(network.judged(replace(REPORT, stranger="it does"), "x", scratch))
    assert found["nameserver"] == "error"


REPORT = probe.Report(
    host=socket.gethostname(),
    renamed="",
    appended="",
    locks="kept",
    clock=0.0,
    nameserver="",
    stranger="",
)


@pytest.mark.parametrize(
    ("change", "what", "level"),
    [
        ({"nameserver": "refused"}, "nameserver", "error"),
        ({"renamed": "renamed.json: No such file"}, "rename and append", "error"),
        ({"appended": "1 of 2 lines seen"}, "rename and append", "error"),
        ({"locks": "none"}, "file locks", "warning"),
        ({"locks": "ignored"}, "file locks", "warning"),
        ({"clock": 60.0, "host": "elsewhere"}, "clock", "warning"),
        ({"clock": 0.5, "host": "elsewhere"}, "clock", "ok"),
    ],
)
def test_what_another_process_may_see(scratch, monkeypatch, change, what, level):
    monkeypatch.setattr(network, "waited_for", lambda look: "")
    found = levels(network.judged(replace(REPORT, **change), "node7", scratch))
    assert found.pop(what) == level
    assert set(found.values()) == {"ok"}


def test_files_of_the_other_that_do_not_appear_here_are_an_error(scratch, monkeypatch):
    monkeypatch.setattr(network, "waited_for", lambda look: look())
    found = {f.what: f for f in network.judged(REPORT, "node7", scratch)}
    assert found["rename and append"].level == "error"
    assert "not seen of node7" in found["rename and append"].value


def test_a_file_server_whose_clock_is_wrong_is_a_warning(scratch, monkeypatch):
    real = probe.write_atomic

    def late(path, data):
        real(path, data)
        os.utime(path, (1e9, 1e9))

    monkeypatch.setattr(probe, "write_atomic", late)
    assert probe.clock(scratch.path) > 1e6
    monkeypatch.setattr(network, "waited_for", lambda look: "")
    report = replace(REPORT, clock=probe.clock(scratch.path))
    found = [f for f in network.judged(report, "x", scratch) if f.what == "clock"]
    assert only(found).level == "warning"
    assert "behind" in only(found).value


def test_a_probe_that_cannot_start_is_an_error(scratch, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    assert levels(network.second_process(scratch)) == {"second process": "error"}


# -- a trial --------------------------------------------------------------------------


def test_a_trial_goes_through_the_real_objective(scratch):
    found = only(trial.check(scratch))
    assert found.level == "ok"
    assert (scratch.path / "run/trials/000-0-000/record-1.json").exists()


def test_a_trial_that_fails_is_an_error_with_its_last_words(scratch, monkeypatch):
    def broken(self, configuration):
        raise RuntimeError("the engine is on fire")

    monkeypatch.setattr(Objective, "run_config", broken)
    found = only(trial.check(scratch))
    assert found.level == "error"
    assert found.value == "RuntimeError: the engine is on fire"


def test_extras_are_said_with_what_would_install_the_others(monkeypatch):
    monkeypatch.setattr(checked_machine, "EXTRAS", {"a": ("numpy",), "b": ("no-such",)})
    assert only(checked_machine.extras()).value == "a; not: b (pip install no-such)"
    monkeypatch.setattr(checked_machine, "EXTRAS", {"b": ("no-such",)})
    assert only(checked_machine.extras()).value.startswith("none; not: b")


def test_the_extras_are_those_of_the_package_but_for_developers():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    declared = dict(config["options.extras_require"])
    for name, packages in checked_machine.EXTRAS.items():
        asked = declared.pop(name)
        assert all(package in asked for package in packages)
    assert set(declared) <= {"test", "dev", "docs", "wheel", "examples"}
