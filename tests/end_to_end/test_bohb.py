"""BOHB from end to end: real processes, real sockets, a fake objective."""

from __future__ import annotations

import json
import logging

import pytest
from hpbandster.core.result import logged_results_to_HBS_result

from se_hpo.bohb.brackets import hyperband_brackets
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


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_three_workers_run_every_planned_evaluation_once_without_a_warning(
    tmp_path, caplog
):
    caplog.set_level(logging.INFO)  # slow: the first must not do it all alone
    workers = [worker_process(tmp_path, "slow") for _ in range(3)]
    with ended(*workers), master_in_thread(tmp_path, n_brackets=4) as master:
        result = master.wait()
        texts = [output(worker) for worker in workers]
    brackets = hyperband_brackets(1, 9, 3, 4)
    done = [(e.id, e.budget) for e in master.results]
    assert len(done) == len(set(done)) == sum(b.evaluations for b in brackets)
    for bracket in brackets:
        for budget, count in zip(bracket.budgets, bracket.num_configs, strict=True):
            here = [d for d in done if d[0][0] == bracket.index and d[1] == budget]
            assert len(here) == count
    assert all(e.loss == loss_of(e.kwargs["config"], e.budget) for e in master.results)
    assert len({e.worker_name for e in master.results}) == 3
    picks = [info["model_based_pick"] for _, _, info in _lines(master.run.configs)]
    assert any(picks) and not all(picks)
    assert {"slope" in e.kwargs["config"] for e in master.results} == {True, False}
    assert {e.kwargs["config"]["kind"] for e in master.results} == {"mlp"}
    assert result.get_incumbent_id() is not None
    assert all("worker ended: the master ended it" in text for text in texts)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert not any("WARNING" in text or "ERROR" in text for text in texts)


def test_the_best_of_a_rung_are_promoted(tmp_path):
    worker = worker_process(tmp_path)
    with ended(worker), master_in_thread(tmp_path) as master:
        master.wait()
    for low, high, count in ((1.0, 3.0, 3), (3.0, 9.0, 1)):
        losses = {e.id: e.loss for e in master.results if e.budget == low}
        best = sorted(losses, key=lambda cid: (losses[cid], cid))[:count]
        assert {e.id for e in master.results if e.budget == high} == set(best)


def test_journal_is_readable_by_hpbandster(tmp_path):
    worker = worker_process(tmp_path)
    with ended(worker), master_in_thread(tmp_path) as master:
        returned = master.wait()
    read = logged_results_to_HBS_result(str(tmp_path))
    assert read.get_incumbent_id() == returned.get_incumbent_id()
    assert len(read.get_all_runs()) == len(master.results) == 13
    assert {r.loss for r in read.get_all_runs()} == {e.loss for e in master.results}


def test_a_finished_run_starts_nothing_when_run_again(tmp_path):
    worker = worker_process(tmp_path)
    with ended(worker), master_in_thread(tmp_path) as master:
        first = master.wait()
    before = master.run.results.read_bytes()
    with master_in_thread(tmp_path) as again:
        second = again.wait()
    assert again.master is None and again.results == []
    assert second.get_incumbent_id() == first.get_incumbent_id()
    assert master.run.results.read_bytes() == before


def test_nothing_stays_behind_at_the_end(tmp_path):
    worker = worker_process(tmp_path)
    with ended(worker), master_in_thread(tmp_path) as master:
        master.wait()
        assert worker.wait(10) == 0
    assert not master.run.credentials.exists()
    assert not master.run.lock.exists()
    status = json.loads(master.run.status.read_text())
    assert status["finished"] == status["planned"] == 13
    assert status["state"] == "finished"


def _sequence(folder):
    """Everything that a seed decides, in order, and nothing that a clock does."""
    configs = _lines(folder / "configs.json")
    results = [
        (cid, budget, result["loss"], result["config"])
        for cid, budget, _stamps, result, _error in _lines(folder / "results.json")
    ]
    return configs, results


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    worker, master = worker_process(folder), master_process(folder)
    with ended(worker, master):
        assert "master ended" in output(master)
    sequence = _sequence(folder)
    assert len(sequence[1]) == 17
    assert any(info["model_based_pick"] for _, _, info in sequence[0])
    return sequence


@pytest.mark.parametrize("points", [(1, 6), (13,)])
def test_master_killed_and_resumed_equals_undisturbed(tmp_path, undisturbed, points):
    worker = worker_process(tmp_path)
    with ended(worker):
        for point in points:
            master = master_process(tmp_path, "--die-after", str(point))
            with ended(master):
                output(master)
                assert master.returncode == -9
        master = master_process(tmp_path)
        with ended(master):
            assert "master ended" in output(master)
        assert "worker ended" in output(worker)  # the same one, all the time
    assert _sequence(tmp_path) == undisturbed


def test_master_killed_at_any_moment_and_resumed_equals_undisturbed(
    tmp_path, undisturbed
):
    worker = worker_process(tmp_path)
    with ended(worker):
        for lines in (3, 10):
            master = master_process(tmp_path)
            with ended(master):
                wait_for(
                    lambda n=lines, m=master: (
                        m.poll() is not None
                        or (
                            (tmp_path / "configs.json").exists()
                            and len(_whole_lines(tmp_path / "configs.json")) >= n
                        )
                    )
                )
                kill(master)
        master = master_process(tmp_path)
        with ended(master):
            assert "master ended" in output(master)
    assert _sequence(tmp_path) == undisturbed


def _whole_lines(path):
    return [line for line in path.read_bytes().splitlines(True) if line.endswith(b"\n")]


def test_worker_killed_again_and_again_equals_undisturbed(tmp_path, undisturbed):
    master = master_process(tmp_path)
    with ended(master):
        for trial in (0, 0, 1, 1):  # a third time would be the trial's own fault
            worker = worker_process(tmp_path, "slow")
            with ended(worker):
                wait_for_line(worker, f"evaluating 000-0-00{trial}@1")
        worker = worker_process(tmp_path)
        with ended(worker):
            assert "master ended" in output(master)
    assert _sequence(tmp_path) == undisturbed
