"""What an attempt says of how it was started."""

import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.machine.provenance import as_typed, attempt, called_from_python
from tests.helpers.places import ROOT


@pytest.fixture
def started_as(monkeypatch):
    """Makes this process one that was started so."""

    def start(module, *argv):
        main = ModuleType("__main__")
        main.__spec__ = ModuleSpec(module, None) if module else None
        monkeypatch.setitem(sys.modules, "__main__", main)
        monkeypatch.setattr(sys, "argv", list(argv))

    return start


def test_an_attempt_holds_the_module_whatever_file_it_is(started_as):
    started_as("se_hpo.train.__main__", "/opt/x/__main__.py", "--from", "results/a b")
    words = ["python", "-m", "se_hpo.train", "--from", "results/a b"]
    assert attempt()["command"] == words
    assert as_typed(words) == "python -m se_hpo.train --from 'results/a b'"


def test_a_script_of_somebody_s_is_held_as_it_was_started(started_as):
    started_as(None, "my.py", "x")
    assert as_typed(attempt()["command"]) == "python my.py x"


def test_a_call_from_python_is_held_as_one_may_repeat_it(started_as):
    started_as(None, "/x/ipykernel_launcher.py", "-f", "kernel.json")
    with called_from_python("se_hpo.train.run", DDQNConfig(tau=0.5)):
        said = as_typed(attempt()["command"])
    assert said == "python: se_hpo.train.run(tau=0.5)"
    assert "ipykernel" in as_typed(attempt()["command"])


def test_the_console_script_is_its_module(tmp_path):
    script = tmp_path / "se-hpo"
    script.write_text(Path(ROOT, "se_hpo/__main__.py").read_text())
    command = [sys.executable, script, "report", "--help"]
    said = subprocess.check_output(command, text=True, cwd=ROOT, timeout=60)
    assert said.startswith("usage: python -m se_hpo.report ")
