"""`BOHB.minimize`: a function of one's own, in one call."""

import logging
import math
import time

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

import se_hpo
from se_hpo import BOHB
from se_hpo.errors import FailedRunError, UserError
from se_hpo.storage.records import Status

SPACE = ConfigurationSpace({"x": (-5.0, 5.0), "kind": ["a", "b"]}, seed=0)
BUDGETS = {"min_budget": 1, "max_budget": 9}


def loss(config, budget):
    return (config["x"] - 1) ** 2 + (config["kind"] == "a") + 1 / budget


def test_it_runs_the_search_that_ask_and_tell_would():
    search = BOHB.minimize(loss, SPACE, **BUDGETS, seed=3, n_brackets=4)
    by_hand = BOHB(SPACE, 1, 9, seed=3, n_brackets=4)
    while not by_hand.finished:
        trial = by_hand.ask()
        by_hand.tell(trial, loss(trial.config, trial.budget))
    assert search.finished
    assert search.trials().equals(by_hand.trials())
    assert search.incumbent == by_hand.incumbent
    assert search.incumbent.loss < 1


def test_without_a_number_there_are_two_cycles_and_budgets_are_whole():
    budgets = []
    search = BOHB.minimize(lambda c, b: budgets.append(b) or 0.0, SPACE, **BUDGETS)
    assert repr(search) == "<BOHB, 40 of 40 evaluations, loss 0 at budget 9>"
    assert {type(budget) for budget in budgets} == {int}
    assert set(budgets) == {1, 3, 9}
    single = BOHB.minimize(lambda c, b: c["x"], SPACE, 5, 5)
    assert len(single.trials()) == 30


def test_the_callback_is_told_of_each_trial_and_a_configuration_is_the_users_own():
    told = []

    def f(config, budget):
        config.clear()  # must harm nobody
        return float(len(told))

    search = BOHB.minimize(f, SPACE, **BUDGETS, n_brackets=2, callback=told.append)
    frame = search.trials()
    assert [t.name for t in told] == list(frame["trial"])
    assert [t.loss for t in told] == list(frame["loss"])
    assert all(set(t.config) == {"x", "kind"} for t in told)
    assert max(len(repr(t)) for t in told) < 200


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: None, "its loss is None, not a finite number"),
        (lambda: math.nan, "its loss is nan, not a finite number"),
        (lambda: "0.5", "its loss is '0.5', not a finite number"),
    ],
)
def test_a_failure_is_recorded_and_the_search_goes_on(bad, why, caplog):
    n = 0

    def f(config, budget):
        nonlocal n
        n += 1
        return bad() if n % 3 == 0 else np.float32(0.5)

    with caplog.at_level(logging.WARNING):
        search = BOHB.minimize(f, SPACE, **BUDGETS, n_brackets=2)
    frame = search.trials()
    failed = frame[frame["status"] == "failed"]
    assert len(failed) == len(frame) // 3
    assert all(why in reason for reason in failed["reason"])
    assert why in caplog.text and failed["trial"].iloc[0] in caplog.text
    assert search.incumbent.status is Status.FINISHED


def test_a_function_that_never_works_ends_the_search_with_its_error():
    with pytest.raises(FailedRunError, match=r"first 5 .* KeyError: 'lr'") as error:
        BOHB.minimize(lambda c, b: c["lr"], SPACE, **BUDGETS)
    assert isinstance(error.value.__cause__, KeyError)


@pytest.mark.parametrize("where", ["function", "callback"])
def test_what_ends_the_call_does_not_end_the_search(where):
    class EnoughError(BaseException):
        pass

    stop = [4]

    def count(at, value=None):
        stop[0] -= at == where
        if at == where and stop[0] == 0:
            raise EnoughError
        return value

    def f(config, budget):
        return count("function", loss(config, budget))

    search = BOHB(SPACE, **BUDGETS, seed=3, n_brackets=3)
    with pytest.raises(EnoughError):
        search.run(f, callback=lambda trial: count("callback"))
    assert not search.finished
    search.run(f)
    whole = BOHB.minimize(loss, SPACE, **BUDGETS, seed=3, n_brackets=3)
    assert search.trials().equals(whole.trials())


def test_budgets_and_settings_are_those_of_the_search():
    with pytest.raises(UserError, match="exchange them"):
        BOHB.minimize(loss, SPACE, 9, 1)
    with pytest.raises(UserError, match="seed"):
        BOHB.minimize(loss, SPACE, 1, 9, seed=-1)
    first = []
    BOHB.minimize(
        lambda c, b: first.append(c) or 0.0,
        SPACE,
        1,
        3,
        n_brackets=1,
        start_from=[{"x": 4.5, "kind": "b"}],
    )
    assert first[0] == {"x": 4.5, "kind": "b"}


def test_a_terminal_shows_how_far_it_is_unless_told_not_to(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    for progress in (True, False):
        se_hpo.BOHB.minimize(
            lambda c, b: time.sleep(0.01) or c["x"],
            SPACE,
            **BUDGETS,
            n_brackets=1,
            progress=progress,
        )
        out, shown = capsys.readouterr()
        assert (out, "13/13" in shown) == ("", progress)
