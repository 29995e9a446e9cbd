"""The doctor on a run's folder: lock, credentials, damage, what is left to do."""

import json
import os
import socket
import subprocess
import sys

import pytest

from se_hpo.bohb.wire.credentials import credentials_now, new_key, write_credentials
from se_hpo.bohb.wire.nameserver import NameServer
from se_hpo.doctor import __main__ as doctor
from se_hpo.doctor import nodes, run_state
from se_hpo.doctor.damage import damaged_files
from se_hpo.machine.provenance import as_typed
from se_hpo.results.run_settings import read_run
from se_hpo.slurm.slurm_jobs import Launch, write_launch
from se_hpo.storage.files import read_json_lines, write_json
from se_hpo.storage.lock import RunLock, lock_holder
from se_hpo.storage.paths import RunPaths


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of `smoke` that has two brackets of four behind it."""
    folder = tmp_path_factory.mktemp("doctor") / "run"
    command = [sys.executable, "-m", "se_hpo.optimize", "--space", "smoke", "--quiet"]
    command += ["--run", str(folder), "--n-brackets", "1", "--max-budget", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, to be damaged."""
    subprocess.run(["cp", "-a", finished, tmp_path / "run"], check=True)
    return RunPaths(tmp_path / "run")


def found(run):
    """Level and text of each line."""
    return {each.what: each for each in run_state.check(run)}


def levels(run):
    return {what: each.level for what, each in found(run).items()}


def test_a_finished_run_is_fine(run, capsys, monkeypatch):
    monkeypatch.setattr(nodes, "has_slurm", lambda: False)
    monkeypatch.setattr(doctor.trial, "check", lambda scratch: [])
    before = sorted(p for p in run.root.rglob("*"))
    assert doctor.main(doctor.DoctorOptions(run.root)) == 0
    out = capsys.readouterr().out
    assert "ok      run: smoke, bohb: 1 of 1 evaluations: finished" in out, out
    assert "ok      lock: free" in out
    assert "ok      credentials: none, as no master is running" in out
    assert "ok      files: none is damaged" in out
    assert sorted(p for p in run.root.rglob("*")) == before, "nothing is touched"


# -- the lock -------------------------------------------------------------------------


def test_a_master_that_is_alive_holds_the_lock(run):
    with RunLock(run.lock):
        holder = lock_holder(run.lock)
        assert (holder.pid, holder.alive) == (os.getpid(), True)
        state = found(run)
    assert state["lock"].level == "ok"
    assert f"pid {os.getpid()} on {socket.gethostname()}" in state["lock"].value
    assert state["credentials"].level == "warning", "workers cannot find it"


def test_a_stale_lock_of_this_machine_is_told_at_once(run):
    dead = subprocess.Popen(["true"])
    dead.wait()
    line = {"host": socket.gethostname(), "pid": dead.pid, "started": 1, "beat": 1.0}
    run.lock.write_text(json.dumps(line))
    state = found(run)["lock"]
    assert state.level == "warning"
    assert f"stale: left by the master with pid {dead.pid}" in state.value
    assert "the same command" in state.mend


def test_a_lock_of_another_machine_is_alive_while_its_sign_changes(run):
    line = {"host": "node7", "pid": 7, "started": 1, "beat": 1.0}
    run.lock.write_text(json.dumps(line))
    assert not lock_holder(run.lock, watch_seconds=0.5).alive
    write = f"import json, time; d = {line!r}\n" + (
        "while True:\n d['beat'] += 1; time.sleep(0.1)\n"
        f" open({str(run.lock)!r}, 'w').write(json.dumps(d))"
    )
    beating = subprocess.Popen([sys.executable, "-c", write])
    try:
        holder = lock_holder(run.lock, watch_seconds=20)
    finally:
        beating.kill()
        beating.wait()
    assert (holder.host, holder.alive) == ("node7", True)


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_lock_that_names_nobody_is_free(run, text):
    run.lock.write_text(text)
    assert lock_holder(run.lock, watch_seconds=0.2) is None


# -- credentials ----------------------------------------------------------------------


def test_credentials_of_a_master_that_answers(run):
    server = NameServer("run", new_key(), run.credentials, "127.0.0.1")
    port = server.start().port
    try:
        state = found(run)["credentials"]
    finally:
        server.shutdown()
    assert state.level == "ok"
    assert f"answers at 127.0.0.1:{port}" in state.value


@pytest.mark.parametrize(("alive", "level"), [(False, "warning"), (True, "error")])
def test_credentials_that_lead_nowhere(run, alive, level):
    write_credentials(run.credentials, credentials_now("run", "127.0.0.1", 1, "00"))
    (state,) = run_state.credentials(run, alive)
    assert state.level == level
    assert "nobody answers at 127.0.0.1:1" in state.value
    assert ("--nic" in state.mend) == alive


def test_credentials_that_others_may_read_are_an_error(run):
    write_credentials(run.credentials, credentials_now("run", "127.0.0.1", 1, "00"))
    run.credentials.chmod(0o644)
    state = found(run)["credentials"]
    assert state.level == "error"
    assert "mode 0644" in state.value
    assert "chmod 600" in state.mend


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run_id": "r"}', "\0\0"])
def test_half_written_credentials_are_a_warning(run, text):
    run.credentials.touch(0o600)
    run.credentials.write_text(text)
    state = found(run)["credentials"]
    assert state.level == "warning"
    assert "a master writes it anew" in state.mend


def test_a_port_that_is_no_number_is_a_warning(run):
    data = {"run_id": "r", "host": "127.0.0.1", "port": "x", "key": "00"}
    run.credentials.touch(0o600)
    run.credentials.write_text(json.dumps(data))
    assert levels(run)["credentials"] == "warning"


# -- damage ---------------------------------------------------------------------------


def trial_file(run, name):
    (path,) = run.trials.glob(f"*/{name}")
    return path


@pytest.mark.parametrize(
    "name",
    ["record-1.json", "config.json", "generations.jsonl", "state.safetensors"],
)
def test_a_damaged_file_of_a_trial_is_named(run, name):
    path = trial_file(run, name)
    path.write_bytes(path.read_bytes()[:-7])
    state = found(run)["files"]
    assert state.level == "warning"
    assert state.value.startswith(f"{path}: ")
    assert "set aside" in state.mend


def test_a_damaged_journal_line_is_named_with_its_number(run):
    with run.results.open("a") as file:
        file.write('\n[[0, 0, 1], 1.0\n{"a": \n')
    (damage,) = damaged_files(run, in_use=False)
    assert damage.path == run.results
    assert damage.what == "line 3, 4 is no JSON"
    assert [n for n, value in read_json_lines(run.results) if value is None] == [3, 4]


def test_a_line_that_is_being_written_is_no_damage(run):
    with run.results.open("a") as file:
        file.write("[[0, 0, 1], 1.")
    assert not list(damaged_files(run, in_use=True))
    assert list(damaged_files(run, in_use=False))


def test_a_pickle_that_is_called_safetensors_is_named_and_not_loaded(run, tmp_path):
    import pickle

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    trial_file(run, "se.safetensors").write_bytes(pickle.dumps(Evil()))
    assert levels(run)["files"] == "warning"
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("text", ["", "{", "[1", "3"])
def test_a_damaged_run_json_is_an_error(run, text):
    run.run.write_text(text)
    state = found(run)
    assert state["files"].level == "error"
    assert "--overwrite" in state["files"].mend
    assert state["run"].level == "error"


def test_settings_that_are_not_whole_are_an_error(run):
    data = json.loads(run.run.read_text())
    del data["settings"]["max_budget"]
    write_json(run.run, data)
    assert "max_budget" in found(run)["run"].value
    assert levels(run)["run"] == "error"


def test_a_huge_number_of_brackets_is_an_error_at_once(run):
    write_json(run.run, {**json.loads(run.run.read_text()), "n_brackets": 10**15})
    assert "n_brackets" in found(run)["run"].value
    assert levels(run)["run"] == "error"


def test_much_damage_is_counted(run):
    for k in range(9):
        (run.root / f"{k}.json").write_text("{")
    lines = [f for f in run_state.files(run, False) if f.what == "files"]
    assert len(lines) == 6
    assert lines[-1].value == "4 more are damaged"


def test_files_of_every_folder_are_looked_at(run):
    run.evaluations.mkdir()
    header = run.evaluations / "paper-0.json"
    header.write_text("{")
    (finding,) = [f for f in run_state.files(run, False) if f.what == "files"]
    assert finding.value.startswith(f"{header}: no JSON")


def test_what_was_set_aside_before_is_named(run):
    path = trial_file(run, "record-1.json")
    path.replace(path.with_name(path.name + ".damaged"))
    state = found(run)["set aside"]
    assert state.level == "ok"
    assert "1 before now: trials/000-0-000/record-1.json.damaged" in state.value


# -- what is left to do ---------------------------------------------------------------


def test_an_unfinished_run_is_told_of_with_the_command_that_continues_it(run):
    data = read_run(run)
    write_json(run.run, {**data, "n_brackets": 4})
    state = found(run)["run"]
    assert state.level == "warning"
    assert state.value == "smoke, bohb: 1 of 4 evaluations, and nobody is at it"
    words = state.mend.split()
    assert words[:5] == ["python", "-m", "se_hpo.optimize", "--space", "smoke"]
    with RunLock(run.lock):
        assert found(run)["run"].value.endswith("going on")


def test_the_command_of_a_run_on_slurm_is_that_of_its_launch(run):
    argv = ["/x/se_hpo/slurm.py", "--space", "smoke", "--setup=module load gcc"]
    write_launch(run.jobs, Launch("name", "optimize", 2, command=argv))
    said = run_state.command(run, read_run(run))
    expected = "python -m se_hpo.slurm --space smoke '--setup=module load gcc'"
    assert said == expected


def test_without_any_command_the_space_is_asked_for(run):
    said = run_state.command(run, {"attempts": [3, {}]})
    assert said == f"python -m se_hpo.optimize --space NAME --run {run.root}"


def test_the_console_script_s_command_is_said_as_a_module():
    words = ["se-hpo optimize", "--space", "smoke"]
    assert as_typed(words) == "python -m se_hpo.optimize --space smoke"


def test_sets_of_ses_are_counted(run):
    command = [sys.executable, "-m", "se_hpo.train", "--config", "paper-cartpole"]
    small = ["nes.population=2", "ddqn.train_episodes=12", "ddqn.test_episodes=2"]
    command += [word for value in small for word in ("--set", value)]
    command += ["--num-envs", "1", "--generations", "1"]
    command += ["--out", str(run.ses / "fixed")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert found(run)["SEs"].value == "fixed: 1 of 1 trained"
    path = run.ses / "fixed" / "set.json"
    write_json(path, {**json.loads(path.read_text()), "n_envs": 3})
    state = found(run)["SEs"]
    assert (state.level, state.value) == ("warning", "fixed: 1 of 3 trained")
    path.write_text("{")
    assert levels(run)["SEs"] == "error"
