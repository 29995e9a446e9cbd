"""Commands and examples of the pages: parsed all of them, run where that is cheap."""

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tyro

from se_hpo.registries import AGENTS
from se_hpo.terminal.flags import joined
from tests.end_to_end.test_docs import PAGES, blocks, commands
from tests.helpers.fake_run import (
    add_configuration,
    add_generation,
    add_result,
    make_run,
)
from tests.helpers.places import ROOT

pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").exists(), reason="docs/ is not beside tests/"
)

OPTIONS = {
    "optimize": "optimize.options:Options",
    "train": "train.options:TrainOptions",
    "evaluate": "evaluate.options:EvaluateOptions",
    "report": "report.options:ReportOptions",
    "zoo": "zoo.options:ZooOptions",
    "slurm": "slurm.options:SlurmOptions",
    "doctor": "doctor.options:DoctorOptions",
    "worker": "optimize.worker:WorkerOptions",
}
FOLDERS = {
    "space": ("spaces", ".py"),
    "config": ("se_hpo/train/configurations", ".yaml"),
}
"""Field of a command -> where what it names by its stem lies, and its suffix."""
YOURS = re.compile(r"(\./)?(my[/_]|mine\.|own\.|corridor\.|results/|/)")
"""A file that a reader has, or is to write."""
LISTS = ("--list-spaces", "--list-configs", "--describe", "list", "show")


def words_of(command: list[str]) -> list[str]:
    """Name and flags; brackets and `...` stand for what a reader puts there."""
    start = 1 if command[0] == "se-hpo" else 2
    words = [word.removeprefix("se_hpo.") for word in command[start:]]
    ends = {";", "|", "&&", ">", "&"}
    stop = next((i for i, word in enumerate(words) if word in ends), len(words))
    return words[:stop]


def wrong_with(command: list[str]) -> str:
    """What a command of a page would be refused for; nothing is trained."""
    name, *rest = words_of(command)
    if "..." in rest or rest[:1] in (["train"], ["evaluate"]):
        return ""
    module, _, kind = OPTIONS[name].partition(":")
    cls = getattr(importlib.import_module(f"se_hpo.{module}"), kind)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            options = tyro.cli(
                cls, args=joined(rest), config=(tyro.conf.FlagCreatePairsOff,)
            )
    except SystemExit:
        return said.getvalue()
    return ", ".join(missing_names(options))


def missing_names(options: object) -> list[str]:
    """Spaces, recipes and agents that are named and not there."""
    missing = []
    for field, (folder, suffix) in FOLDERS.items():
        named = getattr(options, field, None)
        if named is None or YOURS.match(str(named)):
            continue
        places = (
            ROOT / folder / f"{named}{suffix}",
            ROOT / named,
            ROOT / "examples" / named,
        )
        if not any(place.is_file() for place in places):
            missing.append(f"{field} {named}")
    agents = [str(agent) for agent in getattr(options, "agents", ())]
    return missing + [a for a in agents if a not in AGENTS and a != "linear_q"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_of_a_page_is_understood(page: Path) -> None:
    found = {" ".join(c): wrong_with(c) for c in commands(page)}
    assert {c: wrong for c, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "optimize --sapce smoke",
        "optimize --space nes_cartpoole",
        "optimize --space smoke --n-brackets many",
        "train --config cartpole-al --num-envs 2",
        "evaluate --envs zoo:CartPole-v0 --agents ddqnn",
        "report",
    ],
)
def test_a_command_that_would_be_refused_is_found(wrong: str) -> None:
    assert wrong_with(["python", "-m", *f"se_hpo.{wrong}".split()])


def cheap() -> list[str]:
    """Commands of the pages that only list something, each once."""
    found = {tuple(words_of(c)) for page in PAGES for c in commands(page)}
    return sorted(" ".join(c) for c in found if set(c) & {*LISTS})


@pytest.mark.parametrize("command", cheap())
def test_what_a_page_only_lists_is_listed(command: str, tmp_path: Path) -> None:
    shell = ["bash", "-c", f"{sys.executable} -m se_hpo.{command}"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    said = subprocess.check_output(shell, text=True, cwd=tmp_path, env=clean)
    assert said.strip()


def python_blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def shell_output(text: str, folder: Path) -> str:
    (folder / "pasted.py").write_text(text)
    pasted = [sys.executable, "pasted.py"]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.check_output(pasted, text=True, cwd=folder, env=path)


def test_the_three_lines_of_the_readme_give_an_agent_that_solves_the_task(
    tmp_path: Path,
) -> None:
    (block,) = [b for b in python_blocks("README.md") if "train_agent" in b]
    assert float(shell_output(block, tmp_path)) >= 475


def test_the_start_page_reads_a_run(tmp_path: Path) -> None:
    run = make_run(tmp_path / "results/nes_cartpole-0")
    add_configuration(run, (0, 0, 0))
    add_result(run, (0, 0, 0), 1.0, 0.5, 1000.0)
    add_generation(run, (0, 0, 0), 0, [20.0])
    (block,) = [b for b in python_blocks("docs/start.md") if "load_trials" in b]
    said = shell_output(block, tmp_path)
    assert "000-0-000" in said and "20.0" in said


def test_the_site_has_every_page_of_the_docs() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert pages - set(re.findall(r"[\w./-]+\.md", nav)) == set()


def test_every_fenced_block_is_closed() -> None:
    for page in PAGES:
        assert page.read_text().count("```") % 2 == 0, page.name
        assert all("```" not in block for block in blocks(page))
