"""The time to go is that of the median evaluation of each step: it does not jump."""

from dataclasses import replace

import pytest

from se_hpo.bohb.status import Bracket, Rung, Running
from se_hpo.optimize.time_to_go import StepSeconds, seconds_to_go, step_of
from se_hpo.storage.records import EvaluationRecord, Status

RECORD = EvaluationRecord("000-0-000", 0, 0, 1.0, Status.FINISHED, 0.5, "budget")


def brackets(done: tuple[int, int]) -> list[Bracket]:
    """Three trials for 1 generation and one for 3; then one for 3 at once."""
    first = Bracket(0, False, [Rung(1.0, done[0], 3), Rung(3.0, done[1], 1)])
    return [first, Bracket(1, False, [Rung(3.0, 0, 1)])]


def seconds(*of: tuple[float, float], bracket: int = 0) -> StepSeconds:
    found = StepSeconds()
    for budget, took in of:
        record = replace(RECORD, bracket=bracket, budget=budget, wall_seconds=took)
        found.add(record, brackets((0, 0)))
    return found


def test_a_promoted_trial_takes_only_its_own_step():
    first, second = brackets((0, 0))
    assert (step_of(first, 3.0), step_of(second, 3.0)) == (2.0, 3.0)
    assert seconds((3.0, 20.0)).of(2.0) == 20.0
    assert seconds((3.0, 20.0)).of(3.0) == 30.0  # in proportion


def test_what_is_left_is_by_rung_and_a_slow_evaluation_does_not_move_it():
    known = seconds((1.0, 10.0), (1.0, 10.0), (1.0, 500.0), (3.0, 20.0))
    left = seconds_to_go(brackets((2, 0)), [], known, 0.0, 1)
    assert left == pytest.approx(10 + 20 + 30)
    assert seconds_to_go(brackets((2, 0)), [], known, 0.0, 2) == pytest.approx(60 / 2)


def test_the_time_that_a_running_evaluation_had_counts_and_never_more_than_it_takes():
    known, now = seconds((1.0, 10.0)), 1000.0
    running = [Running((0, 0, 2), 1.0, since=now - 4)]
    state = brackets((2, 0))
    assert seconds_to_go(state, running, known, now, 1) == pytest.approx(60 - 4)
    late = [Running((0, 0, 2), 1.0, since=now - 400)]
    assert seconds_to_go(state, late, known, now, 1) == pytest.approx(60 - 10)


def test_the_last_one_is_not_shared_among_many_workers():
    known, now = seconds((3.0, 20.0), bracket=1), 1000.0
    state = [Bracket(0, True, [Rung(1.0, 3, 3)]), Bracket(1, False, [Rung(3.0, 0, 1)])]
    running = [Running((1, 0, 0), 3.0, since=now - 5)]
    assert seconds_to_go(state, running, known, now, 8) == pytest.approx(15)


def test_nobody_knows_before_one_has_ended_and_failures_say_nothing():
    assert seconds_to_go(brackets((0, 0)), [], StepSeconds(), 0.0, 1) is None
    found = StepSeconds()
    found.add(replace(RECORD, status=Status.FAILED, wall_seconds=1), brackets((0, 0)))
    found.add(replace(RECORD, bracket=7, wall_seconds=1), brackets((0, 0)))
    assert found.of(1.0) is None


def test_nothing_left_takes_nothing():
    assert (
        seconds_to_go([Bracket(0, True, [Rung(1.0, 3, 3)])], [], seconds(), 0, 1) == 0
    )
