"""Tables of phase 2: by hand, and with everything that can be missing."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_hpo import analysis
from se_hpo.analysis import table_columns
from se_hpo.errors import UserError
from tests.helpers.analysis_frames import (
    evaluation_frame,
    evaluation_row,
    evaluations_of,
    noisy,
)

pytestmark = pytest.mark.filterwarnings("error")


def row_of(table: pd.DataFrame, **keys: str) -> pd.Series:
    chosen = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def by_hand() -> pd.DataFrame:
    """Two SEs with two agents each, and the same four agents on the task."""
    rows = [
        evaluation_row("real", 0, 200.0, env_steps=10_000, episodes=90),
        evaluation_row("real", 1, 180.0, env_steps=20_000, episodes=110),
        evaluation_row("real", 2, 190.0, env_steps=30_000, episodes=100),
        evaluation_row("real", 3, 50.0, env_steps=40_000, episodes=300),
        evaluation_row("se_varied", 0, 200.0, se=0, env_steps=5_000),
        evaluation_row("se_varied", 1, 199.0, se=0, env_steps=6_000),
        evaluation_row("se_varied", 2, 100.0, se=1, env_steps=7_000, se_solved=False),
        evaluation_row("se_varied", 3, 60.0, se=1, env_steps=2_000, se_solved=False),
    ]
    return evaluation_frame(rows)


def test_a_table_by_hand() -> None:
    table = analysis.train_env_table(by_hand())
    real, varied = (row_of(table, train_env=s) for s in ("real", "se_varied"))
    assert (real["n_ses"], varied["n_ses"], varied["n_ses_solved"]) == (0, 2, 1)
    assert (real["mean"], varied["mean"]) == (155.0, 139.75)
    assert varied["median"] == 149.5
    assert varied["std"] == pytest.approx(np.std([200, 199, 100, 60], ddof=1))
    assert varied["iqm"] == 149.5  # of 100 and 199
    assert (real["share_solved"], varied["share_solved"]) == (0.25, 0.5)
    assert (real["worst_decile"], varied["worst_decile"]) == (50.0, 60.0)
    assert (real["env_steps_mean"], varied["env_steps_mean"]) == (25_000, 5_000)
    assert real["env_steps_std"] == pytest.approx(12_909.94, abs=0.01)
    assert (real["env_steps_median"], real["episodes_mean"]) == (25_000, 150)
    assert varied["env_steps_saved"] == pytest.approx(0.8)
    assert varied["difference"] == -15.25
    assert varied["improvement"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)
    assert varied["note"] == "two SEs: no interval"
    assert varied["n_pair_ses"] == 2
    assert (real["task"], real["rule"], real["agent"]) == (
        "CartPole-v0",
        "paper",
        "ddqn",
    )


def test_agents_on_the_task_keep_their_cluster_while_others_are_missing() -> None:
    frame = evaluations_of(noisy())
    missing = (frame["train_env"] == "se_fixed") & frame["pair"].isin([0, 6])
    whole, part = (
        row_of(analysis.train_env_table(f), train_env="real")
        for f in (frame, frame[~missing.to_numpy(bool)])
    )
    pd.testing.assert_series_equal(whole, part)


def test_clusters_of_the_task_sort_as_those_of_ses() -> None:
    rows = [
        evaluation_row(train_env, pair, float(pair))
        for train_env in ("real", "se_fixed")
        for pair in range(12)
    ]
    table = analysis.train_env_table(evaluation_frame(rows))
    ends = ["mean_low", "mean_high"]
    real, fixed = (row_of(table, train_env=s)[ends] for s in ("real", "se_fixed"))
    assert real.to_list() == fixed.to_list()


def test_two_ses_have_no_interval() -> None:
    varied = row_of(analysis.train_env_table(by_hand()), train_env="se_varied")
    assert math.isnan(varied["mean_low"]) and math.isnan(varied["mean_high"])


def test_the_task_is_not_compared_with_itself() -> None:
    real = row_of(analysis.train_env_table(by_hand()), train_env="real")
    assert real["n_pairs"] == 0
    assert real[["env_steps_saved", "difference", "improvement"]].isna().all()


def test_rows_come_in_the_order_of_tables() -> None:
    frame = pd.concat(
        evaluations_of(
            noisy(), n_agents=1, train_envs=train_envs, agent=agent, rule=rule
        )
        for rule in ("paper", "fixed_steps")
        for agent in ("td3_discrete", "ddqn")
        for train_envs in (["se_random"], ["se_fixed", "se_varied"], ["real"])
    )
    frame["max_env_steps"] = frame["rule"].eq("fixed_steps").map({True: 6000})
    table = analysis.train_env_table(frame)
    assert list(table["rule"].unique()) == ["paper", "fixed_steps 6000"]
    assert list(table["agent"].unique()) == ["ddqn", "td3_discrete"]
    assert list(table["train_env"][:4]) == list(analysis.TRAIN_ENVS)[:4]
    assert len(table) == 16


@given(seed=st.integers(0, 1000))
@settings(max_examples=2, deadline=None)
def test_order_of_records_changes_nothing(seed: int) -> None:
    frame = evaluations_of(noisy(1))
    shuffled = frame.sample(frac=1.0, random_state=seed)
    for function in (analysis.train_env_table, analysis.rank_agreement):
        one, two = (function(f, n_resamples=50) for f in (frame, shuffled))
        pd.testing.assert_frame_equal(one, two)


def test_intervals_draw_ses_and_not_agents() -> None:
    """SEs that differ, and agents on one SE that do not: ten of one SE are one."""

    def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
        return 100.0 + 10.0 * (pair // 10 % 2)

    many = evaluations_of(score, n_ses=6, n_agents=10)
    one_each = many[many["pair"] % 10 == 0]
    tables = [analysis.train_env_table(f) for f in (many, one_each)]
    ends = [
        row_of(t, train_env="se_varied")[["mean_low", "mean_high"]].to_list()
        for t in tables
    ]
    assert ends[0] == ends[1]


def test_train_envs_draw_the_same_slots() -> None:
    """A train_env that scores as the task, pair by pair, has its intervals too."""

    def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
        return float(pair * 37 % 101)

    table = analysis.train_env_table(evaluations_of(score))
    real, varied = (row_of(table, train_env=s) for s in ("real", "se_varied"))
    for name in ("mean_low", "iqm_high", "worst_decile_low"):
        assert real[name] == varied[name]
    assert (varied["difference_low"], varied["difference_high"]) == (0.0, 0.0)
    assert varied["improvement"] == 0.5


def test_one_se_has_numbers_and_no_interval() -> None:
    frame = evaluations_of(noisy(), n_ses=1)
    varied = row_of(analysis.train_env_table(frame), train_env="se_varied")
    assert math.isfinite(varied["mean"]) and math.isfinite(varied["improvement"])
    assert varied[["mean_low", "iqm_high", "difference_low"]].isna().all()
    assert varied["note"] == "one SE: no interval"


def test_missing_scores_are_left_out_and_counted() -> None:
    frame = by_hand()
    frame.loc[frame["train_env"].eq("se_varied") & frame["pair"].eq(3), "score"] = None
    varied = row_of(analysis.train_env_table(frame), train_env="se_varied")
    assert (varied["n_agents"], varied["n_missing"], varied["n_pairs"]) == (3, 1, 3)
    assert varied["mean"] == pytest.approx(499 / 3)
    assert "1 agents without a score left out" in varied["note"]


def test_no_score_at_all_is_no_crash() -> None:
    frame = by_hand().assign(score=math.nan)
    table = analysis.train_env_table(frame)
    assert table["n_agents"].eq(0).all() and table["mean"].isna().all()
    assert "no agents" in row_of(table, train_env="se_varied")["note"]
    assert analysis.sensitivity_table(frame)["explained"].isna().all()
    assert analysis.rank_agreement(frame)["correlation"].isna().all()
    assert analysis.se_table(frame)["n_agents"].eq(0).all()


def test_without_the_task_there_is_nothing_to_compare_with() -> None:
    frame = evaluations_of(noisy(), train_envs=["se_varied"])
    table = analysis.train_env_table(frame)
    assert table["improvement"].isna().all() and table["mean"].notna().all()
    assert table["note"][0] == "no agents on the task to compare with"
    assert analysis.paired(frame).empty and analysis.rank_agreement(frame).empty


def test_the_task_alone_is_enough() -> None:
    table = analysis.train_env_table(evaluations_of(noisy(), train_envs=["real"]))
    assert list(table["train_env"]) == ["real"]
    assert table["mean_low"].notna().all()


def test_an_unfinished_evaluation_compares_the_pairs_it_has() -> None:
    frame = evaluations_of(noisy(gain=20.0, spread=0.0))
    frame = frame[(frame["train_env"] != "real") | (frame["pair"] < 12)]
    varied = row_of(analysis.train_env_table(frame), train_env="se_varied")
    assert (varied["n_agents"], varied["n_pairs"]) == (30, 12)
    assert varied["difference"] == pytest.approx(20.0)


def test_all_solved_and_all_equal() -> None:
    frame = evaluations_of(lambda *_: 200.0)
    varied = row_of(analysis.train_env_table(frame), train_env="se_varied")
    for name in ("mean", "mean_low", "iqm_high", "worst_decile"):
        assert varied[name] == 200.0
    assert (varied["share_solved"], varied["share_solved_low"]) == (1.0, 1.0)
    assert (varied["std"], varied["improvement"]) == (0.0, 0.5)


def test_an_unlisted_task_needs_a_solved_return() -> None:
    frame = by_hand().assign(task="Taxi-v3")
    table = analysis.train_env_table(frame)
    assert table["share_solved"].isna().all()
    assert "solved return not known" in table["note"][0]
    table = analysis.train_env_table(frame, solved_return=100.0)
    assert row_of(table, train_env="se_varied")["share_solved"] == 0.75


def test_tables_of_no_records_have_their_columns() -> None:
    empty = evaluation_frame([])
    for table, expected in (
        (analysis.train_env_table(empty), table_columns.TRAIN_ENV_TABLE),
        (analysis.se_table(empty), table_columns.SE_TABLE),
        (analysis.rank_agreement(empty), table_columns.RANK_AGREEMENT),
        (analysis.sensitivity_table(empty), table_columns.SENSITIVITY),
        (analysis.main_effects(empty), table_columns.MAIN_EFFECTS),
    ):
        assert table.empty
        assert {n: str(t) for n, t in table.dtypes.items()} == expected
    assert analysis.paired(empty).empty


def test_dtypes_do_not_depend_on_the_rows() -> None:
    table = analysis.train_env_table(by_hand())
    assert {n: str(t) for n, t in table.dtypes.items()} == table_columns.TRAIN_ENV_TABLE


def test_agents_of_unsolved_ses_can_be_left_out() -> None:
    kept = analysis.solved_only(by_hand())
    assert kept["train_env"].value_counts().to_dict() == {"real": 4, "se_varied": 2}
    table = analysis.train_env_table(kept)
    assert row_of(table, train_env="se_varied")["mean"] == 199.5


def test_a_table_of_ses() -> None:
    table = analysis.se_table(by_hand())
    assert table[["se_set", "se"]].to_numpy().tolist() == [["varied", 0], ["varied", 1]]
    first, second = (row for _, row in table.iterrows())
    assert (first["mean"], first["share_solved"], second["share_solved"]) == (
        199.5,
        1.0,
        0.0,
    )
    assert (second["minimum"], second["maximum"]) == (60.0, 100.0)
    assert table["se_solved"].to_list() == [True, False]


def test_pairs_hold_the_same_agent_twice() -> None:
    both = analysis.paired(by_hand())
    assert both[["pair", "score_se", "score_real"]].to_numpy().tolist() == [
        [0, 200.0, 200.0],
        [1, 199.0, 180.0],
        [2, 100.0, 190.0],
        [3, 60.0, 50.0],
    ]
    assert {"hp.lr", "env_steps_real", "seconds_se", "cluster"} <= set(both.columns)


@pytest.mark.parametrize(
    ("mend", "message"),
    [
        (lambda f: f.drop(columns="score"), "no column 'score'"),
        (lambda f: f.assign(task=["CartPole-v0"] * 7 + ["Acrobot-v1"]), "several task"),
        (lambda f: pd.concat([f, f.tail(1)]), "pair 3 of ddqn .* there twice"),
        (lambda f: f.assign(train_env="se_fxed"), "did you mean 'se_fixed'"),
        (
            lambda f: f.assign(agent_seed=range(8)),
            "pair 0 of ddqn is not the same agent in se_varied",
        ),
        (
            lambda f: f.assign(**{"hp.lr": np.arange(8.0)}),
            r"pair 0 of ddqn is not the same agent .* \(hp.lr differs\)",
        ),
        (
            lambda f: f.assign(agent_base=["tanh"] * 4 + ["relu"] * 4),
            r"pair 0 of ddqn is not the same agent .* \(agent_base differs\)",
        ),
    ],
)
def test_frames_that_do_not_go_together_are_refused(mend: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        analysis.train_env_table(mend(by_hand()))


def test_every_algorithm_has_its_own_number_of_agents_per_se() -> None:
    ddqn = evaluations_of(noisy(), n_ses=6, n_agents=10)
    alone = analysis.train_env_table(ddqn)
    td3 = evaluations_of(noisy(1), n_ses=6, n_agents=3, agent="td3_discrete")
    both = analysis.train_env_table(pd.concat([td3, ddqn], ignore_index=True))
    mine = both[both["agent"] == "ddqn"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, alone)


class TestRankAgreement:
    def test_a_perfect_proxy(self) -> None:
        frame = evaluations_of(noisy(spread=0.0, gain=10.0))
        table = analysis.rank_agreement(frame)
        found = table[table["level"] != "averaged"]
        assert len(found) == 8
        assert found["correlation"].to_list() == pytest.approx([1.0] * 8)
        assert found["correlation_low"].to_list() == pytest.approx([1.0] * 8)

    def test_differences_between_ses_blur_pooled_ranks_only(self) -> None:
        own = noisy(spread=0.0)

        def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
            shift = 0.0 if train_env == "real" else 100.0 * (pair // 5)
            return own(train_env, pair, hp) + shift

        table = analysis.rank_agreement(evaluations_of(score))
        keys = {"train_env": "se_varied", "measure": "spearman"}
        assert row_of(table, level="within_se", **keys)["correlation"] == 1.0
        assert row_of(table, level="pooled", **keys)["correlation"] < 0.7

    def test_unrelated_scores_have_an_interval_around_0(self) -> None:
        rng = np.random.default_rng(0)
        frame = evaluations_of(lambda *_: float(rng.normal()), n_ses=10, n_agents=10)
        table = analysis.rank_agreement(frame)
        pooled = row_of(table, train_env="se_varied", level="pooled", measure="kendall")
        assert pooled["correlation_low"] < 0.0 < pooled["correlation_high"]
        assert (pooled["n"], pooled["n_clusters"]) == (100, 10)

    def test_configurations_that_several_ses_share_are_averaged(self) -> None:
        """Ten configurations on every SE, as in the authors' script."""
        rng = np.random.default_rng(1)
        rows = []
        for pair in range(60):
            own = {"hp.lr": 0.001 * (1 + pair % 10), "hp.batch_size": 32}
            own["hp.hidden_layers"] = 2
            level = 10.0 * (pair % 10)
            rows.append(evaluation_row("real", pair, level, **own))
            score = level + 30.0 * float(rng.normal())
            rows.append(evaluation_row("se_fixed", pair, score, pair // 10, **own))
        table = analysis.rank_agreement(evaluation_frame(rows))
        averaged, pooled = (
            row_of(table, level=level, measure="spearman")
            for level in ("averaged", "pooled")
        )
        assert averaged["n"] == 10
        assert averaged["correlation"] > pooled["correlation"] > 0.3
        assert averaged["correlation_low"] < averaged["correlation"]

    def test_own_configurations_everywhere_say_so(self) -> None:
        table = analysis.rank_agreement(evaluations_of(noisy()))
        averaged = table[table["level"] == "averaged"]
        assert averaged["correlation"].isna().all()
        assert (
            averaged["note"].eq("every configuration was trained on one SE only").all()
        )

    def test_a_task_that_all_solve_ranks_nothing(self) -> None:
        own = noisy()
        frame = evaluations_of(lambda s, *rest: 200.0 if s == "real" else own(s, *rest))
        table = analysis.rank_agreement(frame)
        assert table["correlation"].isna().all()
        pooled = row_of(table, train_env="se_fixed", level="pooled", measure="kendall")
        assert "the second of the two is the same for all" in pooled["note"]
        within = row_of(
            table, train_env="se_fixed", level="within_se", measure="kendall"
        )
        assert "no SE has agents that differ" in within["note"]

    def test_ses_whose_agents_do_not_differ_are_named(self) -> None:
        own = noisy(spread=0.0)

        def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
            return 9.0 if train_env != "real" and pair < 5 else own(train_env, pair, hp)

        table = analysis.rank_agreement(evaluations_of(score))
        within = row_of(
            table, train_env="se_fixed", level="within_se", measure="kendall"
        )
        assert (within["n"], within["correlation"]) == (5, 1.0)
        assert within["note"] == "1 of 6 SEs left out: too few agents that differ"

    def test_one_agent_per_se_ranks_nothing_within_an_se(self) -> None:
        frame = evaluations_of(noisy())
        table = analysis.rank_agreement(frame[frame["pair"] % 5 == 0])
        within = row_of(
            table, train_env="se_fixed", level="within_se", measure="kendall"
        )
        assert within["note"] == "no SE has 3 agents"

    def test_hyperparameters_that_are_not_recorded_are_not_averaged_over(self) -> None:
        frame = evaluations_of(noisy())
        frame = frame[[c for c in frame.columns if not c.startswith("hp.")]]
        table = analysis.rank_agreement(frame)
        averaged = table[table["level"] == "averaged"]
        assert averaged["note"].eq("hyperparameters are not recorded").all()

    def test_a_configuration_twice_on_one_se_is_not_shared(self) -> None:
        frame = evaluations_of(noisy())
        for name in [c for c in frame.columns if c.startswith("hp.")]:
            frame[name] = frame["pair"] // 5
        table = analysis.rank_agreement(frame)
        averaged = table[table["level"] == "averaged"]
        assert averaged["n"].eq(0).all()

    def test_steps_can_be_ranked_instead_of_scores(self) -> None:
        frame = evaluations_of(noisy())
        frame["env_steps"] = 1000 + 7 * frame["pair"]
        table = analysis.rank_agreement(frame, value="env_steps")
        assert row_of(table, train_env="se_fixed", level="pooled", measure="spearman")[
            "correlation"
        ] == pytest.approx(1.0)
        with pytest.raises(UserError, match="did you mean 'env_steps'"):
            analysis.rank_agreement(frame, value="env_step")
