"""docs/python.md: what it shows runs as it stands, from top to bottom."""

import re

import pytest

from tests.helpers.places import ROOT

PAGE = ROOT / "docs" / "python.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="docs/ is elsewhere")
COMMAND = re.compile(r"se_hpo\.(optimize|train|evaluate|report)\.run\(")


def run_blocks(folder, monkeypatch, wanted):
    monkeypatch.chdir(folder)
    names = {"__name__": "__main__"}
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for block in filter(wanted, blocks):
        exec(compile(block, "<python.md>", "exec"), names)
    return names


def test_agents_and_searches(tmp_path, monkeypatch, capsys):
    names = run_blocks(tmp_path, monkeypatch, lambda text: not COMMAND.search(text))
    assert names["agent"].training["env_steps"] == 1000
    assert names["returns"].mean() == 200
    assert names["action"] in (0, 1)
    assert len(names["frame"]) == 4
    assert names["search"].finished
    said = capsys.readouterr().out
    for line in PAGE.read_text().splitlines():
        if line.startswith("print(agent)  # "):
            assert line.removeprefix("print(agent)  # ") in said


@pytest.mark.slow
def test_the_whole_page(tmp_path, monkeypatch):
    pytest.importorskip("jinja2")
    names = run_blocks(tmp_path, monkeypatch, lambda text: True)
    assert len(names["trials"]) == 4
    assert len(names["learned"].ses()) == 1
    assert len(names["evaluation"].frame()) == 2
    assert names["report"].is_file()
