"""What leaves a worker is a result; what ends a worker is said."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from unittest.mock import Mock

import numpy as np
import pytest

from se_hpo.bohb.brackets import Bracket
from se_hpo.bohb.evaluated import checked_result
from se_hpo.bohb.job_table import evaluation_token
from se_hpo.bohb.wire.credentials import credentials_now, new_key, write_credentials
from se_hpo.bohb.wire.interrupts import Abandon, Interrupts, Leave
from se_hpo.bohb.wire.master_connection import MasterConnection, NoMaster
from se_hpo.bohb.wire.worker import TrialWorker, run_worker
from se_hpo.errors import UserError
from tests.helpers.bohb_processes import (
    GARBAGE,
    GOOD,
    ended,
    master_in_thread,
    output,
    quick,
    wait_for,
    wait_for_line,
    worker_process,
)


def test_garbage_of_all_kinds_is_a_failed_evaluation_and_the_run_goes_on(tmp_path):
    count = len(GARBAGE) + len(GOOD)
    worker = worker_process(tmp_path, "garbage")
    options = {"brackets": [Bracket(0, (count,), (1.0,))], "max_parallel": 1}
    with ended(worker), master_in_thread(tmp_path, **options) as master:
        master.wait()
        assert "worker ended: the master ended it" in output(worker)
    by_index = {e.id[2]: e for e in master.results}
    assert len(by_index) == count
    for index in range(len(GARBAGE)):
        assert by_index[index].loss == 1.0
        assert by_index[index].info["status"] == "failed"
        assert by_index[index].info["reason"].startswith("failed: ")
        assert by_index[index].info["error"]
    assert [by_index[len(GARBAGE) + i].loss for i in range(3)] == [0.5, 1.0, 0.25]
    assert by_index[len(GARBAGE)].info["array"] == [0, 1, 2]
    assert "it broke" in by_index[11].info["error"]
    assert "Traceback" in by_index[11].info["error"]


@pytest.mark.parametrize(
    "loss", [0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), 0, np.int64(1)]
)
def test_real_numbers_are_losses(loss):
    result = checked_result({"loss": loss, "info": {"a": np.float64(1.0)}})
    assert type(result["loss"]) is float and result["loss"] == float(loss)
    assert result["info"] == {"status": "finished", "a": 1.0}
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, [], {}, {1: 2}),
        *({"loss": v} for v in (None, "1", np.nan, np.inf, 1j, np.bool_(True))),
        {"loss": np.array([0.5])},
        {"loss": 0.5, "info": {"x": {1, 2, object()}}},
    ],
)
def test_everything_else_is_failed_with_a_reason_of_one_line(value):
    result = checked_result(value)
    assert result["loss"] == 1.0
    assert result["info"]["status"] == "failed"
    assert "\n" not in result["info"]["reason"]


def test_halves_of_characters_can_be_read_again():
    result = checked_result({"loss": 0.5, "info": {"\udc80": "x\udc80"}})
    assert result["info"] == {"status": "finished", "\\udc80": "x\\udc80"}


def test_info_that_contains_itself_is_failed():
    info: dict = {}
    info["self"] = info
    assert checked_result({"loss": 0.5, "info": info})["info"]["status"] == "failed"


def test_worker_without_a_master_ends_with_a_clear_message(tmp_path):
    with pytest.raises(NoMaster, match=r"there is no .*credentials\.json") as caught:
        run_worker(tmp_path / "credentials.json", quick, master_timeout=0.3)
    assert isinstance(caught.value, UserError)


def test_worker_with_stale_credentials_retries_then_ends(tmp_path):
    path = tmp_path / "credentials.json"
    write_credentials(path, credentials_now("run", "127.0.0.1", 9, new_key()))
    with pytest.raises(NoMaster, match=r"no master answers at 127\.0\.0\.1:9"):
        run_worker(path, quick, master_timeout=0.3)


def test_worker_waits_while_there_is_no_way_to_its_master(tmp_path):
    path = tmp_path / "credentials.json"
    write_credentials(path, credentials_now("run", "no.host.invalid", 9, new_key()))
    with pytest.raises(NoMaster, match=r"no way to the master at no\.host\.invalid:9"):
        run_worker(path, quick, master_timeout=0.3)


def test_worker_cannot_listen_on_an_address_of_another_machine(tmp_path):
    path = tmp_path / "credentials.json"
    write_credentials(path, credentials_now("run", "127.0.0.1", 9, new_key()))
    with pytest.raises(NoMaster, match=r"cannot listen on 192\.0\.2\.1"):
        run_worker(path, quick, host="192.0.2.1", master_timeout=0.3)


def test_a_heartbeat_says_what_is_true_when_it_is_sent(tmp_path):
    doing, sent, nothing = ["a"], [], Mock()
    connection = MasterConnection(
        tmp_path / "c.json", None, nothing, lambda: doing[0], nothing, nothing
    )
    connection.call = lambda _method, _name, token: sent.append(token) or "ok"
    with connection.lock:  # somebody else speaks
        thread = threading.Thread(target=connection.beat)
        thread.start()
        time.sleep(0.2)
        doing[0] = "b"
    thread.join(5)
    assert sent == ["b"]


def test_worker_with_half_written_credentials_retries_then_ends(tmp_path):
    path = tmp_path / "credentials.json"
    path.write_text('{"run_id": "r", "ho')
    path.chmod(0o600)
    with pytest.raises(NoMaster, match="half written"):
        run_worker(path, quick, master_timeout=0.3)


def test_worker_refuses_the_credentials_of_another_run(tmp_path):
    path = tmp_path / "credentials.json"
    write_credentials(path, credentials_now("theirs", "127.0.0.1", 9, new_key()))
    with pytest.raises(NoMaster, match="is of run 'theirs', not 'ours'"):
        run_worker(path, quick, run_id="ours", master_timeout=0.3)


def test_worker_refuses_credentials_that_others_can_read_at_once(tmp_path):
    path = tmp_path / "credentials.json"
    write_credentials(path, credentials_now("run", "127.0.0.1", 9, new_key()))
    path.chmod(0o644)
    with pytest.raises(UserError, match=r"0644.*remove it and restart the master"):
        run_worker(path, quick, master_timeout=5)


def test_worker_started_before_its_master_waits_for_it(tmp_path):
    worker = worker_process(tmp_path)
    with ended(worker):
        wait_for_line(worker, "waiting for the master")
        with master_in_thread(tmp_path) as master:
            master.wait()
    assert len(master.results) == 13


def test_a_worker_under_nohup_outlives_its_terminal():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupts = Interrupts()
    with interrupts.installed():
        os.kill(os.getpid(), signal.SIGHUP)
    signal.signal(signal.SIGHUP, before)
    assert interrupts.leave_reason is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signalled_worker_gives_its_trial_back_at_once(tmp_path, number):
    with master_in_thread(tmp_path, patience=1e6, ping_interval=30) as master:
        worker = worker_process(tmp_path, "endless")
        with ended(worker):
            wait_for(master.running)
            worker.send_signal(number)
            text = output(worker, 5)
        assert worker.returncode == 0
        assert f"worker ended: received {number.name}" in text
        assert "\nWARNING" not in text
        wait_for(lambda: not master.workers(), 2)
        assert len(master.master.dispatcher.roster.table.waiting) == 1
        assert not master.results


def test_signalled_worker_ends_even_if_its_evaluation_swallows_everything(tmp_path):
    with master_in_thread(tmp_path, patience=1e6, ping_interval=30) as master:
        worker = worker_process(tmp_path, "stubborn")
        with ended(worker):
            wait_for_line(worker, "inside")
            time.sleep(0.1)
            worker.send_signal(signal.SIGTERM)
            assert "did not end in time" in output(worker, 8)
        wait_for(lambda: not master.workers(), 2)
        assert len(master.master.dispatcher.roster.table.waiting) == 1


def test_worker_ends_when_its_master_stays_away(tmp_path):
    with master_in_thread(tmp_path) as master:
        worker = worker_process(tmp_path, "endless", "--timeout", "0.5")
        with ended(worker):
            wait_for(master.running)
            _vanish(master)
            assert "worker ended: no master for 0.5 s" in output(worker, 15)


def _vanish(master):
    """As kill -9 would: nobody is told anything, the ports are closed."""
    master.master.dispatcher.pyro_daemon.stop()
    master.master.dispatcher.ending.set()


def test_a_subclass_with_compute_is_enough(tmp_path):
    seen = []

    class Mine(TrialWorker):
        def compute(self, config_id, config, budget, working_directory):
            seen.append((config_id, budget, working_directory))
            self.checkpoint()
            return {"loss": 0.5}

    with master_in_thread(tmp_path) as master:
        worker = Mine(master.run.credentials, heartbeat_seconds=0.1)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        master.wait()
        thread.join(10)
    assert not thread.is_alive()
    assert worker.interrupts.leave_reason == "the master ended it"
    assert seen[0] == ((0, 0, 0), 1.0, str(tmp_path)) and len(seen) == 13


def test_a_fatal_error_gives_the_trial_back_and_ends_the_worker(tmp_path):
    class FullDisk(TrialWorker):
        def is_fatal(self, error):
            return isinstance(error, OSError)

        def compute(self, config_id, config, budget, working_directory):
            raise OSError(28, "No space left on device")

    with master_in_thread(tmp_path) as master:
        worker = FullDisk(master.run.credentials, heartbeat_seconds=0.1)
        with pytest.raises(OSError, match="No space left"):
            worker.run()
        wait_for(lambda: not master.workers())
        assert len(master.master.dispatcher.roster.table.waiting) == 1
        assert not master.results


def test_a_request_made_before_the_evaluation_ends_it_at_its_start():
    interrupts = Interrupts()
    interrupts.leave("told to")
    with pytest.raises(Leave, match="told to"), interrupts.allowed():
        pytest.fail("it ran")


def test_abandon_ends_that_evaluation_and_no_other():
    interrupts = Interrupts()
    interrupts.abandon("a")
    interrupts.evaluating = "b"
    interrupts.check()
    interrupts.evaluating = "a"
    with pytest.raises(Abandon):
        interrupts.check()
    interrupts.check()


def test_tokens_tell_configurations_and_budgets_apart():
    one = evaluation_token((0, 0, 1), {"a": 1, "b": 2.0}, 3.0)
    assert one == evaluation_token((0, 0, 1), {"b": 2.0, "a": 1}, 3.0)
    assert one != evaluation_token((0, 0, 1), {"a": 1, "b": 2.0}, 9.0)
    assert one != evaluation_token((0, 0, 1), {"a": 1, "b": 2.5}, 3.0)
