"""The programs in examples/ at a size that takes seconds."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from se_hpo.envs import zoo_files
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from tests.helpers.places import ROOT
from tests.helpers.programs import run_script

EXAMPLES = ROOT / "examples"
pytestmark = pytest.mark.skipif(not EXAMPLES.exists(), reason="examples/ is elsewhere")


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """The package's zoo, with a random one-step SE for CartPole-v1."""
    monkeypatch.setattr(zoo_files, "FOLDER", tmp_path / "zoo")
    config, task = OneStepConfig(hidden_size=8), get_task("CartPole-v1")
    psi = initial_psi(config, task, np.random.default_rng(0))
    path = tmp_path / "zoo/CartPole-v1.safetensors"
    save_se(path, psi, task.id, config)
    return path


def example(name, monkeypatch, *flags):
    """Run an example in this process, which knows the zoo of the test."""
    monkeypatch.setattr(sys, "argv", [name, *map(str, flags)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_an_agent_of_sb3_is_trained_on_the_zoo_and_tested_on_the_task(
    zoo, monkeypatch, capsys
):
    pytest.importorskip("stable_baselines3")
    example("train_on_zoo_se.py", monkeypatch, "--steps", 64)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "2,048 steps on the SE, none on CartPole-v1"  # one rollout
    name, mean = second.split(": ")
    assert name == "mean return of 10 episodes on CartPole-v1"
    assert 1 <= float(mean) <= 500


def test_an_agent_is_watched_on_the_real_task(zoo, tmp_path, monkeypatch, capsys):
    for module in ("stable_baselines3", "pygame"):
        pytest.importorskip(module)
    image = pytest.importorskip("PIL.Image")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    path = tmp_path / "agent.gif"
    flags = ("--checkpoint", zoo, "--frames", 4, "--out", path, "--steps", 64)
    example("watch_agent.py", monkeypatch, *flags)
    said = capsys.readouterr().out
    with image.open(path) as gif:
        assert said.startswith(f"{path}: {gif.n_frames} frames, return ")
        assert 1 <= gif.n_frames <= 4 and gif.size == (300, 200)


def test_an_se_of_an_own_environment_is_learned_and_tried(tmp_path):
    for file in EXAMPLES.glob("own_environment.*"):
        shutil.copy(file, tmp_path)
    said = run_script(tmp_path, "own_environment.py", "--generations=1", "--agents=1")
    assert "best_score" in said and "se_fixed" in said and "real" in said
    last = said.splitlines()[-1]
    checkpoint, what = last.split(": ", 1)
    assert Path(tmp_path, checkpoint).is_file()
    assert what == "Box(-inf, inf, (2,), float32), Discrete(2)"
