"""The programs in examples/ at a size that takes seconds."""

import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest

from se_hpo.envs import zoo_files
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from tests.helpers.places import ROOT
from tests.helpers.programs import run_script, script

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


def test_an_agent_of_the_zoo_is_saved_and_acts_on_the_task(tmp_path):
    path = tmp_path / "agent.safetensors"
    flags = ("--steps=80", "--out", path, "--task=Acrobot-v1", "--algorithm=ppo")
    said = run_script(EXAMPLES, "train_agent.py", *map(str, flags)).splitlines()
    assert said[0] == "<ppo for Acrobot-v1, 80 steps on zoo:Acrobot-v1>"
    assert said[1].startswith("mean return of 10 episodes on Acrobot-v1: -")
    assert said[2].startswith(f"{path}: return -")


def test_an_agent_is_tuned_on_an_se(monkeypatch, capsys):
    example("tune.py", monkeypatch, "--brackets=1", "--max-budget=1")
    said = capsys.readouterr().out
    assert "finished" in said and said.splitlines()[-1].startswith("<Trial 000-0-000")


def test_an_se_of_an_own_environment_is_learned_and_tried(tmp_path):
    for name in ("balance.py", "own_environment.py", "own_environment.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    said = run_script(tmp_path, "own_environment.py", "--generations=1", "--agents=1")
    assert "best_score" in said and "se_fixed" in said and "real" in said
    last = said.splitlines()[-1]
    assert last.startswith("<ddqn for balance:Balance-v0, 500 steps on results/")
    assert last.endswith("on the task")


def test_a_space_of_ones_own_runs_itself(tmp_path):
    shutil.copy(EXAMPLES / "own_space.py", tmp_path)
    said = run_script(tmp_path, "own_space.py", "1")
    assert "score_best" in said and "<Incumbent 000-0-000, budget 1" in said


def test_what_a_cluster_would_get_is_shown_without_one(tmp_path):
    shutil.copy(EXAMPLES / "slurm_dry_run.py", tmp_path)
    said = run_script(tmp_path, "slurm_dry_run.py", "--workers=3", "--space=smoke")
    assert "#SBATCH --array=0-2" in said
    assert "results/dry-run/slurm/master.sbatch" in said


def test_a_reward_network_is_learned_and_tried(tmp_path):
    shutil.copy(EXAMPLES / "reward_network.py", tmp_path)
    flags = ("--generations=1", "--steps=50", "--agents=1")
    first, second = run_script(tmp_path, "reward_network.py", *flags).splitlines()
    assert first.startswith("50 steps on results/") and "mean return -" in first
    assert second.startswith("50 steps on Cliff-v0: mean return -")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda p: p.name)
def test_an_example_is_short(path):
    assert len(path.read_text().splitlines()) < 40


@pytest.mark.parametrize(
    ("error", "code"), [("UserError", 2), ("FailedRunError", 1), ("ValueError", 1)]
)
def test_a_script_that_a_mistake_ends_says_one_line(tmp_path, error, code):
    text = f"import se_hpo.errors\n\nraise se_hpo.errors.{error}('mend it')\n"
    text = text.replace("se_hpo.errors.ValueError", "ValueError")
    (tmp_path / "mine.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "mine.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code
    if error == "ValueError":
        assert "Traceback" in done.stderr
    else:
        assert done.stderr == "mine.py:3: error: mend it\n"


def test_a_hook_of_the_program_stays(tmp_path):
    text = "import sys\nsys.excepthook = mine = print\nimport se_hpo\n"
    text += "print(sys.excepthook is mine)\n"
    assert script(tmp_path, text) == ("True\n", "")


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(EXAMPLES / "first_hour.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    done = nbclient.NotebookClient(notebook, timeout=200, resources=resources).execute()
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    shown = [
        output["data"].get("text/plain", "")
        for cell in cells
        for output in cell.outputs
        if "data" in output
    ]
    assert "<ddqn for CartPole-v1, 1,000 steps on zoo:CartPole-v1>" in shown
    assert any("Incumbent" in text for text in shown)
    said = [o for cell in cells for o in cell.outputs if o.output_type == "stream"]
    assert not [o for o in said if "Error" in o.text]
