"""What a BOHB run says about its budgets, its model, its progress and its cost."""

import math
import sys
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from se_hpo import analysis
from se_hpo.analysis import table_columns
from se_hpo.errors import UserError
from tests.helpers.analysis_frames import trial_frame

pytestmark = pytest.mark.filterwarnings("error")


def two_budgets(low: list[float], high: list[float]) -> pd.DataFrame:
    """Trials at budget 1, and the first of them at budget 3."""
    rows: list[dict[str, Any]] = [
        {"trial": f"t{i:02d}", "budget": budget, "loss": loss}
        for budget, losses in ((1.0, low), (3.0, high))
        for i, loss in enumerate(losses)
    ]
    return trial_frame(rows)


class TestBudgetCorrelation:
    def test_a_low_budget_that_ranks(self) -> None:
        losses = list(np.linspace(0.1, 0.9, 12))
        table = analysis.budget_correlation(two_budgets(losses, losses))
        row = table.iloc[0]
        assert (row["low_budget"], row["high_budget"], row["n_trials"]) == (1, 3, 12)
        assert (row["spearman"], row["kendall"]) == (1.0, 1.0)
        assert row["spearman_low"] > 0.8
        assert (row["informative"], row["note"], row["tied_share"]) == ("yes", "", 0.0)

    def test_only_trials_at_both_count(self) -> None:
        rng = np.random.default_rng(0)
        low, high = rng.uniform(size=20), rng.uniform(size=9)
        row = analysis.budget_correlation(two_budgets([*low], [*high])).iloc[0]
        expected = scipy.stats.spearmanr(low[:9], high).statistic
        assert row["n_trials"] == 9
        assert row["spearman"] == pytest.approx(expected)

    def test_a_low_budget_without_rank_information_warns(self) -> None:
        rng = np.random.default_rng(1)
        losses = two_budgets([*rng.uniform(size=40)], [*rng.uniform(size=40)])
        row = analysis.budget_correlation(losses).iloc[0]
        assert row["spearman_low"] < 0 < row["spearman_high"]
        assert row["informative"] == "no"
        assert row["note"].startswith("budget 1 against 3: no rank information")
        assert "raise the lowest budget" in row["note"]

    def test_a_wide_interval_is_not_called_no_information(self) -> None:
        losses = [*range(8)], [2, 0, 1, 5, 6, 3, 4, 7]
        row = analysis.budget_correlation(two_budgets(*losses)).iloc[0]
        assert row["spearman"] == pytest.approx(0.738, abs=1e-3)
        assert row["informative"] == "unknown"
        assert row["note"] == (
            "budget 1 against 3: 8 trials do not show rank information, "
            "the correlation is -0.04 to 0.96"
        )

    def test_too_few_trials_are_not_judged(self) -> None:
        losses = [0.1, 0.2, 0.3, 0.4, 0.5]
        row = analysis.budget_correlation(two_budgets(losses, losses)).iloc[0]
        assert row["informative"] == "unknown"
        assert row["note"] == (
            "budget 1 against 3: 5 trials at both, too few to judge (< 8)"
        )

    def test_losses_that_are_all_equal(self) -> None:
        losses = two_budgets([1.0] * 10, list(np.linspace(0, 1, 10)))
        row = analysis.budget_correlation(losses).iloc[0]
        assert math.isnan(row["spearman"]) and row["informative"] == "no"
        assert "the first of the two is the same for all" in row["note"]
        assert "100% of the losses at budget 1 are equal" in row["note"]
        assert row["tied_share"] == 1.0

    def test_every_pair_of_budgets_has_a_row(self) -> None:
        rows = [
            {"trial": t, "budget": b, "loss": 0.5}
            for b in (9.0, 1.0, 3.0)
            for t in "abc"
        ]
        table = analysis.budget_correlation(trial_frame(rows))
        assert table[["low_budget", "high_budget"]].to_numpy().tolist() == [
            [1, 3],
            [1, 9],
            [3, 9],
        ]

    def test_failed_count_as_the_loss_they_have_and_running_do_not(self) -> None:
        frame = two_budgets([0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1])
        frame.loc[0, ["status", "loss"]] = ["failed", 1.0]
        frame.loc[1, ["status", "loss"]] = ["running", math.nan]
        assert analysis.budget_correlation(frame)["n_trials"].to_list() == [3]


class TestModelBasedPicks:
    def test_by_hand(self) -> None:
        rows: list[dict[str, Any]] = [
            {"trial": f"r{i}", "budget": 1.0, "loss": loss}
            for i, loss in enumerate([0.9, 0.8, 0.7, 0.5])
        ]
        rows += [
            {"trial": f"m{i}", "budget": 1.0, "loss": loss, "model_based": True}
            for i, loss in enumerate([0.6, 0.5, 0.4])
        ]
        rows += [{"trial": "r0", "budget": 3.0, "loss": 0.1}]  # promoted: not counted
        table = analysis.model_based_picks(trial_frame(rows))
        assert len(table) == 1
        row = table.iloc[0]
        assert (row["n_model"], row["n_random"]) == (3, 4)
        assert row["share_model"] == pytest.approx(3 / 7)
        assert (row["median_model"], row["median_random"]) == (0.5, 0.75)
        assert row["gain"] == pytest.approx(0.25)
        assert row["superiority"] == pytest.approx((9 + 1.5) / 12)
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
        assert row["superiority_low"] < row["superiority"] < row["superiority_high"]

    def test_superiority_is_the_mann_whitney_statistic(self) -> None:
        rng = np.random.default_rng(0)
        random, model = rng.integers(0, 9, 30) / 9, rng.integers(0, 7, 20) / 9
        frame = trial_frame(
            [
                {
                    "trial": f"t{i}",
                    "budget": 1.0,
                    "loss": float(loss),
                    "model_based": i >= 30,
                }
                for i, loss in enumerate([*random, *model])
            ]
        )
        row = analysis.model_based_picks(frame).iloc[0]
        u = scipy.stats.mannwhitneyu(random, model).statistic
        assert row["superiority"] == pytest.approx(u / 600)

    def test_the_default_configuration_can_be_left_out(self) -> None:
        frame = two_budgets([0.1, 0.5, 0.6], [])
        row = analysis.model_based_picks(frame, exclude=["t00"]).iloc[0]
        assert (row["n_random"], row["median_random"]) == (2, 0.55)

    def test_no_picks_of_a_kind(self) -> None:
        row = analysis.model_based_picks(two_budgets([0.1, 0.2, 0.3], [])).iloc[0]
        assert row["share_model"] == 0.0 and math.isnan(row["gain"])
        assert row["note"] == "no model's picks began at this budget"

    def test_few_picks_have_no_interval(self) -> None:
        frame = two_budgets([0.1, 0.2, 0.3], [])
        frame.loc[0, "model_based"] = True
        row = analysis.model_based_picks(frame).iloc[0]
        assert row["gain"] == pytest.approx(0.15) and math.isnan(row["gain_low"])
        assert row["note"] == "fewer than 3 picks of a kind: no interval"


class TestTrajectory:
    def test_by_hand(self) -> None:
        rows = [
            {"trial": "a", "budget": 1.0, "loss": 0.9, "env_steps_task": 10},
            {"trial": "b", "budget": 1.0, "loss": 0.7, "env_steps_task": 10},
            {"trial": "c", "budget": 1.0, "loss": 0.8, "env_steps_task": 10},
            {"trial": "b", "budget": 3.0, "loss": 0.85, "env_steps_task": 40},
            {"trial": "d", "budget": 1.0, "loss": 0.1, "env_steps_task": 10},
            {"trial": "c", "budget": 3.0, "loss": 0.6, "env_steps_task": 30},
        ]
        found = analysis.incumbent_trajectory(trial_frame(rows))
        assert found["incumbent"].to_list() == ["a", "b", "b", "b", "b", "c"]
        assert found["improved"].to_list() == [True, True, False, True, False, True]
        assert found["incumbent_loss"].to_list() == [0.9, 0.7, 0.7, 0.85, 0.85, 0.6]
        assert found["best_loss"].to_list() == [0.9, 0.7, 0.7, 0.85, 0.1, 0.6]
        assert found["env_steps_task_total"].to_list() == [10, 20, 30, 60, 70, 90]
        assert found["generations_total"].to_list() == [1, 2, 3, 5, 6, 8]
        assert (found["hours"] * 3600).to_list() == pytest.approx([1, 2, 3, 4, 5, 6])

    def test_hours_begin_with_an_evaluation_that_is_running(self) -> None:
        frame = two_budgets([0.1, 0.2, 0.3], [])
        frame.loc[0, ["status", "loss"]] = ["running", math.nan]
        hours = analysis.incumbent_trajectory(frame)["hours"]
        assert (hours * 3600).to_list() == pytest.approx([2, 3])

    def test_failed_and_running_never_lead(self) -> None:
        frame = two_budgets([0.1, 0.2, 0.3], [])
        frame.loc[0, ["status", "loss"]] = ["running", math.nan]
        frame.loc[1, "status"] = "failed"
        found = analysis.incumbent_trajectory(frame)
        assert found["incumbent"].isna().to_list() == [True, False]
        assert found["incumbent"].iloc[1] == "t02"

    def test_the_last_incumbent_is_that_of_load_incumbent(self) -> None:
        rng = np.random.default_rng(0)
        frame = two_budgets([*rng.uniform(size=9)], [*rng.uniform(size=4)])
        last = analysis.incumbent_trajectory(frame).iloc[-1]
        top = frame[frame["budget"] == 3.0]
        assert last["incumbent_loss"] == top["loss"].min()
        assert last["incumbent"] == top["trial"][top["loss"].idxmin()]

    def test_cost_is_that_of_the_whole_run(self) -> None:
        rows = [
            {"trial": "a", "budget": 1.0, "loss": 1.0, "env_steps_task": 10},
            {"trial": "a", "budget": 3.0, "loss": 1.0, "env_steps_task": 35},
            {"trial": "b", "budget": 1.0, "status": "running", "env_steps_task": 5},
        ]
        rows = [row | {"cpu_seconds": 2.0, "env_steps_se": 100} for row in rows]
        cost = analysis.bohb_cost(trial_frame(rows))
        assert (cost.env_steps_task, cost.env_steps_se, cost.cpu_seconds) == (
            40,
            200,
            6.0,
        )


def test_no_trials_give_tables_without_rows() -> None:
    empty = trial_frame([])
    for table, expected in (
        (analysis.budget_correlation(empty), table_columns.BUDGET_CORRELATION),
        (analysis.model_based_picks(empty), table_columns.MODEL_BASED_PICKS),
    ):
        assert table.empty
        assert {n: str(t) for n, t in table.dtypes.items()} == expected
    assert analysis.incumbent_trajectory(empty).empty
    assert analysis.bohb_cost(empty).env_steps_task == 0.0
    importance = analysis.hyperparameter_importance(empty)
    assert importance.frame is None and math.isnan(importance.budget)


def test_frames_that_are_none_of_trials_are_refused() -> None:
    with pytest.raises(UserError, match="no column 'trial'"):
        analysis.budget_correlation(pd.DataFrame({"loss": [1.0]}))
    two = two_budgets([0.1, 0.2], [])
    two["run"] = ["a", "b"]
    with pytest.raises(UserError, match="several runs"):
        analysis.incumbent_trajectory(two)


SPACE = {
    "hyperparameters": [
        {"name": "x", "type": "uniform_float", "lower": 1e-4, "upper": 1, "log": True},
        {"name": "n", "type": "uniform_int", "lower": 1, "upper": 8, "log": False},
        {"name": "kind", "type": "categorical", "choices": ["a", "b"]},
    ]
}


def searched(n: int = 40, seed: int = 0) -> pd.DataFrame:
    """The loss is the exponent of x; n and kind do nothing; y is there for kind a."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(n):
        exponent, kind = rng.uniform(-4, 0), "ab"[rng.integers(2)]
        row = {"trial": f"t{i}", "budget": 3.0, "loss": float(-exponent / 4)}
        row |= {"config.x": 10.0**exponent, "config.n": int(rng.integers(1, 9))}
        row |= {"config.kind": kind, "config.flag": bool(rng.integers(2))}
        row["config.y"] = float(rng.uniform()) if kind == "a" else None
        rows.append(row)
    return trial_frame(rows)


class TestImportance:
    @pytest.mark.parametrize("method", ["fanova", "ped_anova"])
    def test_what_decides_the_loss_comes_first(self, method: str) -> None:
        found = analysis.hyperparameter_importance(
            searched(), configspace=SPACE, method=method
        )
        assert found.frame is not None
        assert found.frame["hyperparameter"].iloc[0] == "x"
        assert found.frame["importance"].iloc[0] > 0.6
        total = found.frame["importance"].sum()
        assert 0.9 < total < 1.0 if method == "fanova" else total == pytest.approx(1.0)
        assert (found.budget, found.n_trials) == (3.0, 40)
        assert {"n", "kind", "flag"} <= set(found.frame["hyperparameter"])
        if method == "fanova":
            conditional, together = found.note.split("; ")
            assert conditional == "not assessed (conditional): y"
            assert together == f"together {total:.0%}, the rest: interactions"

    def test_ranks_need_no_optuna_and_find_what_decides(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "optuna.importance", None)
        rank = partial(analysis.hyperparameter_importance, method="ranks")
        found = rank(searched()).frame
        assert found is not None
        assert found["hyperparameter"].iloc[0] == "x"
        assert found["importance"].iloc[0] == pytest.approx(1.0)  # a monotone curve
        assert found["importance"].iloc[1:].between(0, 0.4).all()
        assert set(found["hyperparameter"]) == {"x", "n", "kind", "flag", "y"}
        frame = searched()
        by_kind = frame.assign(loss=(frame["config.kind"] == "b") * 0.5 + 0.1)
        found = rank(by_kind).frame
        assert found is not None and found["hyperparameter"].iloc[0] == "kind"

    def test_interactions_are_no_importance_of_any_one(self) -> None:
        frame = searched(80)
        x, n = frame["config.x"] < 1e-2, frame["config.n"] < 5
        found = analysis.hyperparameter_importance(
            frame.assign(loss=(x != n).astype(float)), configspace=SPACE
        )
        assert found.frame is not None and found.frame["importance"].sum() < 0.5

    def test_the_seed_decides(self) -> None:
        one, two = (
            analysis.hyperparameter_importance(searched(12), seed=1) for _ in range(2)
        )
        assert one.frame is not None and two.frame is not None
        pd.testing.assert_frame_equal(one.frame, two.frame)
        assert one.note.startswith("rough: 12 trials for 5 hyperparameters")

    def test_the_budget_with_most_different_losses_is_used(self) -> None:
        frame = searched(12)
        low = frame.assign(budget=1.0, loss=1.0)
        found = analysis.hyperparameter_importance(pd.concat([low, frame]))
        assert found.budget == 3.0
        found = analysis.hyperparameter_importance(pd.concat([low, frame]), budget=1)
        assert (found.frame, found.note) == (None, "all losses are equal")

    def test_too_few_trials_say_so(self) -> None:
        found = analysis.hyperparameter_importance(searched(9))
        assert found.frame is None
        assert found.note == "9 trials at one budget, too few (< 10)"

    def test_nothing_that_varies_says_so(self) -> None:
        losses = [float(x) for x in np.linspace(0, 1, 12)]
        found = analysis.hyperparameter_importance(two_budgets(losses, []))
        assert (found.frame, found.note) == (None, "no hyperparameter varies")

    def test_without_optuna_the_reason_says_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "optuna.importance", None)
        found = analysis.hyperparameter_importance(searched(12))
        assert found.frame is None
        assert "pip install 'se-hpo[analysis]'" in found.note

    def test_unknown_names_are_refused(self) -> None:
        with pytest.raises(UserError, match="did you mean 'fanova'"):
            analysis.hyperparameter_importance(searched(12), method="fanowa")
        with pytest.raises(UserError, match="no evaluation at budget 9: there are 3"):
            analysis.hyperparameter_importance(searched(12), budget=9)
