"""One master per run; what it tells; how it stops."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import queue
import signal
import socket
import threading
import time
from unittest.mock import Mock

import pytest

from se_hpo.bohb.brackets import Bracket, hyperband_brackets
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job, JobTable
from se_hpo.bohb.journal import Journal
from se_hpo.bohb.master import Master
from se_hpo.bohb.master_settings import MasterSettings, TooManyFailures
from se_hpo.bohb.wire.roster import Roster, WorkerHandle
from se_hpo.errors import FailedRunError, UserError
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import RunPaths
from tests.helpers.bohb_processes import (
    ended,
    kill,
    master_in_thread,
    master_process,
    output,
    wait_for,
    wait_for_line,
    worker_process,
)

# -- the lock ---------------------------------------------------------------------


def test_second_lock_is_refused_and_names_the_holder(tmp_path):
    with RunLock(tmp_path / "master.lock"):
        with (
            pytest.raises(
                UserError, match=f"pid {os.getpid()} on {socket.gethostname()}"
            ),
            RunLock(tmp_path / "master.lock"),
        ):
            pytest.fail("two masters")
        assert (tmp_path / "master.lock").exists()
    assert not (tmp_path / "master.lock").exists()
    with RunLock(tmp_path / "master.lock"):
        pass


def test_lock_of_a_killed_master_is_taken_over(tmp_path):
    master = master_process(tmp_path)
    with ended(master):
        wait_for((tmp_path / "credentials.json").exists)
        kill(master)
    holder = json.loads((tmp_path / "master.lock").read_text())
    assert holder["pid"] == master.pid
    with RunLock(tmp_path / "master.lock"):
        assert json.loads((tmp_path / "master.lock").read_text())["pid"] == os.getpid()


def test_two_masters_on_one_run_the_second_refuses_and_changes_nothing(tmp_path):
    with master_in_thread(tmp_path) as master:
        credentials = master.run.credentials.read_bytes()
        second = master_process(tmp_path)
        with ended(second):
            text = output(second)
        assert second.returncode != 0
        assert f"is in use by the master with pid {os.getpid()}" in text
        assert master.run.credentials.read_bytes() == credentials
        worker = worker_process(tmp_path)
        with ended(worker):
            master.wait()


def _other_machine(path, beat):
    line = {"host": "another-machine", "pid": 1, "started": 1, "beat": beat}
    path.write_text(json.dumps(line))


def test_dead_master_of_another_machine_is_taken_over_after_a_look(tmp_path):
    path = tmp_path / "master.lock"
    _other_machine(path, 1.0)
    with RunLock(path, watch_seconds=0.3):
        assert json.loads(path.read_text())["host"] == socket.gethostname()


def test_living_master_of_another_machine_is_refused(tmp_path):
    """Where the file system does not carry locks from machine to machine."""
    path = tmp_path / "master.lock"
    _other_machine(path, 1.0)
    threading.Timer(0.2, _other_machine, (path, 2.0)).start()
    with pytest.raises(UserError, match="another-machine"), RunLock(path, 5.0):
        pytest.fail("two masters")


@pytest.mark.parametrize("text", ["", "{", '{"ho', "\0\0\0", '{"host": 3}'])
def test_damaged_lock_file_without_a_holder_is_no_lock(tmp_path, text):
    (tmp_path / "master.lock").write_text(text)
    with RunLock(tmp_path / "master.lock", watch_seconds=0.1):
        pass


@pytest.mark.parametrize("text", ["[]", "# poetry\n", '{"_meta": {}}', "x"])
def test_a_file_of_somebody_else_is_no_lock_and_stays(tmp_path, text):
    path = tmp_path / "poetry.lock"
    path.write_text(text)
    with pytest.raises(UserError, match="holds something else: move it") as error:
        RunLock(path).__enter__()
    assert "\n" not in str(error.value)
    assert path.read_text() == text


def _hold(event):
    event.wait(30)


def test_a_forked_child_does_not_hold_the_lock(tmp_path):
    context = multiprocessing.get_context("fork")
    event = context.Event()
    with RunLock(tmp_path / "master.lock"):
        child = context.Process(target=_hold, args=(event,), daemon=True)
        child.start()
    try:
        with RunLock(tmp_path / "master.lock"):
            pass
    finally:
        event.set()
        child.join(10)


def test_a_lock_that_could_not_be_written_is_let_go(tmp_path, monkeypatch):
    path = tmp_path / "master.lock"
    with monkeypatch.context() as patched:
        full = OSError(errno.ENOSPC, "No space left on device")
        patched.setattr(os, "pwrite", Mock(side_effect=full))
        with pytest.raises(OSError, match="No space left"), RunLock(path):
            pytest.fail("it was not written")
    assert not path.exists()
    with RunLock(path):
        pass


def test_locks_leave_nothing_behind_in_the_process(tmp_path, monkeypatch):
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hook: hooks.append(hook))
    for _ in range(3):
        with RunLock(tmp_path / "master.lock"):
            pass
    assert not hooks


# -- what a master tells and how it stops -----------------------------------------


def test_status_tells_what_runs_where(tmp_path):
    statuses = []
    options = {"on_status": statuses.append}
    with master_in_thread(tmp_path, **options) as master:
        worker = worker_process(tmp_path, "endless")
        with ended(worker):
            (running,) = wait_for(master.running)
            status = wait_for(lambda: [s for s in statuses if s["running"]])[-1]
    assert running["trial"] == "000-0-000" and running["budget"] == 1.0
    assert running["host"] == socket.gethostname() and running["pid"] == worker.pid
    assert 0 <= time.time() - running["since"] < 60
    assert status["workers"][0]["trial"] == "000-0-000"
    assert status["state"] == "running" and status["planned"] == 13
    assert status["brackets"] == [
        {
            "bracket": 0,
            "finished": False,
            "rungs": [
                {"budget": 1.0, "done": 0, "planned": 9},
                {"budget": 3.0, "done": 0, "planned": 3},
                {"budget": 9.0, "done": 0, "planned": 1},
            ],
        }
    ]
    last = json.loads((tmp_path / "status.json").read_text())
    assert last["state"] == "stopped"


def test_no_result_for_long_is_told_with_trial_and_place(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with master_in_thread(tmp_path, quiet_seconds=0.2) as master:
        worker = worker_process(tmp_path, "endless")
        with ended(worker):
            wait_for(master.running)
            text = (
                f"000-0-000 (budget 1) on {socket.gethostname()} pid {worker.pid} for"
            )
            # Told at growing intervals: late, where the worker was slow to start.
            wait_for(lambda: text in caplog.text, seconds=150)


def test_no_worker_for_long_is_told(tmp_path, caplog):
    with master_in_thread(tmp_path, quiet_seconds=0.2):
        wait_for(lambda: "no worker is alive" in caplog.text)


def test_as_many_evaluations_are_out_as_there_are_workers(tmp_path):
    with master_in_thread(tmp_path) as master:
        workers = [worker_process(tmp_path, "endless") for _ in range(3)]
        with ended(*workers):
            wait_for(lambda: len(master.running()) == 3)
            time.sleep(0.3)
            assert len(master.running()) == 3
            assert not master.master.dispatcher.roster.table.waiting
    with master_in_thread(tmp_path / "b", max_parallel=1) as master:
        workers = [worker_process(tmp_path / "b", "endless") for _ in range(2)]
        with ended(*workers):
            wait_for(lambda: len(master.workers()) == 2)
            time.sleep(0.3)
            assert len(master.running()) == 1


def test_too_many_failures_stop_the_run(tmp_path):
    worker = worker_process(tmp_path, "garbage")
    with ended(worker), master_in_thread(tmp_path, max_failures=2) as master:
        with pytest.raises(
            TooManyFailures, match=r"2 evaluations failed.*returned 0\.5"
        ):
            master.wait()
        assert "worker ended: the master ended it" in output(worker)
    assert len(master.results) == 2, "after this many"
    assert not master.run.credentials.exists() and not master.run.lock.exists()


def test_failures_of_earlier_attempts_count(tmp_path):
    worker = worker_process(tmp_path, "garbage")
    with (
        ended(worker),
        master_in_thread(tmp_path, max_failures=2) as master,
        pytest.raises(TooManyFailures),
    ):
        master.wait()
    with (
        master_in_thread(tmp_path, max_failures=2) as again,
        pytest.raises(TooManyFailures, match="2 evaluations failed"),
    ):
        again.wait()
    assert again.master is None, "no worker was ever started"
    with master_in_thread(tmp_path, max_failures=3) as third:
        status = third.master.status()
    assert (status["finished"], status["failed"]) == (2, 2)


def test_a_run_in_which_all_fails_for_one_reason_stops_and_says_so(tmp_path):
    worker = worker_process(tmp_path, "broken")
    with (
        ended(worker),
        master_in_thread(tmp_path) as master,
        pytest.raises(FailedRunError, match="no simulator at port") as error,
    ):
        master.wait()
    assert len(master.results) == 5
    assert "the first 5 evaluations all failed for the same reason" in str(error.value)
    worker = worker_process(tmp_path, "broken")
    with ended(worker), master_in_thread(tmp_path, max_failures=99) as allowed:
        allowed.wait()
    assert len(allowed.results) == 8, "to its end, where that is allowed"


def test_a_trial_that_kills_its_workers_has_failed_and_the_run_goes_on(tmp_path):
    asked = []

    def how_it_died(host, pid):
        asked.append((host, pid))
        return "killed by SIGKILL, see a.log"

    options = {"brackets": [Bracket(0, (3,), (1.0,))], "how_it_died": how_it_died}
    workers = [worker_process(tmp_path, "deadly") for _ in range(4)]
    with ended(*workers), master_in_thread(tmp_path, **options) as master:
        master.wait()
        assert sum(worker.poll() == -9 for worker in workers) == 3
    failed = [e for e in master.results if e.info["status"] == "failed"]
    assert [e.id for e in failed] == [(0, 0, 1)] and failed[0].loss == 1.0
    ((host, pid),) = asked
    assert failed[0].info["reason"] == (
        f"failed: its worker died 3 times, last pid {pid} on {host}: "
        "killed by SIGKILL, see a.log"
    )
    assert len(master.results) == 3 and len(_whole(master.run.results)) == 3


def _whole(path):
    return path.read_text().splitlines()


def test_a_status_that_cannot_be_written_is_told_once_and_ends_nothing(
    tmp_path, caplog
):
    (tmp_path / "status.json").mkdir()
    worker = worker_process(tmp_path, "slow")
    with ended(worker), master_in_thread(tmp_path) as master:
        master.wait()
    assert len(master.results) == 13
    assert caplog.text.count("the run goes on without a new status") == 1


def test_an_exception_in_the_master_ends_process_and_workers(tmp_path):
    worker = worker_process(tmp_path)
    master = master_process(tmp_path, "--raise-after", "4")
    with ended(worker, master):
        text = output(master)
        assert "RuntimeError: something in the master broke" in text
        assert master.returncode == 1
        assert "worker ended: the master ended it" in output(worker)
    assert not (tmp_path / "credentials.json").exists()
    assert len((tmp_path / "results.json").read_text().splitlines()) == 4


def test_an_error_in_a_dispatcher_thread_reaches_the_main_thread(tmp_path):
    with master_in_thread(tmp_path) as master:
        master.master.dispatcher.roster.table = None
        with pytest.raises(AttributeError):
            master.wait()


def test_interrupted_master_ends_everything_and_can_be_resumed(tmp_path):
    worker = worker_process(tmp_path, "endless")
    master = master_process(tmp_path)
    with ended(worker, master):
        wait_for_line(worker, "evaluating")
        master.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in output(master, 5)
        assert "worker ended: the master ended it" in output(worker, 5)
    worker, master = worker_process(tmp_path), master_process(tmp_path)
    with ended(worker, master):
        assert "master ended" in output(master)


def test_all_results_that_are_there_are_taken_before_the_next_proposal(tmp_path):
    order, out, run = [], [], RunPaths(tmp_path)
    inbox, roster = queue.SimpleQueue(), Roster()
    roster.workers = {n: WorkerHandle(n, "", "", "host", 1, 1.0) for n in "abc"}

    def submit(job):
        job.result = {"loss": 0.5, "info": {}}
        job.time_it("finished")
        out.append(job)
        if len(out) % 3 == 0:  # all come in at once
            for each in out[-3:]:
                inbox.put(each)

    def propose(_budget):
        order.append("proposal")
        return {"n": len(order)}, {}

    Master(
        run,
        [Bracket(0, (6,), (1.0,))],
        Mock(n_proposals=0, get_config=propose),
        Journal(run.configs, run.results),
        Mock(roster=roster, submit=submit),
        inbox,
        MasterSettings(),
        on_result=lambda _: order.append("result"),
    ).run()
    assert order == (["proposal"] * 3 + ["result"] * 3) * 2


# -- pure logic -------------------------------------------------------------------


def _job(index=0, budget=1.0):
    config_id = (0, 0, index)
    return Job(config_id, config={"n": index}, budget=budget, working_directory="")


def test_an_evaluation_is_finished_once_whoever_brings_it():
    table, job = JobTable(), _job()
    table.submit(job)
    assert table.next_job("a") is job
    assert table.requeue(job.token, "a") is job and job in table.waiting
    assert table.finish(job.token, {"loss": 0.5}) is job and not table.waiting
    assert table.finish(job.token, {"loss": 0.5}) is None
    assert not table.early


def test_an_evaluation_is_claimed_only_by_who_has_it():
    table, job = JobTable(), _job()
    table.submit(job)
    table.next_job("a")
    assert not table.claim(job.token, "b") and table.claim(job.token, "a")
    table.requeue(job.token, "a")
    assert not table.claim(job.token, "a")
    assert table.requeue(job.token, "a") is None


def test_what_was_taken_back_is_first_in_line():
    table, first, second = JobTable(), _job(0), _job(1)
    table.submit(first)
    table.submit(second)
    table.next_job("a")
    table.requeue(first.token, "a")
    assert list(table.waiting) == [first, second]


def test_a_result_may_come_before_its_evaluation_is_submitted_again():
    table, job = JobTable(), _job()
    assert table.finish(job.token, {"loss": 0.5}) is None
    assert table.submit(job) and not table.waiting


def test_a_worker_keeps_what_it_was_running_under_another_master():
    table, job = JobTable(), _job()
    table.orphans[job.token] = "a"
    assert not table.submit(job)
    assert table.running[job.token].worker_name == "a" and not table.waiting
    other = _job(1)
    table.submit(other)
    assert table.adopt(other.token, "b") and not table.waiting
    assert not table.adopt("unknown", "b")


@pytest.mark.parametrize("which", ["cycle", "aggressive", "top"])
def test_a_bracket_runs_its_plan_and_promotes_the_lowest(which):
    for bracket in hyperband_brackets(1, 27, 3, 3, which):
        numbers = iter(range(1000))
        state = SuccessiveHalving(bracket, lambda _b, n=numbers: ({"n": next(n)}, {}))
        done = []
        while (following := state.get_next_run()) is not None:
            config_id, config, budget = following
            job = Job(config_id, config=config, budget=budget, working_directory="")
            job.result = {"loss": -config["n"], "info": {}}
            state.register_result(job)
            done.append((config["n"], budget))
        assert state.is_finished
        assert state.done == list(bracket.num_configs)
        for budget, count in zip(bracket.budgets, bracket.num_configs, strict=True):
            here = sorted(n for n, b in done if b == budget)
            assert here == list(range(bracket.trials))[-count:]


def test_a_large_rung_costs_no_more_per_trial_than_a_small_one():
    """Counts steps, not seconds: hpbandster looks through all trials for each."""
    looks = 0

    class Counted(dict):
        def items(self):
            nonlocal looks
            looks += len(self)
            return super().items()

    state = SuccessiveHalving(Bracket(0, (2000,), (1.0,)), lambda _budget: ({}, {}))
    state.data = Counted()
    for _ in range(2000):
        config_id, config, budget = state.get_next_run()
        job = Job(config_id, config=config, budget=budget, working_directory="")
        job.result = {"loss": 0.5, "info": {}}
        state.register_result(job)
    assert state.is_finished and looks <= 2 * 2000
