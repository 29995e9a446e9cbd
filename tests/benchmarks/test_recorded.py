"""Files of recorded runs: read in full, or refused in one line."""

import gzip

import numpy as np
import pandas as pd
import pytest

from se_hpo.benchmarks.recorded import read_runs
from se_hpo.errors import UserError
from se_hpo.search_spaces.loading import load_space

SPACE = load_space("nes_cartpole")


def frame(*lengths: int, center: float = 100.0) -> pd.DataFrame:
    """Runs of one configuration, with so many generations each."""
    default = dict(SPACE.configuration_space().get_default_configuration())
    config = {f"config.{name}": None for name in SPACE.configuration_space()}
    config |= {f"config.{name}": value for name, value in default.items()}
    rows = [
        {
            **{"configuration": 4, "seed": seed, "generation": g + 1},
            **{"center": center, "members_top": center, "cpu_seconds": 0.5},
            **{"env_steps_se": 10, "env_steps_task": 20, "diverged": False},
            **config,
        }
        for seed, n in enumerate(lengths)
        for g in range(n)
    ]
    return pd.DataFrame(rows)


def stored(tmp_path, runs: pd.DataFrame):
    file = tmp_path / "runs.csv.gz"
    runs.to_csv(file, index=False)
    return file


def test_runs_are_read_with_their_configuration_levels_and_cost(tmp_path):
    runs = read_runs(stored(tmp_path, frame(3, 3)), SPACE, 3)
    default = dict(SPACE.configuration_space().get_default_configuration())
    assert runs.configurations == [default, default]
    assert runs.levels.shape == (2, 3)
    assert runs.groups.tolist() == [4, 4]
    assert runs.cpu_seconds.tolist() == [1.5, 1.5]
    assert runs.env_steps_task.tolist() == [60, 60]
    assert runs.losses[0] == pytest.approx(1.0 - runs.levels[0])


def test_generations_that_a_solved_run_did_not_need_are_as_its_last(tmp_path):
    runs = read_runs(stored(tmp_path, frame(2, center=196.0)), SPACE, 5)
    assert (runs.levels == runs.levels[0, 0]).all()
    assert runs.levels[0, 0] > 0.95


def test_generations_after_a_run_diverged_are_worth_nothing(tmp_path):
    runs = read_runs(stored(tmp_path, frame(2).assign(diverged=True)), SPACE, 4)
    assert runs.levels[0].tolist() == [*runs.levels[0, :2], 0.0, 0.0]


def test_an_inactive_hyperparameter_is_left_out(tmp_path):
    runs = frame(3)
    runs["config.se.kind"] = "one_step"
    runs["config.ddqn.tau"] = runs["config.ddqn.one_minus_gamma"] = np.nan
    (configuration,) = read_runs(stored(tmp_path, runs), SPACE, 3).configurations
    assert "ddqn.tau" not in configuration


def test_a_run_that_is_cut_short_is_refused(tmp_path):
    file = stored(tmp_path, frame(3, 2))
    with pytest.raises(UserError, match="cut short: configuration 4 has 2 of 3"):
        read_runs(file, SPACE, 3)


def test_a_file_that_is_cut_short_is_refused(tmp_path):
    file = stored(tmp_path, frame(3, 3))
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UserError, match="is damaged"):
        read_runs(file, SPACE, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b'"a,\n1,2\n', mtime=0)],
    ids=["empty", "text", "no table"],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "runs.csv.gz"
    file.write_bytes(content)
    with pytest.raises(UserError, match="damaged") as refused:
        read_runs(file, SPACE, 3)
    assert "\n" not in str(refused.value)


def test_a_missing_file_names_what_makes_it(tmp_path):
    with pytest.raises(UserError, match="make it again with experiments"):
        read_runs(tmp_path / "none.csv.gz", SPACE, 3)


def test_runs_of_another_space_are_refused_with_what_differs(tmp_path):
    file = stored(tmp_path, frame(3).rename(columns={"config.ddqn.lr": "config.x"}))
    with pytest.raises(UserError, match=r"another search space .* ddqn.lr, x"):
        read_runs(file, SPACE, 3)
