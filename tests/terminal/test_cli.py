"""Terminals and streams as people have them: closed, ASCII only, full, cut off."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SPACE = '''
"""Umläute, 一 and 🙂 in a summary."""
from ConfigSpace import ConfigurationSpace, Float

META = {
    "task": "CartPole-v0", "agent": "ddqn", "objective": "agent", "base": {},
    "min_budget": 1, "max_budget": 1, "eta": 3,
}

def space(seed=None):
    return ConfigurationSpace(space={"ddqn.lr": Float("ddqn.lr", (1e-4, 1e-2))})
'''
COMMANDS = {
    "optimize": ("--list-spaces",),
    "train": ("--list-configs",),
    "slurm": ("--list-spaces",),
    "report": ("--help",),
    "evaluate": ("--help",),
    "doctor": ("--help",),
    "worker": ("--help",),
    "__main__": (),
}


def run(*words: object, redirected: str = "", **env: str):
    """Run a command through a shell, as it is typed."""
    line = '"$@" ' + redirected
    command = ["bash", "-c", line, "bash", sys.executable, "-m", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **env}
    )


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "umläut.py"
    path.write_text(SPACE, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_closed_standard_output_is_no_error(name: str) -> None:
    done = run(f"se_hpo.{name}", *COMMANDS[name], redirected=">&-")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_without_any_stream_is_complete_and_exits_0(tmp_path: Path) -> None:
    words = ("se_hpo.optimize", "--space", "smoke", "--n-brackets", 1)
    done = run(*words, "--run", tmp_path / "run", redirected="<&- >&- 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "results.json").read_text().count("\n") == 4


@pytest.mark.parametrize("name", COMMANDS)
def test_ascii_terminals_get_replaced_characters(name: str) -> None:
    done = run(f"se_hpo.{name}", *COMMANDS[name], PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_users_write_is_shown_on_ascii_terminals(space: Path) -> None:
    words = ("se_hpo.optimize", "--describe", space)
    done = run(*words, PYTHONIOENCODING="ascii:strict")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Uml?ute, ? and ? in a summary" in done.stdout
    done = run("se_hpo.optimize", "--space", f"{space}x.py", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "uml\\xe4ut.pyx.py" in done.stderr


def test_an_output_that_cannot_be_written_is_said_in_one_line() -> None:
    done = run("se_hpo.optimize", "--list-spaces", redirected="> /dev/full")
    assert done.returncode == 1
    assert done.stderr == "standard output: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error_to_talk_about() -> None:
    done = run("se_hpo.optimize", "--list-spaces", redirected="| true")
    assert done.stderr == ""


def test_a_run_whose_output_nobody_reads_goes_on_to_its_end(tmp_path: Path) -> None:
    words = ("se_hpo.optimize", "--space", "smoke", "--n-brackets", 1, "--confirm", 1)
    run(*words, "--run", tmp_path / "run", redirected="| true")
    assert (tmp_path / "run" / "confirm" / "confirmation.json").exists()


def test_a_closed_terminal_ends_no_command_that_nohup_started() -> None:
    code = (
        "import os, signal; from se_hpo.terminal.cli import exit_with; "
        "exit_with(lambda: os.kill(os.getpid(), signal.SIGHUP) or 7)"
    )
    run = ["sh", "-c", f"{sys.executable} -c '{code}'"]
    plain = subprocess.run(run, capture_output=True, text=True)
    assert plain.stderr == "terminated; the same command goes on from here\n"
    assert plain.returncode == 129
    run[-1] = f"trap '' HUP; {run[-1]}"
    assert subprocess.run(run, capture_output=True).returncode == 7


def test_a_module_that_runs_as_main_is_heard_as_its_package_is():
    code = (
        "import logging; from se_hpo.terminal.cli import log_to_stderr; "
        "log_to_stderr(logging.INFO); log = logging.getLogger(__name__); "
        "log.info('left to another process')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert "INFO left to another process" in done.stderr
