"""What does not belong into a set's folder: one line for it, and nothing is lost."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from se_hpo.errors import UserError, storage_line
from se_hpo.results.lines import UnreadableWarning, read_json
from se_hpo.results.se_set_settings import read_settings
from se_hpo.results.se_sets import read_set
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import SESetPaths
from se_hpo.train.options import TrainOptions
from se_hpo.train.request import resolve_request
from se_hpo.train.set_folder import open_set
from se_hpo.train.set_run import finished
from se_hpo.training import native_engine
from tests.helpers.fake_sets import make_set

DEEP = "[" * 100_000


@pytest.fixture
def paths(tmp_path: Path) -> SESetPaths:
    return make_set(tmp_path / "set")


@pytest.mark.skipif(not native_engine.available(), reason="without the native engine")
def test_an_instruction_set_that_is_none_is_refused_before_the_set_is_touched(
    monkeypatch,
):
    monkeypatch.setenv("SE_HPO_ISA", "foo")
    with pytest.raises(UserError, match="SE_HPO_ISA='foo' cannot be used here"):
        resolve_request(TrainOptions(config="cartpole"))
    assert resolve_request(TrainOptions(config="cartpole", engine="torch"))


@pytest.mark.parametrize(
    "change",
    [
        {"n_envs": "abc"},
        {"n_envs": None},
        {"n_envs": float("inf")},
        {"n_envs": 10**12},
        {"seed": float("inf")},
    ],
    ids=str,
)
def test_a_set_json_with_a_wrong_number_is_damaged_and_stays_as_it_is(paths, change):
    settings = read_settings(paths)
    paths.set.write_text(json.dumps(json.loads(paths.set.read_text()) | change))
    before = paths.set.read_text()
    with pytest.raises(UserError, match=r"set\.json is damaged"):
        read_set(paths.root)
    with pytest.raises(UserError, match=r"set\.json is damaged"):
        open_set(paths, settings, 2, {})
    assert paths.set.read_text() == before


def test_brackets_nested_too_deep_are_damage_like_any_other(paths, tmp_path):
    paths.outcome(1).write_text(DEEP)
    with pytest.warns(UnreadableWarning, match="001"):
        assert [o.index for o in read_set(paths.root).outcomes] == [0]
    deep = tmp_path / "deep"
    deep.write_text(f"{{}}\n{DEEP}\n")
    assert [value for _, value in read_json_lines(deep)] == [{}, None]
    deep.write_text(DEEP)
    with pytest.warns(UnreadableWarning, match="not JSON"):
        assert read_json(deep) == {}
    paths.set.write_text(DEEP)
    with pytest.raises(UserError, match=r"set\.json is damaged"):
        read_set(paths.root)


def test_a_folder_in_place_of_an_outcome_is_named_with_the_mend(tmp_path):
    request = resolve_request(
        TrainOptions(config="cartpole", num_envs=1, out=tmp_path / "set")
    )
    request.paths.outcome(0).mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as taken:
        finished(request, 0)
    assert storage_line(taken.value) == (
        f"{request.paths.outcome(0)}: Is a directory; move that folder out of the way, "
        "then the same command goes on"
    )


def test_the_path_that_is_named_is_the_one_that_is_taken(tmp_path):
    (tmp_path / "report.html").mkdir()
    (tmp_path / "temporary").write_text("")
    with pytest.raises(IsADirectoryError) as taken:
        (tmp_path / "temporary").replace(tmp_path / "report.html")
    assert str(storage_line(taken.value)).startswith(f"{tmp_path / 'report.html'}: ")


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    command = [sys.executable, "-m", "se_hpo.train", "--config", "cartpole", "--plan"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / ("x" * 300))],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert (
        done.stderr.count("\n") == 1 and "File name too long; shorten it" in done.stderr
    )
