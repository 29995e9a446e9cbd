"""On a real SLURM: launch, join, look, stop; what the outcome is."""

import json
import subprocess
import sys

import pandas as pd
import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.slurm.__main__ import main
from se_hpo.slurm.options import SlurmOptions
from se_hpo.slurm.slurm_jobs import read_launches
from tests.helpers.slurm_cluster import wait_until
from tests.helpers.slurm_runs import (
    LONG,
    PATIENCE,
    PLANNED,
    SlurmRun,
    first_generation_after,
)

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]


def test_two_runs_side_by_side_end_as_if_each_were_alone(cluster, tmp_path):
    one = SlurmRun(cluster, tmp_path / "100% mine", n_workers=1, n_brackets=4)
    two = SlurmRun(cluster, tmp_path / "two", n_workers=1, n_brackets=4, nic="lo")
    one.launch()
    two.launch()
    hosts = cluster.nodes if cluster.own_names else [cluster.host]
    assert published_host(one) in hosts, "what another node could reach"
    assert published_host(two) == "127.0.0.1", "the interface's address"
    for run in (one, two):
        run.wait_for_end()
    for run in (one, two):
        run.assert_queue_empties()
        run.assert_complete()
    columns = ["trial", "budget", "loss", "score_best"]
    frames = [se_hpo.load_trials(run.paths.root) for run in (one, two)]
    pd.testing.assert_frame_equal(frames[0][columns], frames[1][columns])
    for run in (one, two):
        assert "WARNING" not in run.log("master") + run.log("worker")
        assert "ERROR" not in run.log("master") + run.log("worker")


def published_host(run):
    path = run.paths.credentials
    wait_until(path.exists, PATIENCE, run.story())
    assert path.stat().st_mode & 0o777 == 0o600
    return json.loads(path.read_text())["host"]


def status_of(run, capsys):
    main(SlurmOptions(run=run.paths.root, status=True))
    return capsys.readouterr().out


def test_a_cancelled_worker_s_trial_goes_on_elsewhere_and_more_workers_join(
    cluster,
    tmp_path,
    capsys,
):
    run = SlurmRun(cluster, tmp_path / "run", n_workers=1, **LONG)
    made = run.launch()
    caught = run.wait_for_trial()
    shown = status_of(run, capsys)
    assert made.ids["master"][0] in shown
    assert caught["trial"] in shown
    assert caught["host"] in shown
    with pytest.raises(
        UserError, match=rf"in use by SLURM job .*{made.ids['master'][0]}"
    ):
        run.launch()
    assert main(SlurmOptions(run=run.paths.root, add_workers=2)) == 0
    cluster.run("scancel", run.task_of(caught))
    run.wait_for_end()
    run.assert_queue_empties()
    run.assert_complete()
    assert run.status()["planned"] == PLANNED
    evaluating = f"evaluating {caught['trial']}@{caught['budget']:g}#"
    first, then, *_ = [t for t in run.logs("worker") if evaluating in t]
    assert "ends: received SIGTERM" in first
    assert first_generation_after(then, evaluating) > 3, "it continued"
    frame = se_hpo.load_trials(run.paths.root)
    assert (frame.status == "finished").all(), "the interruption is no result"
    shown = status_of(run, capsys)
    assert "finished" in shown
    longest = frame[frame.budget == frame.budget.max()]
    assert f"{longest.loss.min():.4f}" in shown, "each trial at its largest budget"
    assert len(read_launches(run.paths.jobs)[-1].ids["worker"]) == 2


def test_a_cancelled_master_takes_its_workers_along_and_the_same_command_continues(
    cluster,
    tmp_path,
):
    run = SlurmRun(cluster, tmp_path / "run", **LONG)
    made = run.launch()
    run.wait_for_results(1)
    caught = run.wait_for_trial()
    cluster.run("scancel", made.ids["master"][0])
    run.assert_queue_empties()
    before = run.results()
    n_generations = len(run.generations(caught["trial"]))
    again = run.launch()
    assert again.name != made.name
    run.wait_for_end()
    run.assert_queue_empties()
    run.assert_complete()
    assert run.results()[: len(before)] == before
    assert n_generations > 3


def test_stop_ends_everything_and_only_this_run(cluster, tmp_path, capsys):
    run = SlurmRun(cluster, tmp_path / "run", **{**LONG, "n_brackets": 20})
    other = cluster.run("sbatch", "--parsable", "--wrap", "sleep 600").strip()
    run.launch()
    run.wait_for_trial()
    command = [sys.executable, "-m", "se_hpo.slurm", "--run", run.paths.root, "--stop"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "ended: job" in done.stdout
    assert not run.queue()
    assert [job["id"] for job in cluster.queue()] == [other]
    assert run.status()["state"] == "stopped"
    assert not run.paths.credentials.exists()
    assert not run.paths.lock.exists()
    assert main(SlurmOptions(run=run.paths.root, stop=True)) == 0
    assert "no job was left" in capsys.readouterr().out
    with pytest.raises(UserError, match=r"no master .* launch the run again"):
        main(SlurmOptions(run=run.paths.root, add_workers=1))


@pytest.mark.slow
def test_train_and_evaluate_share_their_work_among_tasks(cluster, tmp_path):
    run = tmp_path / "results"
    small = ["nes.population=2", "ddqn.train_episodes=12", "ddqn.test_episodes=2"]
    settings = [word for value in small for word in ("--set", value)]
    train = ["--config", "paper-cartpole", "--num-envs", "3", "--generations", "2"]
    share(cluster, "train", *train, *settings, "--out", run / "ses" / "fixed")
    ses = se_hpo.load_ses(run / "ses" / "fixed")
    assert sorted(ses["se"]) == [0, 1, 2]
    share(
        *(cluster, "evaluate", "--envs", run, "--num-agents", "2"),
        *("--test-episodes", "1", "--fixed-steps", "50"),
    )
    frame = se_hpo.load_evaluations(run)
    assert len(frame) == 3 * 2 * 2  # as many on the task as on all SEs
    assert not frame.duplicated(["train_env", "se", "pair"]).any()
    assert frame["record_file"].nunique() == 2, "one for each shard"


def share(cluster, *words):
    """Submit a command as two shards, and wait for their end."""
    command = [sys.executable, "-m", "se_hpo.slurm", *map(str, words), "--shards", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert ", 2 tasks" in done.stdout
    wait_until(lambda: not cluster.queue(), PATIENCE, str(cluster.queue()))


def test_what_slurm_refuses_is_one_line_and_leaves_no_job(cluster, tmp_path):
    run = SlurmRun(cluster, tmp_path / "run")
    with pytest.raises(UserError, match=r"sbatch refused master.sbatch: .*partition"):
        run.launch(partition="nowhere")
    with pytest.raises(UserError, match=r"sbatch refused workers.sbatch: ") as refusal:
        run.launch(n_workers=5000)
    assert "\n" not in str(refusal.value)
    assert not cluster.queue()
