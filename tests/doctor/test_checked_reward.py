"""What the doctor says of reward networks: what holds, what does not, and the mend."""

import subprocess
import sys

import numpy as np
import pytest

import se_hpo
from se_hpo.doctor.checked_reward import check_reward_network
from se_hpo.envs.checkpoint import SECheckpoint, save_se
from se_hpo.envs.reward_function import RewardFunction
from tests.helpers.places import DATA
from tests.helpers.reward_networks import INFO_TASK, RN_KINDS, random_rn

TASKS = ("CartPole-v0", "Cliff-v0", "MountainCar-v0", INFO_TASK)


def saved(path, rn, **metadata):
    path = path / "rn.safetensors"
    save_se(path, rn.psi, rn.task, rn.se_config, metadata)
    return path


def levels(path):
    return {f.what: f.level for f in check_reward_network(path)}


def said(path, what):
    (finding,) = (f for f in check_reward_network(path) if f.what == what)
    return finding


@pytest.mark.parametrize("task", TASKS)
def test_an_additive_potential_that_is_zero_at_the_end_is_fine(task, tmp_path):
    kind = "additive_potential_info" if task == INFO_TASK else "additive_potential"
    path = saved(tmp_path, random_rn(kind, task, scale=30), discount=0.99)
    names = "reward network", "discount", "telescoping", "optimal policy"
    assert levels(path) == dict.fromkeys((*names, "terminal potential"), "ok")
    assert (
        "37 cells of Cliff" in said(path, "optimal policy").value or task != "Cliff-v0"
    )


@pytest.mark.parametrize("kind", RN_KINDS, ids=lambda kind: kind.name)
def test_every_kind_gets_a_line_per_property(kind, tmp_path):
    path = saved(tmp_path, random_rn(kind, scale=30), discount=0.9)
    findings = check_reward_network(path)
    assert all(f.level != "error" for f in findings)
    assert all("\n" not in f.value + f.mend for f in findings)
    assert all(bool(f.mend) == (f.level == "warning") for f in findings)
    found = {f.what: f.level for f in findings}
    assert found["telescoping"] == ("ok" if kind.config.potential else "warning")
    assert kind.name in findings[0].value


@pytest.mark.parametrize("discount", [0.0, 0.5, 1.0])
def test_the_files_discount_is_the_one_that_is_tried(discount, tmp_path):
    rn = random_rn("additive_potential", "Cliff-v0", scale=30)
    path = saved(tmp_path, rn, discount=discount)
    assert set(levels(path).values()) == {"ok"}
    assert str(discount) in said(path, "discount").value
    path = saved(tmp_path, rn)
    assert said(path, "discount").level == "warning"


def test_a_terminal_potential_of_the_network_is_a_reward_for_ending(tmp_path):
    rn = random_rn(
        "additive_potential", "Cliff-v0", scale=300, terminal_potential="network"
    )
    path = saved(tmp_path, rn, discount=0.9)
    assert (
        levels(path)["optimal policy"]
        == levels(path)["terminal potential"]
        == "warning"
    )
    assert "a reward for ending" in said(path, "terminal potential").value
    assert "zero" in said(path, "terminal potential").mend


def test_an_exclusive_potential_lives_by_its_terminal_states(tmp_path):
    rn = random_rn("exclusive_potential", scale=30)
    path = saved(tmp_path, rn, discount=0.9)
    assert "all that agents learn from" in said(path, "terminal potential").value
    rn.psi[:] = 0
    path = saved(tmp_path, rn, discount=0.9)
    finding = said(path, "terminal potential")
    assert finding.level == "warning"
    assert "cannot tell the ends apart" in finding.value
    path = saved(
        tmp_path, random_rn("exclusive_potential", "MountainCar-v0"), discount=1
    )
    assert "no random episode ended by itself" in said(path, "terminal potential").value


def test_a_reward_that_does_not_telescope_is_found(tmp_path, monkeypatch):
    """Were the function wrong, the doctor would not say what theory says of it."""
    path = saved(tmp_path, random_rn("additive_potential"), discount=0.9)
    step = RewardFunction.step
    monkeypatch.setattr(RewardFunction, "step", lambda *a: step(*a) + 1e-3)
    assert levels(path)["telescoping"] == "warning"


def test_numbers_beyond_all_bounds_are_an_error_and_no_warnings(tmp_path, recwarn):
    rn = random_rn("additive_potential")
    rn.psi[:] = 1e38
    assert said(saved(tmp_path, rn, discount=0.9), "rewards").level == "error"
    assert not recwarn.list


def _se(tmp):
    return DATA / "cartpole_se.safetensors"


def _cut(tmp):
    path = saved(tmp, random_rn("additive"))
    path.write_bytes(path.read_bytes()[:-9])
    return path


def _text(tmp):
    (tmp / "rn.safetensors").write_text("reward network")
    return tmp / "rn.safetensors"


def _unknown_task(tmp):
    path = saved(tmp, random_rn("additive"))
    path.write_bytes(path.read_bytes().replace(b"CartPole-v0", b"KartPool-v9"))
    return path


def _without_info(tmp):
    return saved(tmp, random_rn("additive_info", "CartPole-v0"))


def _nonsense(tmp):
    return saved(tmp, random_rn("additive_potential"), discount="much")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda tmp: tmp / "no", "no such checkpoint file"),
        (lambda tmp: tmp, "no such checkpoint file"),
        (_se, "is a synthetic environment for CartPole-v0, no reward network: take"),
        (_cut, "cannot be read as a checkpoint"),
        (_text, "cannot be read as a checkpoint"),
        (_unknown_task, "unknown task 'KartPool-v9'"),
        (_without_info, "CartPole-v0 has no numbers: choose info_keys"),
        (_nonsense, "discount = 'much': must be a number"),
    ],
)
def test_a_file_that_is_no_sound_reward_network_is_one_line(make, words, tmp_path):
    path = make(tmp_path)
    (finding,) = check_reward_network(path)
    assert (finding.what, finding.level) == ("reward network", "error")
    assert words in finding.value
    assert str(path) in finding.value
    assert "\n" not in finding.value


def test_the_command_prints_a_line_each_and_ends_with_the_number_of_errors(tmp_path):
    path = saved(tmp_path, random_rn("additive_potential", "Cliff-v0"), discount=0.8)
    for file, code, last in (
        (path, 0, "0 errors, 0"),
        (tmp_path / "no", 1, "1 errors"),
    ):
        command = [sys.executable, "-m", "se_hpo.doctor", "--reward-network", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert done.returncode == code, done.stderr
        lines = done.stdout.splitlines()
        assert last in lines[-1]
        assert len(lines) == (6 if code == 0 else 2)


def test_a_checkpoint_in_memory_is_looked_at_too():
    rn = random_rn("additive_potential", metadata={"discount": 0.9})
    assert isinstance(rn, SECheckpoint)
    assert {f.level for f in check_reward_network(rn)} == {"ok"}
    assert np.isfinite(rn.psi).all()
    assert se_hpo.RewardNetwork
