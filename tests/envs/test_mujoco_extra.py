"""MuJoCo's tasks, and what is said where MuJoCo is missing."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.spaces import Box

from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import (
    get_task,
    known_solved_return,
    make_env,
    measure_task,
)
from se_hpo.errors import UserError
from tests.helpers.mujoco import MEND, needs_mujoco, without_mujoco
from tests.helpers.places import ROOT

CHEETAH = "HalfCheetah-v5"


@needs_mujoco
def test_half_cheetah_has_the_sizes_and_the_info_that_its_spec_says():
    spec = get_task(CHEETAH)
    with make_env(spec) as env:
        state, _ = env.reset(seed=0)
        assert state.shape == env.observation_space.shape == (spec.obs_size,)
        assert env.action_space == Box(-1, 1, (spec.n_actions,), np.float32)
        assert env.spec.max_episode_steps == spec.max_steps == 1000
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
    assert tuple(info) == spec.info_keys
    forward, control = spec.info_keys[2:]
    assert reward == pytest.approx(info[forward] + info[control])
    assert not (terminated or truncated)
    assert (spec.solved_return, spec.continuous, spec.native) == (3000, True, None)


@needs_mujoco
def test_its_random_return_is_what_random_actions_return():
    spec = get_task(CHEETAH)
    rng, returns = np.random.default_rng(3), []
    with make_env(spec) as env:
        env.reset(seed=3)
        for _ in range(10):
            env.reset()
            actions = rng.uniform(-1, 1, (spec.max_steps, spec.n_actions))
            returns.append(sum(env.step(a)[1] for a in actions.astype(np.float32)))
    assert abs(np.mean(returns) - spec.random_return) < 100
    assert min(returns) >= spec.worst_return


@needs_mujoco
@pytest.mark.parametrize(
    ("task", "sizes"), [("Hopper-v5", (11, 3)), ("Reacher-v5", (10, 2))]
)
def test_other_environments_of_mujoco_are_tasks_as_they_are(task, sizes):
    spec = measure_task(task)
    assert (spec.obs_size, spec.n_actions, spec.continuous) == (*sizes, True)
    assert spec.info_keys == ()
    assert spec.worst_return <= spec.random_return < spec.solved_return


@needs_mujoco
@pytest.mark.parametrize(
    ("task", "line"),
    [("Walker2d-v5", "has no reward_threshold"), ("HalfCheetah-v3", "cannot be made")],
)
def test_those_without_a_threshold_or_of_long_ago_are_refused(task, line):
    with pytest.raises(UserError, match=f"'{task}' {line}"):
        get_task(task)


@needs_mujoco
def test_mujoco_neither_prints_nor_leaves_a_log_in_the_current_folder(tmp_path):
    code = (
        "import logging; logging.basicConfig(level='INFO')\n"
        "from se_hpo.envs.tasks import get_task, make_env\n"
        f"make_env(get_task({CHEETAH!r})).close()\n"
        "import mujoco; mujoco.get_mju_user_warning()('unstable')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
    assert "INFO:se_hpo.envs.mujoco_extra:unstable" in done.stderr
    assert not list(tmp_path.iterdir())


@needs_mujoco
def test_a_warning_handler_of_the_users_stays(tmp_path):
    code = (
        "import mujoco; mujoco.set_mju_user_warning(print)\n"
        "from se_hpo.envs.tasks import get_task\n"
        f"get_task({CHEETAH!r})\n"
        "assert mujoco.get_mju_user_warning() is print"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.parametrize("task", [CHEETAH, "Swimmer-v5"])
@pytest.mark.parametrize("function", [get_task, measure_task])
def test_without_mujoco_a_task_of_its_is_refused_with_the_mend(
    monkeypatch, function, task
):
    without_mujoco(monkeypatch)
    with pytest.raises(UserError, match=rf"^task '{task}' needs MuJoCo .*{MEND}") as e:
        function(task)
    assert "\n" not in str(e.value)


@needs_mujoco
def test_without_mujoco_checkpoints_and_results_can_be_read(monkeypatch, tmp_path):
    spec, config = get_task(CHEETAH), SyntheticEnvConfig(hidden_size=3)
    psi = initial_psi(config, spec, np.random.default_rng(0))
    save_se(tmp_path / "a.safetensors", psi, CHEETAH, config)
    without_mujoco(monkeypatch)
    np.testing.assert_array_equal(load_se(tmp_path / "a.safetensors").psi, psi)
    assert known_solved_return(CHEETAH) == 3000


def run_without_mujoco(folder, *words):
    """A process that finds no MuJoCo, in a folder of its own."""
    (folder / "none").mkdir()
    (folder / "none" / "mujoco.py").write_text("raise ImportError('not here')")
    path = f"{folder / 'none'}{os.pathsep}{ROOT}"
    (folder / "at").mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder / "at",
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_without_mujoco_the_package_and_other_tasks_work(tmp_path):
    code = "import se_hpo.envs.tasks as t; t.make_env(t.get_task('Acrobot-v1'))"
    done = run_without_mujoco(tmp_path, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


RECIPE = "task: HalfCheetah-v5\nagent: {algorithm: ddqn}\n"
SPACE = f"""
from ConfigSpace import ConfigurationSpace, Float
META = {{"objective": "agent", "task": {CHEETAH!r}, "agent": "ddqn", "base": {{}},
         "min_budget": 1, "max_budget": 3, "eta": 3}}
def space(seed=None):
    return ConfigurationSpace({{"ddqn.lr": (0.1, 0.2)}}, seed=seed)
"""


@pytest.mark.parametrize(
    "command",
    [
        ("train", "--config", "../recipe.yaml", "--num-envs", "1"),
        ("evaluate", "--task", CHEETAH, "--envs", "x"),
        ("optimize", "--space", "../space.py"),
    ],
)
def test_commands_say_so_in_one_line_and_write_nothing(tmp_path, command):
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    (tmp_path / "space.py").write_text(SPACE)
    name, *flags = command
    done = run_without_mujoco(tmp_path, "-m", f"se_hpo.{name}", *flags)
    assert done.returncode == 2
    assert re.fullmatch(rf"error: .*needs MuJoCo.*{MEND}\n", done.stderr)
    assert not list((tmp_path / "at").iterdir())
