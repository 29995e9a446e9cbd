"""A task, an agent and a space from one file of a user: every process knows them."""

import importlib
import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import se_hpo
from se_hpo.envs import tasks
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.registration import register_synthetic_env
from se_hpo.errors import UserError
from se_hpo.search_spaces.loading import load_space
from se_hpo.search_spaces.user_code import prepare, run_file
from se_hpo.storage.paths import RunPaths, SESetPaths
from tests.helpers.full_run import make_full_run
from tests.helpers.places import ROOT

MINE = '''
"""An own task, agent and space."""
from __future__ import annotations
from dataclasses import dataclass
import gymnasium
import numpy as np
from ConfigSpace import ConfigurationSpace, Float
from se_hpo.agents import register_agent
from se_hpo.agents.ddqn import DDQN
from se_hpo.agents.ddqn_config import DDQNConfig
from ranges import NOISE

class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-10, 10, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.x = self.np_random.uniform(-1, 1)
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x += 2 * int(action) - 1
        return np.array([self.x], np.float32), 1.0, abs(self.x) > 3, False, {}

gymnasium.register("Line-v0", Line, max_episode_steps=30, reward_threshold=25)

@dataclass(frozen=True)
class MyConfig(DDQNConfig):
    courage: float = 0.5

class MyAgent(DDQN):
    pass

register_agent("mine", MyConfig, MyAgent)
META = {
    "objective": "nes", "task": "Line-v0", "agent": "mine",
    "min_budget": 1, "max_budget": 1, "eta": 3,
    "base": {
        "nes.population": 1, "nes.n_center_evaluations": 2, "nes.sampling": "single",
        "mine.train_episodes": 2, "mine.init_episodes": 1, "mine.batch_size": 4,
        "mine.hidden_size": 4, "mine.test_episodes": 1, "mine.max_env_steps": 40,
        "se.hidden_size": 4, "mine.courage": 0.25,
    },
}

def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    cs.add(Float("nes.noise_std", NOISE, log=True))
    return cs
'''
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "ranges.py").write_text("NOISE = (0.01, 1.0)\n")
    path = tmp_path / "conf" / "mine.py"
    path.write_text(MINE)
    return path


def command(cwd: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=cwd,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=200,
    )


def test_search_training_evaluation_and_doctor_know_what_one_file_registers(
    mine, tmp_path
):
    away = tmp_path / "away"  # nothing is found in the working directory
    away.mkdir()
    run = RunPaths(away / "run")
    paths = SESetPaths(run.ses / "fixed")
    for name, *words in (
        ("optimize", "--space", mine, "--run", run.root, "--n-brackets=1"),
        ("train", "--from", run.root, "--num-envs=1", "--generations=1"),
        ("evaluate", "--envs", run.root, "--num-agents=2", "--test-episodes=1"),
    ):
        if name != "train":
            words += ["--threads=2"]
        if name == "evaluate":
            words += ["--agents", "mine"]
        done = command(away, f"se_hpo.{name}", *words, "--quiet")
        assert done.returncode == 0, done.stderr + done.stdout
    assert se_hpo.load_trials(run.root)["status"].tolist() == ["finished"]
    (header,) = run.evaluations.glob("*.json")
    stored = [json.loads(p.read_text()) for p in (run.run, paths.set, header)]
    returns = [data["random_returns"] for data in stored]
    assert returns[0]["worst_return"] >= 3 and returns == returns[:1] * 3
    assert [data.get("space_file") for data in stored[:2]] == [str(mine)] * 2

    doctor = command(away, "se_hpo.doctor", "--run", run.root).stdout
    assert f"space file: {mine}: Line-v0 is as Gymnasium asks" in doctor
    moved = mine.rename(mine.with_name("moved.py"))
    for words in (
        ("worker", "--run", run.root),
        ("train", "--from", run.root),
        ("evaluate", "--envs", run.root, "--agents", "mine"),
    ):
        done = command(away, f"se_hpo.{words[0]}", *words[1:])
        assert done.returncode == 2
        (line,) = done.stderr.strip().splitlines()
        assert f"the space file {mine} is gone: put it back" in line
    assert f"space file {mine} is gone" in (
        command(away, "se_hpo.doctor", "--run", run.root).stdout.replace("\n", " ")
    )
    again = ("--run", run.root, "--n-brackets", 1, "--quiet")
    # It goes on from the new place, of the same name.
    moved = moved.rename(tmp_path / "mine.py")
    (tmp_path / "conf" / "ranges.py").rename(tmp_path / "ranges.py")
    done = command(away, "se_hpo.optimize", "--space", moved, *again)
    assert done.returncode == 0, done.stderr
    assert json.loads(run.run.read_text())["space_file"] == str(moved)


def test_a_run_that_is_known_without_its_file_needs_it_no_more(tmp_path):
    data = {"settings": {"task": "CartPole-v0", "agent": "ddqn"}}
    prepare({**data, "space_file": str(tmp_path / "gone.py")}, tmp_path / "run.json")
    prepare(data, tmp_path / "run.json")
    prepare({"config": {"task": "CartPole-v0", "agent": 3}}, tmp_path / "set.json")


def test_no_reader_imports_a_module_that_only_the_folder_names(tmp_path):
    marks = "import pathlib\npathlib.Path('PAYLOAD_RAN').touch()\n"
    (tmp_path / "payload_of_a_set.py").write_text(marks)
    run = make_full_run(tmp_path / "run", n_ses=2, n_agents=1)
    task = "payload_of_a_set:CartPole-v1"  # Gymnasium knows it without the module
    for path in (run.run, *run.ses.glob("*/set.json")):
        text = re.sub('"task": *"[^"]*"', f'"task": "{task}"', path.read_text())
        path.write_text(text)
    evil = run.ses / "fixed"
    for words in (
        ("evaluate", "--envs", evil, "--plan"),
        ("train", "--from", run.root),
        ("train", "--random-search", "--like", evil),
        ("doctor", "--run", run.root),
        ("report", run.root),
    ):
        done = command(tmp_path, f"se_hpo.{words[0]}", *words[1:])
        assert words[0] == "report" or done.returncode in (1, 2)
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "PAYLOAD_RAN").exists(), words
    with warnings.catch_warnings(action="ignore"):
        se_hpo.load_ses(run.root)
    done = command(tmp_path, "se_hpo.evaluate", "--envs", evil, "--plan")
    assert "if you trust the module payload_of_a_set" in done.stderr
    command(tmp_path, "se_hpo.evaluate", "--envs", evil, "--plan", "--task", task)
    assert (tmp_path / "PAYLOAD_RAN").exists(), "the caller named it"


def test_the_stored_returns_are_what_a_worker_uses(mine, tmp_path):
    space = load_space(mine)
    stored = {"random_return": 9.5, "worst_return": 1.5}
    data = {
        "settings": {"task": space.task, "agent": space.agent},
        "space_file": space.own_file,
        "random_returns": stored,
    }
    prepare(data, tmp_path / "run.json")
    assert tasks.returns_of("Line-v0") == stored


def test_an_se_of_an_own_task_is_made_by_both_ids(mine, tmp_path):
    space, config = load_space(mine), SyntheticEnvConfig(hidden_size=4)
    spec, path = tasks.get_task(space.task), tmp_path / "se.safetensors"
    save_se(path, initial_psi(config, spec, np.random.default_rng(0)), spec.id, config)
    env_id = register_synthetic_env("Line-v0")
    try:
        for name in ("Synthetic", env_id):
            env = gymnasium.make(f"se_hpo:{name}", checkpoint=path)
            assert env.reset(seed=0)[0].shape == (1,)
            assert env.spec.max_episode_steps == 30
    finally:
        del gymnasium.registry[env_id]


def test_neighbours_of_the_same_name_are_each_files_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name / "parts").mkdir(parents=True)
        (tmp_path / name / "ranges_here.py").write_text(f"NAME = {name!r}\n")
        (tmp_path / name / "parts" / "__init__.py").write_text("")
        (tmp_path / name / "parts" / "x.py").write_text(f"NAME = {name!r}\n")
        text = "from ranges_here import NAME\nfrom parts.x import NAME as OTHER\n"
        (tmp_path / name / "own.py").write_text(text)
    for name in "aba":
        module = run_file(tmp_path / name / "own.py")
        assert (name, name) == (module.NAME, module.OTHER)


@pytest.mark.parametrize("name", ["queue", "json", "yaml"])
def test_a_neighbour_with_the_name_of_a_loaded_module_is_the_files_own(tmp_path, name):
    loaded = importlib.import_module(name)
    (tmp_path / f"{name}.py").write_text("NOISE = 0.5\n")
    path = tmp_path / "own.py"
    path.write_text(
        f"import {name}\n{name}.seen = True\n"
        f"def space():\n    from {name} import NOISE, seen\n    return NOISE\n"
    )
    assert run_file(path).space() == 0.5
    assert importlib.import_module(name) is loaded


def test_a_folder_or_a_space_of_a_libraries_name_hides_no_library(tmp_path):
    (tmp_path / "numpy").mkdir()
    path = tmp_path / "json.py"
    path.write_text("import json, numpy\nTEXT = json.dumps(numpy.pi)\n")
    assert run_file(path).TEXT.startswith("3.14")


def test_a_file_is_run_once_and_again_when_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "own.py"
    path.write_text("import os\nSEEN = os.environ.get('SEEN_BY_SPACE')\n")
    first = run_file(path)
    assert run_file(path) is first
    monkeypatch.setenv("SEEN_BY_SPACE", "yes")
    assert run_file(path).SEEN == "yes"
    path.write_text("SEEN = 1\n")
    assert run_file(path).SEEN == 1
    path.write_text("class E(Exception):\n    __str__ = None\nraise E\n")
    with pytest.raises(UserError, match=r"own\.py: E$"):
        run_file(path)
    path.write_text("raise SystemExit\n")
    with pytest.raises(UserError, match=r"own\.py: SystemExit"):
        run_file(path)
