"""The benchmarks run and print their tables; what they measure means nothing here."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.synthetic_env import SyntheticEnv
from se_hpo.results.trials import load_trials
from se_hpo.training import native_engine
from tests.helpers.places import EXPERIMENTS

pytestmark = pytest.mark.skipif(
    not EXPERIMENTS.exists(), reason="experiments/ is not beside the tests"
)


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, str(EXPERIMENTS / script), *map(str, arguments)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=230,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_bench_vector_env(tmp_path):
    printed = run("bench_vector_env.py", "--smoke", "--out", tmp_path / "out.json")
    assert "times the bar 500,000" in printed
    rows = {
        r["case"]: r for r in json.loads((tmp_path / "out.json").read_text())["rows"]
    }
    assert rows["SE, 256 copies"]["steps_per_second"] > 0


def test_bench_scheduler(tmp_path):
    out = tmp_path / "out"
    printed = run("bench_scheduler.py", "--smoke", "--out", out, "--folder", tmp_path)
    assert "evaluations per second" in printed
    found = json.loads(out.with_suffix(".json").read_text())
    assert found["evaluations"] >= 40
    assert found["resume"]["finished"] == found["load"]["rows"] == found["evaluations"]
    assert any(found["proposal_ms_in_run"].values())
    assert out.with_suffix(".png").exists() == bool(find_spec("matplotlib"))
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]  # cleared away


@pytest.mark.skipif(
    not native_engine.available(), reason="the native engine is not built"
)
def test_an_se_can_be_learned_for_agents_that_see_terminated_only(tmp_path):
    run("se_for_terminated_only.py", tmp_path, "--smoke")
    se = load_se(tmp_path / "terminated_only.safetensors", "CartPole-v0")
    env = SyntheticEnv("CartPole-v0", se)
    env.reset(seed=0)
    assert [env.step(a)[4]["raw_done"] for a in (0, 1, 1)] == [0, 0, 0]
    learned = load_se(tmp_path / "se.safetensors")
    assert not np.array_equal(learned.psi, se.psi)


@pytest.mark.skipif(
    not native_engine.available(), reason="the native engine is not built"
)
@pytest.mark.parametrize(
    ("study", "n_sets", "n_evaluations"),
    [("cartpole", 3, 4), ("acrobot", 3, 4), ("cartpole-transfer", 2, 3)],
)
def test_the_papers_study_is_the_commands_that_a_user_would_type(
    study, n_sets, n_evaluations
):
    printed = run("paper.py", study, "--dry-run").splitlines()
    commands = [line.removeprefix("python -m se_hpo.").split()[0] for line in printed]
    assert commands == ["train"] * n_sets + ["evaluate"] * n_evaluations + ["report"]


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="draws figures")
def test_tune_collects_the_trials_of_a_run_and_the_figures_of_its_report(tmp_path):
    out = tmp_path / "out"
    run("tune.py", "--smoke", "--run", tmp_path / "run", "--out", out)
    trials = pd.read_csv(out / "trials.csv")
    assert set(trials.status) == {"finished"}
    curve = pd.read_csv(out / "generations_of_the_best.csv")
    assert curve.trial.nunique() == 1
    assert (out / "bohb_over_time.png").exists()
    assert len(load_trials(out)) == len(trials)  # it opens as one's own run


@pytest.mark.slow
@pytest.mark.skipif(find_spec("matplotlib") is None, reason="draws figures")
def test_the_papers_study_in_small_collects_its_frames_and_figures(tmp_path):
    out = tmp_path / "out"
    run("paper.py", "cartpole", "--smoke", "--run", tmp_path / "run", "--out", out)
    train_envs = pd.read_csv(out / "train_envs.csv")
    assert len(train_envs) == 3 * 4, "three agents, on the task and on three sets"
    cost = pd.read_csv(out / "cost.csv")
    assert len(cost) == 3 + 3 * 4
    assert (out / "nes_curves.png").exists()
    assert list(out.glob("returns-*.png"))


def test_bench_bohb_counts_cost_by_both_rules_and_goes_on_where_it_was(tmp_path):
    out = tmp_path / "out.jsonl"
    flags = ("--smoke", "--methods", "ours", "random", "--out", out)
    assert "paid again" in run("bench_bohb.py", *flags)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 2 * 7
    for line in lines:
        again, continued, _ = np.array(line["points"]).T
        assert (continued <= again).all()
        if line["method"] == "random":
            assert (continued == again).all()
    before = out.read_bytes()
    run("bench_bohb.py", *flags)
    run("bench_bohb.py", "--draw", *flags[1:])
    assert out.read_bytes() == before
    assert not out.with_suffix(".png").exists(), "one seed draws no interval"


def test_bench_prior_runs_each_kind_of_prior_once(tmp_path):
    out = tmp_path / "out.jsonl"
    flags = ("--seeds", "1", "--full-runs", "4", "--out", out)
    assert "misleading" in run("bench_prior.py", *flags)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 4 * 3
    assert {line["prior"] for line in lines} == {"none", "good", "misleading"}
    before = out.read_bytes()
    run("bench_prior.py", *flags)
    assert out.read_bytes() == before
