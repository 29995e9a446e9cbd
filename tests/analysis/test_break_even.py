"""After how many agents an SE has paid for itself: by hand, never, and not known."""

import math
from typing import Any

import pandas as pd
import pytest

from se_hpo import analysis
from se_hpo.analysis import table_columns
from tests.helpers.analysis_frames import (
    evaluation_frame,
    evaluations_of,
    noisy,
    outcome_frame,
    outcome_row,
    trial_frame,
)

pytestmark = pytest.mark.filterwarnings("error")

UNITS = ["env_steps_task", "env_steps", "cpu_seconds"]


def outcomes(n_ses: int = 6, **changes: Any) -> pd.DataFrame:
    return outcome_frame(
        [
            outcome_row(train_env, se, **changes)
            for train_env in ("se_varied", "se_fixed")
            for se in range(n_ses)
        ]
    )


def varied(table: pd.DataFrame, unit: str, with_bohb: bool = False) -> pd.Series:
    chosen = table[
        (table["train_env"] == "se_varied")
        & (table["unit"] == unit)
        & (table["with_bohb"] == with_bohb)
    ]
    assert len(chosen) == 1
    return chosen.iloc[0]


@pytest.fixture(scope="module")
def equal() -> pd.DataFrame:
    """SEs and task alike in score; 4,000 against 10,000 steps, 0.5 against 1 s."""
    return evaluations_of(lambda *_: 190.0)


def test_by_hand_without_bohb(equal: pd.DataFrame) -> None:
    table = analysis.break_even(equal, outcomes())
    assert list(table["train_env"].unique()) == ["se_varied", "se_fixed"]
    assert list(table["unit"][:3]) == UNITS and not table["with_bohb"].any()
    real, steps, seconds = (varied(table, unit) for unit in UNITS)
    assert (real["cost_per_se"], real["saved_per_agent"]) == (60_000, 10_000)
    assert real["agents"] == 6
    assert (steps["cost_per_se"], steps["saved_per_agent"]) == (560_000, 6_000)
    assert steps["agents"] == 94  # 93.3
    assert (seconds["cost_per_se"], seconds["saved_per_agent"]) == (20.0, 0.5)
    assert (seconds["agents"], seconds["agents_low"], seconds["agents_high"]) == (
        40,
        40,
        40,
    )
    assert set(table["verdict"]) == {"pays off"}
    assert real["note"] == (
        "an SE cost 60,000 real env steps, an agent saves 10,000: paid for after 6 "
        "agents"
    )


def test_the_share_of_bohb_is_spread_over_all_learned_ses(equal: pd.DataFrame) -> None:
    trials = trial_frame(
        [
            {"trial": "a", "budget": 1.0, "loss": 0.9, "env_steps_task": 20_000},
            {"trial": "b", "budget": 1.0, "loss": 0.8, "env_steps_task": 10_000},
            # promoted: its steps count from its beginning
            {"trial": "b", "budget": 3.0, "loss": 0.5, "env_steps_task": 100_000},
        ]
    )
    random = outcome_frame([outcome_row("se_random", 0)])
    table = analysis.break_even(equal, pd.concat([outcomes(), random]), trials)
    row = varied(table, "env_steps_task", with_bohb=True)
    assert row["bohb_cost"] == 120_000 / 12
    assert (row["cost_per_se"], row["agents"]) == (70_000, 7)
    assert varied(table, "env_steps_task")["agents"] == 6


def test_solved_ses_pay_for_the_unsolved_where_only_they_are_used() -> None:
    frame = evaluations_of(lambda *_: 190.0)
    frame.loc[frame["se"].isin([0, 1, 2]).to_numpy(bool), "se_solved"] = False
    runs = outcomes()
    runs["solved"] = runs["se"] >= 3
    row = varied(analysis.break_even(frame, runs), "env_steps_task")
    assert row["cost_per_se"] == 60_000
    row = varied(
        analysis.break_even(analysis.solved_only(frame), runs), "env_steps_task"
    )
    assert row["cost_per_se"] == 120_000


def test_a_set_pays_for_its_unsolved_whatever_other_sets_did() -> None:
    frame = evaluations_of(lambda *_: 190.0)
    unsolved = frame["se"].isin([0, 1, 2]).to_numpy(bool)
    frame.loc[unsolved, "se_solved"] = False
    frame = frame[~unsolved | (frame["train_env"] != "se_varied").to_numpy(bool)]
    runs = outcomes()
    runs["solved"] = runs["se"] >= 3
    trial = {"trial": "a", "budget": 1.0, "loss": 0.5, "env_steps_task": 90_000}
    table = analysis.break_even(frame, runs, trial_frame([trial]))
    row = varied(table, "env_steps_task", with_bohb=True)
    assert (row["nes_cost"], row["bohb_cost"]) == (120_000, 90_000 / (3 + 6))


def test_as_many_steps_as_on_the_task_are_said_to_be_as_many(
    equal: pd.DataFrame,
) -> None:
    row = varied(
        analysis.break_even(equal.assign(env_steps=9_000), outcomes()), "env_steps"
    )
    assert (row["verdict"], row["saved_per_agent"]) == ("never", 0)
    assert row["note"] == (
        "never: an agent needs as many env steps (SE or real) as on the task"
    )


@pytest.mark.parametrize(("n", "words"), [(1, "one SE"), (2, "2 SEs"), (4, "4 SEs")])
def test_below_five_ses_there_is_no_verdict(
    equal: pd.DataFrame, n: int, words: str
) -> None:
    table = analysis.break_even(equal[equal["pair"] < 5 * n], outcomes())
    row = varied(table, "env_steps_task")
    assert (row["verdict"], row["n_ses"]) == ("too few SEs", n)
    assert math.isnan(row["agents"])
    assert row["note"] == f"{words}: too few to say whether the return is worse"


def test_a_run_that_raised_left_no_se_but_is_paid_for(equal: pd.DataFrame) -> None:
    runs = outcomes()
    raised = runs["se"].isin([4, 5])
    runs.loc[raised, "solved"], runs.loc[raised, "best_score"] = False, math.nan
    row = varied(analysis.break_even(equal, runs), "env_steps_task")
    assert row["cost_per_se"] == 60_000 * 6 / 4


def test_a_part_of_an_evaluation_does_not_change_the_cost(equal: pd.DataFrame) -> None:
    table = analysis.break_even(equal[equal["pair"] < 10], outcomes())
    assert varied(table, "env_steps_task")["cost_per_se"] == 60_000


def test_more_steps_than_on_the_task_never_pay(equal: pd.DataFrame) -> None:
    slower = equal.copy()
    slower.loc[slower["train_env"] != "real", "env_steps"] = 12_000
    table = analysis.break_even(slower, outcomes())
    assert varied(table, "env_steps_task")["verdict"] == "pays off"
    row = varied(table, "env_steps")
    assert (row["verdict"], row["saved_per_agent"]) == ("never", -2_000)
    assert math.isnan(row["agents"])
    assert row["note"] == (
        "never: an agent on the SE needs 2,000 env steps (SE or real) more than on the "
        "task"
    )


def test_worse_agents_are_no_saving() -> None:
    frame = evaluations_of(noisy(gain=-60.0, spread=5.0))
    row = varied(analysis.break_even(frame, outcomes()), "env_steps_task")
    assert row["verdict"] == "cheaper but worse"
    assert math.isnan(row["agents"]) and row["saved_per_agent"] == 10_000
    assert row["difference_high"] < 0
    assert row["note"].startswith("cheaper but worse: mean return ")


def test_a_difference_that_may_be_none_is_not_worse() -> None:
    frame = evaluations_of(noisy(seed=3, gain=-1.0, spread=30.0))
    row = varied(analysis.break_even(frame, outcomes()), "env_steps_task")
    assert row["difference_low"] < 0 < row["difference_high"]
    assert row["verdict"] == "pays off"


def test_an_uncertain_saving_has_no_upper_end(equal: pd.DataFrame) -> None:
    frame = equal.copy()
    odd = (frame["se"] % 2).fillna(0).to_numpy(int)
    on_se = (frame["train_env"] != "real").to_numpy(bool)
    frame.loc[on_se, "env_steps"] = (100 + 15_900 * odd)[on_se]
    table = analysis.break_even(frame, outcomes())
    row = varied(table, "env_steps")
    assert row["saved_per_agent_low"] < 0 < row["saved_per_agent"]
    assert (row["verdict"], row["agents_high"]) == ("pays off", math.inf)
    assert "perhaps never" in row["note"]


@pytest.mark.parametrize(
    ("evaluations", "runs", "note"),
    [
        (lambda f: f[f["train_env"] != "real"], outcomes(), "no pairs with the task"),
        (lambda f: f, outcomes(0), "no finished NES run of its set"),
        (lambda f: f, outcomes(task="Acrobot-v1"), "no finished NES run of its set"),
        (lambda f: f.assign(score=math.nan), outcomes(), "no pairs with the task"),
    ],
)
def test_what_is_missing_is_said(
    equal: pd.DataFrame, evaluations: Any, runs: pd.DataFrame, note: str
) -> None:
    table = analysis.break_even(evaluations(equal), runs)
    assert set(table["verdict"]) == {"unknown"}
    assert table["note"].str.contains(note).all()
    assert table["agents"].isna().all()


def test_nothing_gives_a_table_without_rows() -> None:
    table = analysis.break_even(evaluation_frame([]), outcomes(0))
    assert table.empty
    assert {n: str(t) for n, t in table.dtypes.items()} == table_columns.BREAK_EVEN
