"""NES curves over runs that ended early, that still run, and that never solve."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_hpo import analysis
from se_hpo.errors import UserError
from tests.helpers.analysis_frames import generation_frame

pytestmark = pytest.mark.filterwarnings("error")

# Solved at generation 1 and over; at work; the longest, which falls again at the end.
RUNS = {
    ("varied", 0): [10.0, 196.0],
    ("varied", 1): [10.0, 20.0, 30.0],
    ("varied", 2): [40.0, 50.0, 198.0, 60.0],
}


def test_ended_runs_are_carried_forward_and_others_are_not() -> None:
    runs = analysis.run_curves(generation_frame(RUNS))
    scores = runs.groupby("se")["center_score"].apply(list).to_dict()
    assert scores == {
        0: [10.0, 196.0, 196.0, 196.0],
        1: [10.0, 20.0, 30.0],
        2: [40.0, 50.0, 198.0, 60.0],
    }
    assert runs["carried"].to_list() == [False] * 2 + [True] * 2 + [False] * 7
    last = runs[(runs["se"] == 2) & (runs["generation"] == 3)].iloc[0]
    assert (last["best_score"], last["solved"]) == (198.0, True)  # solved before


def test_runs_known_to_have_ended_are_carried_too() -> None:
    ended = [("run", "varied", 1)]
    runs = analysis.run_curves(generation_frame(RUNS), finished=ended)
    assert runs.groupby("se").size().to_dict() == {0: 2, 1: 4, 2: 4}


def test_means_by_hand() -> None:
    curve = analysis.nes_curves(generation_frame(RUNS))
    assert curve["generation"].to_list() == [0, 1, 2, 3]
    assert curve["n_runs"].to_list() == [3, 3, 3, 3]
    assert curve["n_known"].to_list() == [3, 3, 3, 2]
    assert curve["mean"].to_list() == pytest.approx([20, 266 / 3, 424 / 3, 128])
    assert curve["median"].to_list() == [10.0, 50.0, 196.0, 128.0]
    assert curve["std"].iloc[3] == pytest.approx(np.std([196, 60], ddof=1))
    assert (curve["q25"].iloc[3], curve["q75"].iloc[3]) == (94.0, 162.0)
    assert curve["share_solved"].to_list() == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3])


def test_one_curve_per_set_ends_with_its_own_longest_run() -> None:
    more = RUNS | {("fixed", 0): [1.0, 2.0]}
    curve = analysis.nes_curves(generation_frame(more), by="se_set")
    assert curve.groupby("se_set")["generation"].max().to_dict() == {
        "varied": 3,
        "fixed": 1,
    }
    assert list(curve.columns)[:2] == ["se_set", "generation"]


def test_until_cuts_and_lengthens() -> None:
    frame = generation_frame(RUNS)
    short = analysis.nes_curves(frame, until=1)
    assert short["generation"].to_list() == [0, 1]
    assert short["share_solved"].to_list() == pytest.approx([0, 1 / 3])
    long = analysis.nes_curves(frame, until=5)
    # Only the run that solved it last is known to have ended.
    assert long["n_known"].to_list() == [3, 3, 3, 2, 1, 1]


def test_trials_of_a_bohb_run_have_curves() -> None:
    frame = generation_frame({"000-0-000": [9.0, 10.0], "000-0-001": [8.0]}, se=False)
    curve = analysis.nes_curves(frame)
    assert curve["mean"].to_list() == [8.5, 10.0]
    assert "trial" in analysis.run_curves(frame)


def test_a_single_run() -> None:
    curve = analysis.nes_curves(generation_frame({("a", 0): [50.0]}))
    assert curve["mean"].to_list() == [50.0] and math.isnan(curve["std"].iloc[0])


def test_a_task_without_a_solved_return_is_never_solved() -> None:
    frame = generation_frame(RUNS)
    frame["solved"] = pd.array([pd.NA] * len(frame), dtype="boolean")
    assert analysis.nes_curves(frame)["share_solved"].eq(0.0).all()


@pytest.mark.parametrize("by", [None, "se_set"])
def test_no_generations_give_a_curve_without_points(by: str | None) -> None:
    empty = generation_frame({})
    assert analysis.run_curves(empty).empty
    curve = analysis.nes_curves(empty, by=by)
    assert curve.empty and "share_solved" in curve


def test_another_frame_is_refused() -> None:
    with pytest.raises(UserError, match="no NES generations"):
        analysis.nes_curves(pd.DataFrame({"loss": [1.0]}))


@given(
    st.lists(
        st.lists(st.floats(0, 200), min_size=1, max_size=6), min_size=1, max_size=6
    )
)
@settings(max_examples=15, deadline=None)
def test_the_share_solved_never_falls_and_order_does_not_matter(
    scores: list[list[float]],
) -> None:
    frame = generation_frame({("s", i): s for i, s in enumerate(scores)})
    curve = analysis.nes_curves(frame)
    assert curve["share_solved"].is_monotonic_increasing
    assert curve["share_solved"].iloc[-1] == np.mean([max(s) >= 195 for s in scores])
    shuffled = analysis.nes_curves(frame.iloc[::-1])
    pd.testing.assert_frame_equal(curve, shuffled)
