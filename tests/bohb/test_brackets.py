"""The ladder keeps its rungs and ends, and the brackets cost what the plan says."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_hpo.bohb.brackets import Bracket, budget_ladder, hyperband_brackets, plan
from se_hpo.errors import UserError


@pytest.mark.parametrize(
    ("ends", "eta", "rungs"),
    [
        ((1, 243), 3, (1, 3, 9, 27, 81, 243)),  # truncation loses a rung here
        ((1, 6**12), 6, tuple(6**i for i in range(13))),  # and here
        ((3, 27), 3, (3, 9, 27)),
        ((1, 1), 3, (1,)),
        ((7, 7), 2, (7,)),
        ((3, 5), 3, (3, 5)),  # less than one step apart: both ends all the same
        ((3, 20), 3, (3, 8, 20)),
        ((2, 16), 2, (2, 4, 8, 16)),
        ((1, 3), 1.1, (1, 2, 3)),  # rungs that round to the same budget are one
    ],
)
def test_the_ladder_has_every_rung_between_exact_ends(ends, eta, rungs):
    ladder = budget_ladder(*ends, eta)
    assert ladder == rungs
    assert all(type(budget) is float for budget in ladder)


@settings(max_examples=50, deadline=None)
@given(
    low=st.integers(1, 1000),
    factor=st.integers(1, 5000),
    eta=st.floats(1.05, 10),
)
def test_any_ladder_is_whole_strictly_increasing_and_exact_at_both_ends(
    low, factor, eta
):
    ladder = budget_ladder(low, low * factor, eta)
    assert (ladder[0], ladder[-1]) == (low, low * factor)
    assert all(a < b for a, b in itertools.pairwise(ladder))
    assert all(budget == int(budget) for budget in ladder)


@pytest.mark.parametrize(
    ("low", "high", "eta", "words"),
    [
        (9, 3, 3, "above max budget"),
        (0, 3, 3, "min budget = 0"),
        (0.5, 3, 3, "min budget = 0.5"),
        (1, 2.5, 3, "max budget = 2.5"),
        (1, math.inf, 3, "max budget = inf"),
        (math.nan, 3, 3, "min budget = nan"),
        (1, 9, 1, "eta = 1"),
        (1, 9, 0.5, "eta = 0.5"),
        (1, 9, math.nan, "eta = nan"),
    ],
)
def test_bad_budgets_are_a_user_error_of_one_line(low, high, eta, words):
    with pytest.raises(UserError, match=words) as caught:
        budget_ladder(low, high, eta)
    assert "\n" not in str(caught.value)


def test_the_cycle_is_hyperbands_and_starts_again():
    brackets = hyperband_brackets(1, 9, 3, n_brackets=4)
    assert [b.num_configs for b in brackets] == [(9, 3, 1), (3, 1), (3,), (9, 3, 1)]
    assert [b.budgets for b in brackets] == [(1, 3, 9), (3, 9), (9,), (1, 3, 9)]
    assert [b.index for b in brackets] == [0, 1, 2, 3]


def test_sizes_of_exact_powers_survive_rounding():
    (first,) = hyperband_brackets(1, 243, 3, n_brackets=1)
    assert first.num_configs == (243, 81, 27, 9, 3, 1)
    (first,) = hyperband_brackets(1, 6**12, 6, n_brackets=1)
    assert first.num_configs == tuple(6**i for i in reversed(range(13)))


def test_every_rung_has_a_trial_whatever_eta():
    for eta in (1.3, 2.5, 4):
        for bracket in hyperband_brackets(1, 50, eta, n_brackets=12):
            counts = bracket.num_configs
            assert min(counts) >= 1
            assert list(counts) == sorted(counts, reverse=True)
            assert len(counts) == len(bracket.budgets)


def test_aggressive_brackets_always_use_all_rungs():
    brackets = hyperband_brackets(1, 9, 3, n_brackets=3, which="aggressive")
    assert {b.num_configs for b in brackets} == {(9, 3, 1)}


def test_top_brackets_cost_about_what_the_cycle_costs():
    cycle = plan(hyperband_brackets(1, 27, 3, n_brackets=40))
    top = hyperband_brackets(1, 27, 3, n_brackets=40, which="top")
    assert {b.budgets for b in top} == {(27.0,)}
    assert plan(top).generations == pytest.approx(cycle.generations, rel=0.25)


def test_a_promoted_trial_pays_only_the_difference():
    bracket = Bracket(0, (9, 3, 1), (1.0, 3.0, 9.0))
    assert bracket.generations == 9 * 1 + 3 * (3 - 1) + 1 * (9 - 3)
    assert (bracket.trials, bracket.evaluations) == (9, 13)


def test_the_plan_adds_up():
    brackets = hyperband_brackets(1, 9, 3, n_brackets=3)
    total = plan(brackets)
    assert (total.brackets, total.trials, total.evaluations) == (3, 15, 20)
    assert total.generations == 21 + (3 * 3 + 1 * 6) + 3 * 9


def test_no_brackets_and_unknown_kinds_are_user_errors():
    with pytest.raises(UserError, match="0 brackets"):
        hyperband_brackets(1, 9, 3, n_brackets=0)
    with pytest.raises(UserError, match="did you mean 'cycle'"):
        hyperband_brackets(1, 9, 3, n_brackets=1, which="cycel")
