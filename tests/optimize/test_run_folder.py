"""A run folder is made, continued, or refused, and nothing is lost on the way."""

import json
import os

import pytest
from ConfigSpace import ConfigurationSpace

from se_hpo.errors import UserError
from se_hpo.optimize.run_folder import open_run
from se_hpo.results.run_settings import read_run
from se_hpo.storage.paths import RunPaths

SETTINGS = {"space": "smoke", "seed": 0, "max_budget": 3, "base": {"nes.population": 2}}


def space(**hyperparameters):
    return ConfigurationSpace({"x": (0.0, 1.0), **hyperparameters})


def opened(tmp_path, settings=SETTINGS, cs=None, overwrite=False):
    paths = RunPaths(tmp_path / "run")
    return open_run(paths, settings, cs or space(), overwrite), paths


def test_a_new_run_writes_what_it_is_and_how_it_was_started(tmp_path):
    data, paths = opened(tmp_path)
    assert json.loads(paths.run.read_text()) == data
    assert data["settings"]["space"] == "smoke"
    assert data["attempts"][0]["pid"] == os.getpid()
    assert {"torch", "hpbandster", "python", "se_hpo"} <= data["versions"].keys()
    loaded = ConfigurationSpace.from_json(paths.configspace)
    assert loaded == space()


def test_the_same_settings_continue_and_count_the_attempt(tmp_path):
    opened(tmp_path)
    data, _ = opened(tmp_path)
    assert len(data["attempts"]) == 2


def test_other_settings_are_refused_with_the_difference(tmp_path):
    _, paths = opened(tmp_path)
    before = paths.run.read_bytes()
    with pytest.raises(UserError, match=r"max_budget 3 -> 9.*seed 0 -> 1.*--overwrite"):
        opened(tmp_path, {**SETTINGS, "max_budget": 9, "seed": 1})
    assert paths.run.read_bytes() == before


def test_a_changed_space_is_refused_by_hyperparameter(tmp_path):
    opened(tmp_path)
    with pytest.raises(UserError, match="hyperparameter y changed"):
        opened(tmp_path, cs=space(y=(1, 5)))


def test_overwrite_deletes_the_run_and_only_a_run(tmp_path):
    _, paths = opened(tmp_path)
    paths.trial((0, 0, 0)).root.mkdir(parents=True)
    data, _ = opened(tmp_path, {**SETTINGS, "seed": 1}, overwrite=True)
    assert len(data["attempts"]) == 1
    assert not paths.trials.exists()
    (paths.root / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        opened(tmp_path, overwrite=True)
    assert (paths.root / "thesis.tex").exists()
    assert paths.run.exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="holds no run"):
        opened(tmp_path, overwrite=True)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match=r"cannot write to .*--run"):
        open_run(RunPaths(tmp_path / "file" / "run"), SETTINGS, space(), False)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_run_json_is_named(tmp_path, text):
    _, paths = opened(tmp_path)
    paths.run.write_text(text)
    with pytest.raises(UserError, match=r"run\.json"):
        read_run(paths)


def test_reading_where_no_run_is_names_the_command(tmp_path):
    with pytest.raises(UserError, match=r"python -m se_hpo\.optimize"):
        read_run(RunPaths(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"settings": 3},
        {"attempts": {}},
        {"n_brackets": "x"},
        {"n_brackets": 10**12},
        {"settings": {"configspace": 3}},
        {"settings": {}},
    ],
)
def test_a_run_json_of_the_wrong_shape_is_one_line(tmp_path, change):
    data, paths = opened(tmp_path)
    paths.run.write_text(json.dumps({**data, **change}))
    with pytest.raises(UserError):
        opened(tmp_path)


def test_overwrite_spares_hidden_files(tmp_path):
    _, paths = opened(tmp_path)
    (paths.root / ".git").mkdir()
    with pytest.raises(UserError, match=r"\.git"):
        opened(tmp_path, overwrite=True)
    assert paths.run.exists()


def test_a_damaged_configspace_is_written_again(tmp_path):
    _, paths = opened(tmp_path)
    paths.configspace.write_text("{")
    opened(tmp_path)
    assert ConfigurationSpace.from_json(paths.configspace) == space()


def test_continuing_with_another_version_says_so(tmp_path, caplog):
    data, paths = opened(tmp_path)
    data["versions"]["se_hpo"] = "0.0.1"
    paths.run.write_text(json.dumps(data))
    opened(tmp_path)
    assert "begun with se_hpo 0.0.1" in caplog.text


def test_overwrite_deletes_what_was_set_aside_and_every_file_of_a_run(tmp_path):
    _, paths = opened(tmp_path)
    paths.transitions.touch()
    paths.configs.with_name("configs.json.damaged").touch()
    opened(tmp_path, {**SETTINGS, "seed": 1}, overwrite=True)
    assert not paths.transitions.exists()
    assert not list(paths.root.glob("*.damaged"))
