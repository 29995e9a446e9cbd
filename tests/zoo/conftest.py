"""A run whose SEs are evaluated, and a zoo with one of them."""

import shutil
from pathlib import Path

import pytest

from se_hpo.envs import zoo_files
from tests.helpers.zoo import add, evaluated_set


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory) -> Path:
    """Made once; do not change it."""
    run = tmp_path_factory.mktemp("zoo") / "run"
    evaluated_set(run)
    return run


@pytest.fixture
def run(evaluated, tmp_path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(evaluated, tmp_path / "run"))


@pytest.fixture
def zoo(evaluated, tmp_path, monkeypatch) -> Path:
    """The package's zoo, with an SE for CartPole-v0."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(zoo_files, "FOLDER", folder)
    add(folder, evaluated)
    return folder
