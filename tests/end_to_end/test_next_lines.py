"""What a command prints under "Next:" runs when it is pasted into a fresh shell.

A fresh shell has no environment activated: `python` is another one there, or none.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHEAP = {
    "se_hpo.train": "--num-envs 1 --generations 1",
    "se_hpo.evaluate": "--num-agents 1 --test-episodes 1 --fixed-steps 60",
    "se_hpo.report": "--no-figures",
}
"""Added to a pasted line, so that it takes seconds."""


def shell(line: str, cwd: Path, path: str = "/usr/bin:/bin") -> str:
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env={**os.environ, "PATH": path, "COLUMNS": "80"},
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    return done.stdout


def typed(words: str, cwd: Path) -> list[str]:
    """Run a command; the lines under its "Next:"."""
    return next_lines(shell(f"{sys.executable} -m se_hpo.{words}", cwd))


def paste(lines: list[str], cwd: Path) -> str:
    out = []
    for line in lines:
        module = line.partition(" -m ")[2].partition(" ")[0]
        out.append(shell(f"{line} {CHEAP.get(module, '')}", cwd))
    return "\n".join(out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("a folder")
    shell(
        f"{sys.executable} -m se_hpo.optimize --space smoke --n-brackets 1 "
        "--run 'results/a run' > optimize.txt",
        made,
    )
    return made


def next_lines(out: str) -> list[str]:
    lines = out.rpartition("Next:\n")[2].splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]


def test_from_optimize_over_train_and_evaluate_to_the_report(folder: Path) -> None:
    lines = next_lines((folder / "optimize.txt").read_text())
    report, train, environment, trials = lines
    assert "report.html" in paste([report], folder)
    assert "array(" in paste([environment], folder)
    shown = paste([trials], folder)
    assert "score_best" in shown and "..." not in shown  # fits 80 columns
    ses, evaluate = next_lines(paste([train], folder))
    assert "checkpoint" in paste([ses], folder)
    again, agents = next_lines(paste([evaluate], folder))
    assert again == report and "--out" not in evaluate
    assert "env_steps" in paste([agents], folder)


@pytest.mark.slow
def test_after_train_out_and_zoo_add_the_records_have_a_place(folder: Path) -> None:
    words = "train --from 'results/a run' --out 'my set' --num-envs 1 --generations 1"
    lines = typed(words, folder)
    assert "--out 'my set-agents.jsonl'" in lines[-1]
    assert "load_evaluations" in paste(lines, folder)
    assert (folder / "my set-agents.jsonl").exists()
    (line,) = typed("zoo add 'my set' --out mine", folder)
    assert "se_hpo.evaluate --envs mine/CartPole-v0" in line
    paste([line], folder)


def test_where_python_is_this_one_it_is_called_so(folder: Path) -> None:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    code = "from se_hpo.terminal.next_steps import python; print(python())"
    assert shell(f'{sys.executable} -c "{code}"', folder).strip() == shutil.which(
        sys.executable
    )
    own = Path(sys.executable)
    if own.with_name("python").exists():
        path = f"{own.parent}:/usr/bin:/bin"
        assert shell(f'python -c "{code}"', folder, path).strip() == "python"
