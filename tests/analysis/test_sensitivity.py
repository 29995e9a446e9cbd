"""Variance explained by hyperparameters: known effects, and none at all."""

import math
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from se_hpo import analysis
from se_hpo.analysis.effects import (
    additive_basis,
    adjusted_r2,
    epsilon_squared,
    levels,
)
from tests.helpers.analysis_frames import evaluations_of, noisy

pytestmark = pytest.mark.filterwarnings("error")


def of(table: pd.DataFrame, train_env: str, hyperparameter: str = "") -> pd.Series:
    table = table[table["train_env"] == train_env]
    if hyperparameter:
        table = table[table["hyperparameter"] == hyperparameter]
    assert len(table) == 1
    return table.iloc[0]


def half_by_lr(train_env: str, pair: int, hp: dict[str, Any]) -> float:
    """The task: half of the variance is the learning rate's; on SEs none."""
    rng = np.random.default_rng([pair, len(train_env)])
    noise = float(rng.normal())
    if train_env != "real":
        return 100.0 + noise
    # log lr is uniform on [-8, -6]: variance 1/3
    return 100.0 + math.sqrt(3.0) * (math.log(hp["lr"]) + 7.0) + noise


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    train_envs = ["real", "se_varied"]
    return evaluations_of(half_by_lr, n_ses=30, n_agents=10, train_envs=train_envs)


@pytest.fixture
def no_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where scikit-learn is not installed."""
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)


def test_a_known_share_is_found(frame: pd.DataFrame) -> None:
    table = analysis.sensitivity_table(frame)
    real, varied = of(table, "real"), of(table, "se_varied")
    # Four groups of a linear effect keep 15/16 of its variance.
    assert real["explained"] == pytest.approx(0.5 * 15 / 16, abs=0.08)
    assert real["variance"] == pytest.approx(2.0, rel=0.2)
    assert real["explained_variance"] == pytest.approx(
        real["explained"] * real["variance"]
    )
    assert real["p_value"] == 0.001
    assert varied["explained"] == pytest.approx(0.0, abs=0.05)
    assert varied["p_value"] > 0.01
    assert real["explained_forest"] == pytest.approx(0.5, abs=0.12)
    assert varied["explained_forest"] < 0.05
    assert real["note"] == ""


def test_main_effects_name_the_hyperparameter(frame: pd.DataFrame) -> None:
    table = analysis.main_effects(frame)
    lr = of(table, "real", "lr")
    assert lr["share"] == pytest.approx(0.47, abs=0.08)
    assert (lr["n_levels"], lr["spearman"] > 0.5) == (4, True)
    for name in ("batch_size", "hidden_layers"):
        assert of(table, "real", name)["share"] == pytest.approx(0.0, abs=0.05)
    assert of(table, "real", "hidden_layers")["n_levels"] == 3


def test_differences_between_ses_are_found(no_forest: None) -> None:
    rng = np.random.default_rng(0)
    luck = rng.normal(size=30)

    def score(train_env: str, pair: int, hp: dict[str, Any]) -> float:
        return float(luck[pair // 10] * (train_env == "se_fixed") + rng.normal())

    table = analysis.sensitivity_table(evaluations_of(score, n_ses=30, n_agents=10))
    assert of(table, "se_fixed")["between_se"] == pytest.approx(0.5, abs=0.15)
    assert of(table, "se_varied")["between_se"] == pytest.approx(0.0, abs=0.1)
    assert math.isnan(of(table, "real")["between_se"])


def test_shuffled_scores_seldom_look_explained(no_forest: None) -> None:
    """The p value is uniform where nothing is explained."""
    below = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frame = evaluations_of(
            lambda *_, rng=rng: float(rng.normal()), n_agents=6, train_envs=["real"]
        )
        table = analysis.sensitivity_table(frame, n_permutations=99, n_resamples=2)
        below += int(table["p_value"].iloc[0] <= 0.1)
    assert below <= 8  # 3 expected


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda f: f.assign(score=200.0), "all agents have the same score"),
        (lambda f: f[[c for c in f if not c.startswith("hp.")]], "not recorded"),
        (lambda f: f.groupby("train_env").head(8), "8 agents: too few for the effects"),
    ],
)
def test_what_cannot_be_explained_says_why(change: Any, note: str) -> None:
    table = analysis.sensitivity_table(change(evaluations_of(noisy())))
    assert table["explained"].isna().all() and table["p_value"].isna().all()
    assert note in table["note"][0]


def test_without_scikit_learn_the_rest_is_there(
    frame: pd.DataFrame, no_forest: None
) -> None:
    real = of(analysis.sensitivity_table(frame), "real")
    assert math.isnan(real["explained_forest"]) and real["explained"] > 0.3
    assert "scikit-learn is missing (pip install 'se-hpo[analysis]')" in real["note"]


def test_a_forest_needs_enough_ses() -> None:
    frame = evaluations_of(noisy(), n_ses=3, n_agents=30, train_envs=["se_fixed"])
    table = analysis.sensitivity_table(frame)
    assert math.isnan(table["explained_forest"][0])
    assert "no forest: fewer than" in table["note"][0]


def test_the_same_seed_gives_the_same_table(frame: pd.DataFrame) -> None:
    few = frame[(frame["pair"] < 60) & (frame["train_env"] == "real")]
    one, two = (analysis.sensitivity_table(few, n_permutations=20) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_epsilon_squared_by_hand() -> None:
    values, group = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1])
    # SS_total 20, SS_within 4, MS_within 2: (16 - 2) / 20
    assert epsilon_squared(values, group) == pytest.approx(0.7)


def test_epsilon_squared_is_adjusted_r2_of_the_groups() -> None:
    rng = np.random.default_rng(0)
    values, group = rng.normal(size=40), rng.integers(0, 5, 40)
    basis = additive_basis([group])
    assert basis.shape == (40, 4)
    found = float(adjusted_r2(values, basis))
    assert found == pytest.approx(epsilon_squared(values, group))


def test_adjusted_r2_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(1)
    groups = [rng.integers(0, 3, 50), rng.integers(0, 4, 50)]
    values = groups[0] + rng.normal(size=50)
    design = np.column_stack(
        [np.ones(50)] + [g == level for g in groups for level in range(1, g.max() + 1)]
    ).astype(float)
    rest = np.linalg.lstsq(design, values, rcond=None)[1][0]
    r2 = 1 - rest / ((values - values.mean()) ** 2).sum()
    expected = 1 - (1 - r2) * 49 / (50 - 5 - 1)
    assert float(adjusted_r2(values, additive_basis(groups))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "group"),
    [([], []), ([1, 2], [0, 1]), ([3, 3, 3], [0, 0, 1]), ([1, 2, 3], [0, 0, 0])],
)
def test_no_share_without_variance_within(values: list, group: list) -> None:
    share = epsilon_squared(np.array(values, float), np.array(group, int))
    assert math.isnan(share)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60))
@settings(max_examples=50)
def test_levels_keep_order_and_ties(values: list[int]) -> None:
    column = pd.Series(values, dtype=float)
    group = levels(column)
    assert 1 <= len(set(group)) <= max(4, len(set(values[:1])))
    order = np.argsort(column, kind="stable")
    if len(set(values)) > 4:
        assert (np.diff(group[order]) >= 0).all()
    for value in set(values):
        assert len(set(group[column == value])) == 1
    assert (levels(np.exp(column)) == group).all() or len(set(values)) <= 4


def test_levels_of_names_and_of_what_is_missing() -> None:
    assert levels(pd.Series(["relu", "tanh", "relu"])).tolist() == [0, 1, 0]
    numbers = pd.Series([1.0, None, 2.0, 3.0, 4.0, None, 5.0, 6.0, 7.0, 8.0])
    assert levels(numbers).tolist() == [0, 4, 0, 1, 1, 4, 2, 2, 3, 3]
    assert len(set(levels(pd.Series([f"name {i}" for i in range(9)])))) == 9
