"""Who has which evaluation, without a network."""

import threading

import pytest

from se_hpo.bohb.job_table import Job
from se_hpo.bohb.wire import roster as roster_module
from se_hpo.bohb.wire.roster import Roster, WorkerHandle


@pytest.fixture
def at_work():
    """A roster with one worker, which has just claimed the only evaluation."""
    roster = Roster()
    worker, again = (WorkerHandle("w", "", "", "host", 1, 1.0) for _ in range(2))
    assert roster.add(worker) and not roster.add(again)
    roster.set_idle(worker)
    job = Job((0, 0, 0), config={}, budget=1.0, working_directory="")
    assert not roster.submit(job)
    assert roster.next_pair(threading.Event(), 1.0) == (job, worker)
    assert roster.table.claim(job.token, "w")
    return roster, worker, job


def test_a_heartbeat_from_before_the_claim_takes_nothing_away(at_work):
    roster, worker, job = at_work
    assert roster.agree(worker, None) == "ok"
    assert worker.job is job and not roster.table.waiting and not roster.idle
    assert roster.agree(worker, job.token) == "ok"


def test_what_a_worker_claimed_and_does_not_do_is_queued_again(at_work, monkeypatch):
    roster, worker, job = at_work
    monkeypatch.setattr(roster_module, "SETTLE_SECONDS", 0.0)
    assert roster.agree(worker, None) == "ok"
    assert worker.job is None and list(roster.table.waiting) == [job]
    assert list(roster.idle) == ["w"]


def test_the_evaluation_of_a_worker_that_is_gone_is_queued_again_once(at_work):
    roster, worker, job = at_work
    with roster.lock:
        assert roster.remove(worker) is job
        roster.requeue(worker)
        assert roster.remove(worker) is None
    assert list(roster.table.waiting) == [job] and roster.lost == 1


def test_only_deaths_without_progress_in_between_are_counted_together():
    job = Job((0, 0, 0), config={}, budget=1.0, working_directory="")
    assert job.count_death(0) == 0, "it had not even begun"
    job.claimed = True
    assert [job.count_death(p) for p in (0, 0, 10, 10, 25, 25, 25)] == [
        *(1, 2, 1, 2, 1, 2, 3)
    ]
