"""What comes next with many workers: nobody waits, and the same trials are promoted."""

from __future__ import annotations

import random

import pytest

from se_hpo.bohb.brackets import Bracket, hyperband_brackets
from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import Journal, replay_bracket
from se_hpo.bohb.schedule import Schedule

NINE = Bracket(0, (9, 3, 1), (1.0, 3.0, 9.0))


def sampler():
    numbers = iter(range(100_000))
    return lambda budget: ({"n": next(numbers)}, {})


def job(run, loss):
    config_id, config, budget = run
    done = Job(config_id, config=config, budget=budget, working_directory="")
    done.time_it("finished")
    done.result = {"loss": loss, "info": {}}
    return done


def asked(bracket, n):
    return [bracket.get_next_run() for _ in range(n)]


def tell(bracket, runs, losses):
    for run, loss in zip(runs, losses, strict=True):
        bracket.register_result(job(run, loss))


def searched(brackets, workers, loss, order):
    """Who was evaluated at which budget, in order of beginning."""
    schedule, out, done = Schedule(brackets, sampler()), [], []
    while not schedule.is_finished:
        while len(out) < workers:
            if (run := schedule.next_run(len(out))) is None:
                break
            out.append(run)
            done.append((run[0], run[2]))
        assert out, "nothing runs and nothing follows"
        run = out.pop(order.randrange(len(out)))
        schedule.begun[run[0][0]].register_result(job(run, loss(run)))
    return done


def loss_of(run):
    (bracket, _, number), _, budget = run
    return random.Random(f"{bracket} {number} {budget}").randrange(4)  # with ties


def test_who_is_sure_is_promoted_while_others_are_out():
    bracket = SuccessiveHalving(NINE, sampler())
    runs = asked(bracket, 9)
    tell(bracket, runs[:8], [5, 1, 4, 3, 2, 6, 7, 8])
    assert bracket.get_next_run() is None and bracket.stage == 0
    assert bracket.promote_early()
    assert bracket.queued() == [((0, 0, 1), 3.0), ((0, 0, 4), 3.0)], "not the third"
    assert not bracket.promote_early()


def test_the_last_result_decides_about_the_places_that_are_left():
    bracket = SuccessiveHalving(NINE, sampler())
    runs = asked(bracket, 9)
    tell(bracket, runs[:8], [5, 1, 4, 3, 2, 6, 7, 8])
    bracket.promote_early()
    tell(bracket, runs[8:], [0])
    assert bracket.stage == 1
    assert sorted(bracket.queued())[-1] == ((0, 0, 8), 3.0)
    assert len(bracket.queued()) == 3


def test_nobody_is_sure_while_more_are_out_than_are_promoted():
    bracket = SuccessiveHalving(NINE, sampler())
    tell(bracket, asked(bracket, 9)[:6], range(6))
    assert not bracket.promote_early()
    assert not bracket.queued()


def test_of_equals_who_was_proposed_first_is_sure():
    bracket = SuccessiveHalving(NINE, sampler())
    runs = asked(bracket, 9)
    tell(bracket, runs[8:0:-1], [1] * 8)
    bracket.promote_early()
    assert bracket.queued() == [((0, 0, 1), 3.0), ((0, 0, 2), 3.0)]
    tell(bracket, runs[:1], [1])
    assert [cid for cid, _ in sorted(bracket.queued())] == [
        (0, 0, i) for i in (0, 1, 2)
    ]


def test_the_promoted_may_be_done_before_their_own_rung_is():
    bracket = SuccessiveHalving(NINE, sampler())
    runs = asked(bracket, 9)
    tell(bracket, runs[:8], range(8))
    bracket.promote_early()
    tell(bracket, asked(bracket, 2), [1, 0])
    assert bracket.done == [8, 2, 0] and bracket.stage == 0
    tell(bracket, runs[8:], [9])
    assert bracket.queued() == [((0, 0, 2), 3.0)]
    tell(bracket, asked(bracket, 1), [2])
    assert bracket.queued() == [((0, 0, 1), 9.0)]
    tell(bracket, asked(bracket, 1), [0])
    assert bracket.is_finished and bracket.done == [9, 3, 1]


@pytest.mark.parametrize("workers", [2, 5, 16, 64])
@pytest.mark.parametrize("which", ["cycle", "aggressive", "top"])
def test_many_workers_evaluate_what_one_would_have(workers, which):
    """Where losses do not depend on when: proposals and promotions are the same."""
    brackets = hyperband_brackets(1, 27, 3, 6, which)
    alone = searched(brackets, 1, loss_of, random.Random(0))
    for seed in range(5):
        together = searched(brackets, workers, loss_of, random.Random(seed))
        assert sorted(together) == sorted(alone)


def test_one_worker_goes_bracket_by_bracket_and_rung_by_rung():
    brackets = hyperband_brackets(1, 27, 3, 5)
    done = searched(brackets, 1, loss_of, random.Random(0))
    assert done == sorted(done, key=lambda run: (run[0][0], run[1], run[0][2]))


def test_nobody_waits_while_there_is_a_bracket_to_begin():
    schedule = Schedule(hyperband_brackets(1, 27, 3, 40), sampler())
    out = [schedule.next_run(n) for n in range(100)]
    assert None not in out
    assert len({run[0] for run in out}) == 100


def test_at_the_end_what_has_most_before_it_goes_first():
    brackets = (NINE, Bracket(1, (2,), (9.0,)))
    schedule = Schedule(brackets, sampler())
    first = [schedule.next_run(n) for n in range(4)]
    runs = [run[0][0] for run in first]
    assert runs == [0, 0, 0, 0], "it is not yet the end"
    for run in (first.pop(0), first.pop(0)):
        schedule.begun[0].register_result(job(run, 1.0))
    tell_all = [schedule.next_run(n) for n in range(2, 7)] + first
    for run in tell_all:
        schedule.begun[0].register_result(job(run, run[0][2]))
    at_the_end = [schedule.next_run(n) for n in range(3, 8)]
    assert [(run[0][0], run[2]) for run in at_the_end] == [(1, 9.0)] * 2 + [
        (0, 3.0)
    ] * 3


def test_a_search_without_end_has_no_end_to_prepare_for():
    schedule = Schedule([NINE], sampler(), ends=False)
    assert [schedule.next_run(n)[0] for n in range(9)] == [(0, 0, i) for i in range(9)]
    assert schedule.next_run(9) is None and not schedule.is_finished


# -- after a kill ------------------------------------------------------------------


def journal_of(folder):
    return Journal(folder / "configs.json", folder / "results.json")


def replayed(folder):
    journal = journal_of(folder)
    bracket = SuccessiveHalving(NINE, sampler(), journal)
    finished = dict(journal.results)
    replay_bracket(bracket, journal, finished, lambda config, budget: None)
    return bracket, finished


def killed(folder, early):
    """After 8 of 9 results, two early promotions, and `early` results of theirs."""
    journal = journal_of(folder)
    bracket = SuccessiveHalving(NINE, sampler(), journal)
    runs = asked(bracket, 9)
    for run, loss in zip(runs[:8], range(8), strict=True):
        journal(job(run, loss))
        bracket.register_result(job(run, loss))
    bracket.promote_early()
    for run in asked(bracket, 2)[:early]:
        journal(job(run, 0.5))
        bracket.register_result(job(run, 0.5))
    return runs


@pytest.mark.parametrize("early", [0, 1, 2])
def test_a_replay_knows_who_was_promoted_early(tmp_path, early):
    runs = killed(tmp_path, early)
    bracket, untaken = replayed(tmp_path)
    assert not untaken
    assert bracket.done == [8, early, 0]
    assert bracket.queued() == [(runs[8][0], 1.0)], "others when their time comes"
    tell(bracket, asked(bracket, 1), [9])
    assert len(bracket.queued()) == 3 - early


def test_a_replay_does_not_need_the_order_of_the_results(tmp_path):
    killed(tmp_path, 2)
    path = tmp_path / "results.json"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(reversed(lines)))
    bracket, untaken = replayed(tmp_path)
    assert bracket.done == [8, 2, 0] and not untaken


def test_an_early_result_whose_rung_was_damaged_is_taken_when_it_is_reached(tmp_path):
    killed(tmp_path, 2)
    path = tmp_path / "results.json"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[3:]))
    bracket, untaken = replayed(tmp_path)
    assert bracket.done == [5, 0, 0] and len(untaken) == 2
    tell(bracket, asked(bracket, 4), [0, 1, 2, 9])
    assert bracket.stage == 1 and set(untaken) <= set(bracket.queued())
