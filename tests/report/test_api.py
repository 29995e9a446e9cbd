"""`se_hpo.report.run`: the command from Python."""

import subprocess
import sys
from pathlib import Path

import pytest

import se_hpo
from se_hpo.errors import UserError
from tests.helpers.full_run import make_full_run
from tests.helpers.programs import example, surroundings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the documented example finds its run."""
    folder = tmp_path_factory.mktemp("runs")
    make_full_run(folder / "results" / "nes_cartpole-0", n_ses=2, n_agents=1)
    return folder


def test_the_documented_example_writes_the_report(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = surroundings()
    names = {}
    exec(example("report.md", "se_hpo.report.run"), names)
    assert capsys.readouterr() == ("results/nes_cartpole-0/report.html\n", "")
    assert names["path"] == Path("results/nes_cartpole-0/report.html")
    assert names["path"].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not (names["path"].parent / "figures").exists()
    assert surroundings() == before


def test_the_report_opens_in_a_browser_when_asked(folder, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    run = folder / "results" / "nes_cartpole-0"
    path = se_hpo.report.run(run, figures=False, open=True)
    assert opened == [path.as_uri()]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"figure": False}, "unknown flag 'figure': did you mean 'figures'"),
        ({"figures": "no"}, "figures = 'no': must be of type bool"),
        ({"transition_agents": -1}, "--transition-agents -1"),
        ({"run": "nowhere"}, "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_ends_no_program(folder, monkeypatch, flags, line):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=line) as error:
        se_hpo.report.run(**{"run": "results/nes_cartpole-0", **flags})
    assert "\n" not in str(error.value)


def test_the_commands_are_there_without_torch_and_pandas():
    code = (
        "import sys, se_hpo; print(se_hpo.report.run, se_hpo.evaluate.run, "
        "*{'torch', 'pandas', 'tyro'}.intersection(sys.modules))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.count("<function run") == 2
    assert said.strip().endswith(">")
