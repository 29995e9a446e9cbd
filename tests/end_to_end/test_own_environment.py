"""The page about an environment of one's own, from its registration to a report."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.helpers.places import ROOT

PAGE = (ROOT / "docs" / "own-environment.md").read_text()
CHEAP = {
    "se_hpo.train": ["--generations", "1", "--set", "nes.population=2"],
    "se_hpo.evaluate": ["--num-agents", "1", "--fixed-steps", "60", "--quiet"],
    "se_hpo.report": ["--no-figures"],
    "se_hpo.zoo": [],
}


def block(language: str, about: str) -> str:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (found,) = [text for of, text in blocks if of == language and about in text]
    return found


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=folder, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_page_leads_from_registration_to_report(tmp_path: Path) -> None:
    (tmp_path / "my_corridor.py").write_text(block("python", "class Corridor"))
    (tmp_path / "corridor.yaml").write_text(block("yaml", "task: my_corridor:"))
    commands = block("", "se_hpo.report").splitlines()
    assert len(commands) == 4
    for command in commands:
        _, _, module, *words = shlex.split(command)
        run(tmp_path, "-m", module, *words, *CHEAP[module])
    report = (tmp_path / "results" / "corridor" / "report.html").read_text()
    assert "not known" not in report  # which return solves the task
    (tmp_path / "use.py").write_text(block("python", "checkpoint=") + "print(info)\n")
    assert run(tmp_path, "use.py") == "{}\n"
