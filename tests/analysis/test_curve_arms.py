"""Learning curves: steps until solved, what is saved, what a network has cost."""

import numpy as np
import pandas as pd
import pytest

from se_hpo import analysis
from se_hpo.analysis.curve_arms import median
from se_hpo.analysis.table_columns import CURVE_BREAK_EVEN, CURVE_TABLE, MEAN_CURVES
from se_hpo.errors import UserError
from tests.helpers.analysis_frames import outcome_frame, outcome_row
from tests.helpers.curve_frames import STEPS, curve_frames

SOLVED = {None: 800, "additive_potential": 200, ("rn_random", "exclusive"): None}
SOLVED |= {"exclusive": 500}
FEW = {"n_resamples": 200}


def arm(table, kind, train_env):
    (row,) = table[(table["kind"] == kind) & (table["train_env"] == train_env)].to_dict(
        "records"
    )
    return row


def test_an_arm_has_its_median_and_what_it_saves_against_the_agent_alone():
    agents, _ = curve_frames(SOLVED)
    table = analysis.curve_table(agents, **FEW)
    assert dict(table.dtypes.astype(str)) == CURVE_TABLE
    alone = arm(table, "", "real")
    found = arm(table, "additive_potential", "rn_fixed")
    assert 180 <= found["steps_to_solve"] <= 220 and found["share_solved"] == 1
    assert found["steps_to_solve_low"] <= found["steps_to_solve"]
    assert 560 <= found["steps_saved_low"] <= found["steps_saved"] <= 640
    assert found["area_gain"] == pytest.approx(found["area"] - alone["area"])
    assert (alone["n_envs"], found["n_envs"], found["n_agents"]) == (0, 6, 18)
    assert np.isnan(alone["steps_saved"])


def test_an_agent_that_never_solves_counts_with_all_its_steps():
    agents, _ = curve_frames(SOLVED)
    never = arm(analysis.curve_table(agents, **FEW), "exclusive", "rn_random")
    assert never["steps_to_solve"] == STEPS and never["share_solved"] == 0
    assert never["steps_saved"] < 0


def test_kinds_of_one_train_env_are_arms_of_their_own_and_real_comes_first():
    agents, _ = curve_frames(SOLVED)
    table = analysis.curve_table(agents.sample(frac=1, random_state=1), **FEW)
    arms = list(zip(table["kind"], table["train_env"], strict=True))
    assert arms[0] == ("", "real") and len(set(arms)) == 4
    pd.testing.assert_frame_equal(table, analysis.curve_table(agents, **FEW))


def test_an_agent_that_is_there_twice_is_refused():
    agents, _ = curve_frames(SOLVED)
    with pytest.raises(UserError, match="there twice"):
        analysis.curve_table(pd.concat([agents, agents.iloc[:1]]))


def test_agents_without_curves_are_none_of_them():
    agents, curves = curve_frames(SOLVED)
    agents["area"] = np.nan
    assert analysis.curve_table(agents).empty
    assert dict(analysis.mean_curves(curves.iloc[:0]).dtypes.astype(str)) == MEAN_CURVES


def test_the_weighted_median_is_that_of_repeated_values():
    rng = np.random.default_rng(0)
    values = rng.normal(size=9)
    weights = rng.integers(0, 4, (50, 9)).astype(float)
    expected = [np.median(np.repeat(values, w.astype(int))) for w in weights]
    assert median(values, weights) == pytest.approx(expected)


def test_mean_curves_step_where_agents_do_and_lie_within_their_band():
    _, curves = curve_frames(SOLVED)
    means = analysis.mean_curves(curves, [100, 300, STEPS], **FEW)
    own = means[means["kind"] == "additive_potential"].set_index("step")["mean"]
    assert own.to_dict() == {100: 10.0, 300: 200.0, STEPS: 200.0}
    whole = analysis.mean_curves(curves, **FEW)
    assert (whole["low"] <= whole["mean"]).all() and len(whole) > 500


def test_a_reward_network_costs_every_step_that_was_taken_for_it():
    agents, _ = curve_frames(SOLVED)
    rows = [
        outcome_row("rn_fixed", i, se_set=f"rn_fixed-{kind}")
        for kind in ("additive_potential", "exclusive")
        for i in range(6)
    ]
    table = analysis.curve_table(agents, **FEW)
    paid = analysis.curve_break_even(table, agents, outcome_frame(rows))
    assert dict(paid.dtypes.astype(str)) == CURVE_BREAK_EVEN
    found = arm(paid, "additive_potential", "rn_fixed")
    assert found["cost"] == 560_000 and found["verdict"] == "pays off"
    assert found["agents"] == np.ceil(560_000 / found["steps_saved"])
    assert found["agents_low"] <= found["agents"] <= found["agents_high"]
    unknown = arm(paid, "exclusive", "rn_random")
    assert unknown["verdict"] == "unknown" and np.isnan(unknown["agents"])
