"""Learning curves: thinned so that the places that are looked at stay exact."""

import json

import numpy as np
import pytest

import se_hpo
from se_hpo.results.learning_curves import (
    CURVE_COLUMNS,
    GRID,
    at_steps,
    grid,
    thinned,
)
from se_hpo.results.lines import UnreadableWarning
from se_hpo.storage.files import append_json_line
from tests.results.test_evaluations import make_record


@pytest.mark.parametrize("n_steps", [1, 7, 150, 5_000, 250_000])
def test_the_grid_rises_to_the_last_step_and_is_dense_at_first(n_steps):
    places = grid(n_steps)
    assert places[0] >= 1 and places[-1] == n_steps and len(places) <= GRID
    assert (np.diff(places) > 0).all()
    if n_steps > 1000:
        assert np.diff(places)[0] < np.diff(places)[-1] / 20


@pytest.mark.parametrize("seed", range(5))
def test_a_thinned_curve_is_exact_on_the_grid_and_small(seed):
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.integers(1, 60, 3000))
    returns = rng.integers(0, 5, len(steps)).astype(float)
    n_steps = int(steps[-1])
    kept = thinned(steps, returns, n_steps)
    assert len(kept[0]) <= GRID
    places = grid(n_steps)
    assert (at_steps(*kept, places) == at_steps(steps, returns, places)).all()
    assert set(kept[0]) <= set(steps.tolist()), "real tests only"


def test_what_does_not_change_is_kept_once():
    assert thinned([10, 20, 30, 40], [1, 1, 2, 2], 40) == ([20, 40], [1.0, 2.0])


def test_the_return_of_a_test_counts_for_the_episode_before_it():
    values = at_steps([10, 30], [5.0, 7.0], np.array([1, 10, 11, 30, 31]))
    assert values[:4].tolist() == [5, 5, 7, 7] and np.isnan(values[4])


def test_curves_load_as_one_row_per_kept_test(tmp_path):
    file = tmp_path / "a.jsonl"
    more = {"kind": "additive", "variation": "default", "agent_values": "matched"}
    more |= {"area": 3.0, "solved_after": 10, "max_env_steps": 40}
    append_json_line(file, make_record(curve=[[10, 40], [1.0, 5.0]], **more))
    append_json_line(file, make_record(pair=1))
    frame = se_hpo.load_curves(file)
    assert dict(frame.dtypes.astype(str)) == CURVE_COLUMNS
    assert frame["step"].tolist() == [10, 40] and frame["return"].tolist() == [1, 5]
    assert set(frame["kind"]) == {"additive"} and set(frame["se"]) == {0}
    agents = se_hpo.load_evaluations(file)
    assert agents["area"].notna().tolist() == [True, False]
    assert agents["variation"].tolist() == ["default", "varied"]


@pytest.mark.parametrize(
    "curve", [[[1, 2], [0.5]], [[2, 1], [0.5, 0.5]], [[1], [None]], [[1.5], [1]], 3]
)
def test_a_curve_that_is_none_is_left_out_and_named(tmp_path, curve):
    file = tmp_path / "a.jsonl"
    append_json_line(file, make_record())
    with file.open("a") as lines:
        lines.write(json.dumps(make_record(pair=1, curve=curve)) + "\n")
    with pytest.warns(UnreadableWarning, match="curve"):
        assert len(se_hpo.load_evaluations(file)) == 1
