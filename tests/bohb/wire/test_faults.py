"""Everything that goes wrong on a cluster, done to real processes."""

from __future__ import annotations

import os
import signal
import time

from se_hpo.bohb.wire.credentials import read_credentials
from se_hpo.bohb.wire.nameserver import NameServer
from tests.helpers.bohb_processes import (
    ended,
    kill,
    loss_of,
    master_in_thread,
    master_process,
    output,
    wait_for,
    wait_for_line,
    worker_process,
)


def _complete(master):
    """Every planned evaluation exactly once, none failed."""
    master.wait()
    done = [(e.id, e.budget) for e in master.results]
    assert len(done) == len(set(done)) == 13
    assert all(e.info["status"] == "finished" for e in master.results)
    assert all(e.loss == loss_of(e.kwargs["config"], e.budget) for e in master.results)


def test_killed_busy_worker_is_noticed_and_its_trial_goes_to_another(tmp_path):
    with master_in_thread(tmp_path, patience=1e6) as master:
        victim = worker_process(tmp_path, "endless")
        with ended(victim):
            wait_for_line(victim, "evaluating")
            kill(victim)
            wait_for(lambda: not master.workers(), 5)
        assert master.master.status()["lost"] == 1
        worker = worker_process(tmp_path)
        with ended(worker):
            _complete(master)
    assert master.results[0].id == (0, 0, 0)


def test_killed_idle_worker_hurts_nobody(tmp_path):
    with master_in_thread(tmp_path, max_parallel=1, patience=1e6) as master:
        busy = worker_process(tmp_path, "slow")
        with ended(busy):
            wait_for(master.running)
            idle = worker_process(tmp_path, "slow")
            with ended(idle):
                wait_for(lambda: len(master.workers()) == 2)
                name = next(
                    w["worker"] for w in master.workers() if w["pid"] == idle.pid
                )
                while name in {r["worker"] for r in master.running()}:
                    time.sleep(0.001)
                kill(idle)
            _complete(master)


def test_all_workers_dead_then_a_new_one_finishes_the_run(tmp_path):
    with master_in_thread(tmp_path) as master:
        victims = [worker_process(tmp_path, "endless") for _ in range(3)]
        with ended(*victims):
            wait_for(lambda: len(master.running()) == 3)
            for victim in victims:
                kill(victim)
            wait_for(lambda: not master.workers(), 5)
        worker = worker_process(tmp_path)
        with ended(worker):
            _complete(master)


def test_frozen_worker_freezes_nobody_and_brings_no_duplicate_when_it_wakes(tmp_path):
    with master_in_thread(tmp_path, patience=0.5, ping_interval=0.1) as master:
        frozen = worker_process(tmp_path, "slow")
        with ended(frozen):
            wait_for(master.running)
            os.kill(frozen.pid, signal.SIGSTOP)
            healthy = worker_process(tmp_path)
            with ended(healthy):
                wait_for(lambda: len(master.results) >= 3)
                os.kill(frozen.pid, signal.SIGCONT)
                _complete(master)
                assert "worker ended: the master ended it" in output(frozen)


def test_worker_frozen_while_idle_freezes_nobody(tmp_path):
    with master_in_thread(tmp_path, max_parallel=1, patience=1e6) as master:
        workers = [worker_process(tmp_path, "slow") for _ in range(2)]
        with ended(*workers):
            wait_for(lambda: len(master.workers()) == 2)
            wait_for(master.running)
            busy = master.running()[0]["pid"]
            (idle,) = {w.pid for w in workers} - {busy}
            os.kill(idle, signal.SIGSTOP)
            _complete(master)


def test_frozen_worker_that_wakes_in_time_keeps_its_trial(tmp_path):
    with master_in_thread(tmp_path, patience=1e6, ping_interval=0.1) as master:
        worker = worker_process(tmp_path, "slow")
        with ended(worker):
            wait_for(master.running)
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(2.5)  # longer than pings and probes take
            os.kill(worker.pid, signal.SIGCONT)
            _complete(master)
        assert master.master.status()["lost"] == 0


def test_late_worker_is_used_at_once(tmp_path):
    with master_in_thread(tmp_path, ping_interval=1e4) as master:
        first = worker_process(tmp_path, "endless")
        with ended(first):
            wait_for(master.running)
            late = worker_process(tmp_path, "endless")
            with ended(late):
                wait_for(lambda: len(master.running()) == 2, 15)


def test_nameserver_restarted_elsewhere_and_late_workers_still_come(tmp_path):
    with master_in_thread(tmp_path) as master:
        first = worker_process(tmp_path, "endless")
        with ended(first):
            wait_for(master.running)
            old = read_credentials(master.run.credentials)
            dispatcher = master.master.dispatcher
            # as a crash would: its port is closed, its names are forgotten
            server = NameServer(old.run_id, old.key, master.run.credentials, old.host)
            dispatcher.credentials = server.start()
            late = worker_process(tmp_path)
            with ended(late):
                wait_for(lambda: len(master.results) >= 5)
            assert any(r["pid"] == first.pid for r in master.running())
            server.shutdown()


def test_worker_comes_back_to_a_restarted_master_with_its_trial(tmp_path):
    worker = worker_process(tmp_path, "slow")
    with ended(worker):
        master = master_process(tmp_path)
        with ended(master):
            wait_for_line(worker, "evaluating 000-0-000@1")
            kill(master)
        with master_in_thread(tmp_path) as again:
            _complete(again)
            text = output(worker)
    assert "found the master again" in text
    assert "evaluating 000-0-000@1" not in text  # it went on, it did not start again


def test_master_frozen_for_longer_than_its_patience_drops_nobody(tmp_path):
    master = master_process(tmp_path, "--patience", "1")
    workers = [worker_process(tmp_path, "slow") for _ in range(2)]
    with ended(master, *workers):
        wait_for_line(workers[0], "evaluating")
        os.kill(master.pid, signal.SIGSTOP)
        time.sleep(7)  # workers' calls time out after 5
        os.kill(master.pid, signal.SIGCONT)
        text = output(master)
    assert "master ended" in text and "is queued again" not in text
    assert text.count("result\n") == 17


def test_worker_that_was_left_for_dead_is_told_to_drop_its_trial(tmp_path):
    options = {"patience": 0.3, "ping_interval": 0.1, "max_parallel": 1}
    with master_in_thread(tmp_path, **options) as master:
        frozen = worker_process(tmp_path, "endless")
        with ended(frozen):
            wait_for_line(frozen, "evaluating")
            os.kill(frozen.pid, signal.SIGSTOP)
            other = worker_process(tmp_path, "endless")
            with ended(other):
                wait_for(lambda: [r["pid"] for r in master.running()] == [other.pid])
                assert master.running()[0]["trial"] == "000-0-000"
                os.kill(frozen.pid, signal.SIGCONT)
                wait_for_line(frozen, "was given to another")
                assert [r["pid"] for r in master.running()] == [other.pid]
