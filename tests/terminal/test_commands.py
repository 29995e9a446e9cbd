"""Every command starts, whichever way it is typed, and its help is worth reading."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from se_hpo.__main__ import COMMANDS
from se_hpo.terminal.help_texts import with_help
from se_hpo.version import __version__

CONSOLE = (
    "import sys; from se_hpo.__main__ import main; sys.argv[0] = 'se-hpo'; "
    "sys.path.pop(0); sys.exit(main())"
)
"""What the script of an installation does; the folder where it lies is no cwd."""


def typed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80"},
    )


def sentences(help_text: str) -> str:
    """Without the frame, and in one line."""
    return " ".join(re.sub("[│╭╰─╮╯]", " ", help_text).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_help_without_none_and_without_internal_flags(name: str):
    done = typed("-c", CONSOLE, name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m se_hpo.{name} ")
    assert "None" not in done.stdout
    assert not {"--parent", "--master-job"} & set(re.findall("--[a-z-]+", done.stdout))


def test_a_help_text_of_several_lines_is_whole_sentences():
    text = sentences(typed("-m", "se_hpo", "optimize", "--help").stdout)
    assert "cycles, or 30 trials where there is only one rung." in text
    assert "--min-budget INT" in text and "--run PATH" in text
    assert not re.search(r"default: \d+\.\d{5}", text)  # no 0.3333333333333333
    text = sentences(typed("-m", "se_hpo.report", "--help").stdout)
    assert "--no-figures Draw no figures" in text


@pytest.mark.parametrize("how", [("-m", "se_hpo"), ("-c", CONSOLE)])
def test_the_version_is_there(how):
    done = typed(*how, "--version")
    assert (done.returncode, done.stdout) == (0, f"se-hpo {__version__}\n")


def test_an_unknown_command_is_bad_input():
    done = typed("-m", "se_hpo", "optimise")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: se-hpo has no command 'optimise': did you mean 'optimize'?\n"
    )


def test_the_console_script_finds_a_module_in_this_folder(tmp_path: Path):
    (tmp_path / "mine.py").write_text(
        "import gymnasium\n"
        "from gymnasium.envs.classic_control import CartPoleEnv\n"
        "gymnasium.register('Mine-v0', CartPoleEnv, reward_threshold=90, "
        "max_episode_steps=100)\n"
    )
    (tmp_path / "mine.yaml").write_text("task: mine:Mine-v0\n")
    words = ("train", "--config", "mine.yaml", "--out", "set", "--num-envs", 1)
    done = typed("-c", CONSOLE, *words, "--set", "se.kind=x", cwd=tmp_path)
    assert "se.kind" in done.stderr  # not: no module named 'mine'


def test_options_of_frozen_and_plain_dataclasses_stay_what_they_are():
    from se_hpo.optimize.options import Options

    shown = with_help(Options)
    assert isinstance(shown(), Options) and shown().n_workers == Options().n_workers
    with pytest.raises(AttributeError):
        shown().seed = 3
