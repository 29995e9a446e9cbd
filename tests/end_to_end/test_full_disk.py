"""A shared folder that is full, read-only, slow or hangs: the commands on real ones.

One line that names the mend, no traceback, nothing left running; what was there stays
readable, and the same command continues to the same losses.
"""

import os
import shutil
import subprocess
import sys
import time

import pandas as pd
import pytest

import se_hpo
from se_hpo.storage.files import read_json_lines
from tests.end_to_end.test_optimize import (
    ENV,
    command,
    decided,
    optimize,
    wait_for_results,
)
from tests.helpers.full_disk import small_disk

SECONDS = 500.0
"""What takes some seconds took minutes on a machine with a load average of 20."""
FLAGS = ("--space", "smoke", "--n-brackets", 8)
N = 24
"""Evaluations of a run with `FLAGS`."""

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "undisturbed"
    done = optimize(*FLAGS, "--run", run, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return run


def start(*words, env=ENV):
    return subprocess.Popen(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=env,
    )  # fmt: skip


def ends_by_itself(process, *said):
    """In order, with one line that says why and what to do."""
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, errors
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, errors
    assert errors.splitlines()[-1] == lines[0]
    for words in (*said, "then the same command goes on"):
        assert words in lines[0]
    assert "Traceback" not in errors


def nobody_is_left(folder):
    found = subprocess.run(["pgrep", "-f", f"--run {folder}"], capture_output=True)
    return not found.stdout


@pytest.mark.parametrize(
    ("harm", "mend", "words"),
    [
        ("fill", "make_space", ("No space left on device", "make space there")),
        ("make_read_only", "make_writable", ("Read-only file", "make it writable")),
    ],
)
def test_a_run_stops_in_order_and_continues_when_the_disk_is_well_again(
    tmp_path, undisturbed, harm, mend, words
):
    with small_disk(tmp_path / "disk") as disk:
        run = disk.folder / "run"
        process = start(*command(*FLAGS, "--run", run))
        wait_for_results(run, 3, SECONDS)
        getattr(disk, harm)()
        ends_by_itself(process, *words)
        assert nobody_is_left(run)
        before = se_hpo.load_trials(run)
        assert 3 <= len(before) < N
        assert (before.status == "finished").all()
        refused = optimize(
            *FLAGS, "--run", run, timeout=SECONDS
        )  # nothing was mended yet
        assert refused.returncode in (1, 2)
        last = refused.stderr.splitlines()[-1]
        assert last.startswith("error: ")
        assert words[0] in last and words[1] in last
        assert "Traceback" not in refused.stderr
        getattr(disk, mend)()
        again = optimize(*FLAGS, "--run", run, timeout=SECONDS)
        assert again.returncode == 0, again.stderr
        pd.testing.assert_frame_equal(decided(run), decided(undisturbed))


def test_a_worker_that_cannot_write_its_trial_ends_the_run_and_fails_no_trial(
    tmp_path, undisturbed
):
    run = tmp_path / "run"
    first = ("--space", "smoke", "--n-brackets", 1, "--run", run)
    assert optimize(*first, timeout=SECONDS).returncode == 0
    shutil.copytree(run / "trials", tmp_path / "trials")
    n = len(se_hpo.load_trials(run))
    with small_disk(run / "trials") as disk:  # the master's files are elsewhere
        shutil.copytree(tmp_path / "trials", disk.folder, dirs_exist_ok=True)
        disk.fill()
        process = start(*command(*FLAGS, "--run", run))
        ends_by_itself(process, str(disk.folder), "No space left on device")
        assert nobody_is_left(run)
        assert len(se_hpo.load_trials(run)) == n, "no result, no failure"
        log = (run / "logs" / "worker-0.log").read_text()
        assert "Traceback" not in log
        assert "make space there" in log
        disk.make_space()
        assert optimize(*FLAGS, "--run", run, timeout=SECONDS).returncode == 0
        pd.testing.assert_frame_equal(decided(run), decided(undisturbed))


SLOW = """\
import os, time
_fsync = os.fsync
def fsync(file):
    time.sleep(0.03)
    while os.path.exists(os.environ["SE_HPO_TEST_HANGS"]):
        time.sleep(0.05)
    _fsync(file)
os.fsync = fsync
"""
"""Found by every Python process of the run: syncing takes long, and hangs at times."""


def test_a_slow_folder_that_hangs_for_seconds_only_takes_longer(tmp_path, undisturbed):
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(SLOW)
    hangs, run = tmp_path / "hangs", tmp_path / "run"
    paths = os.pathsep.join([str(tmp_path / "python"), *filter(None, sys.path)])
    env = {**ENV, "PYTHONPATH": paths, "SE_HPO_TEST_HANGS": str(hangs)}
    process = start(*command(*FLAGS, "--run", run), env=env)
    wait_for_results(run, 3, SECONDS)
    hangs.touch()
    time.sleep(8)  # calls between master and worker give up after 5
    before = len(list(read_json_lines(run / "results.json")))
    hangs.unlink()
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert before < N, "it was caught in the middle"
    assert "WARNING" not in errors
    pd.testing.assert_frame_equal(decided(run), decided(undisturbed))


# -- train, evaluate -----------------------------------------------------------------

RECIPE = """\
task: CartPole-v0
generations: 60
agent: {batch_size: 16, hidden_size: 8, hidden_layers: 1, max_env_steps: 200,
        init_episodes: 1, test_episodes: 2}
se: {hidden_size: 4}
nes: {population: 2, n_center_evaluations: 2, stop_when_solved: false,
      score_transform: nes_unnormalized}
"""


def wait_for_lines(path, n):
    deadline = time.monotonic() + SECONDS
    while not (path.exists() and path.read_bytes().count(b"\n") >= n):
        assert time.monotonic() < deadline, f"{path} has no {n} lines"
        time.sleep(0.01)


def test_training_and_evaluating_stop_in_order_and_continue(tmp_path):
    recipe = tmp_path / "tiny.yaml"
    recipe.write_text(RECIPE)
    train = [sys.executable, "-m", "se_hpo.train", "--config", recipe]
    train += ["--num-envs", 2, "--workers", 2, "--out"]
    whole = tmp_path / "run" / "ses" / "whole"
    done = start(*train, whole)
    assert (done.communicate(timeout=SECONDS), done.returncode)[1] == 0
    with small_disk(tmp_path / "disk") as disk:
        folder = disk.folder / "set"
        process = start(*train, folder)
        wait_for_lines(folder / "runs" / "000" / "generations.jsonl", 5)
        disk.fill()
        ends_by_itself(process, "No space left on device", "make space there")
        disk.make_space()
        again = start(*train, folder)
        _, errors = again.communicate(timeout=SECONDS)
        assert again.returncode == 0, errors
        for k in ("000", "001"):
            lines = [p / "runs" / k / "generations.jsonl" for p in (folder, whole)]
            assert lines[0].read_bytes() == lines[1].read_bytes()
        _evaluation(tmp_path, disk)


def _evaluation(tmp_path, disk):
    words = [sys.executable, "-m", "se_hpo.evaluate", "--envs", tmp_path / "run"]
    words += ["--num-agents", 30, "--fixed-steps", 2000, "--test-episodes", 1]
    records = disk.folder / "records.jsonl"
    process = start(*words, "--out", records)
    wait_for_lines(records, 5)
    disk.fill()
    ends_by_itself(process, "records.jsonl", "No space left on device")
    found = [line for _, line in read_json_lines(records)]
    assert len(found) >= 5
    assert all(found), "no line was torn"
    disk.make_space()
    again = start(*words, "--out", records)
    _, errors = again.communicate(timeout=SECONDS)
    assert again.returncode == 0, errors
    after = [line for _, line in read_json_lines(records)]
    assert after[: len(found)] == found
    frame = se_hpo.load_evaluations(records)
    assert not frame.duplicated(["train_env", "se", "agent", "pair"]).any()
    assert len(frame) == (2 + 2) * 30, "30 agents for each SE, each with its pair"
