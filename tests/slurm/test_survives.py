"""On a real SLURM: what is lost, preempted or out of time goes on as if it were not.

Each test ends with a complete run: every planned evaluation once, no gap in any trial.
"""

import json
import re

import pytest

import se_hpo
from se_hpo.slurm.scripts import Resources, Scripts, prepare_folder
from se_hpo.storage.paths import RunPaths
from tests.helpers.slurm_cluster import wait_until
from tests.helpers.slurm_runs import (
    END_PATIENCE,
    LONG,
    PATIENCE,
    SlurmRun,
    first_generation_after,
    kill,
    parent,
)

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]


@pytest.fixture
def run(cluster, tmp_path):
    """A run with two workers, each filling a node of its own."""
    made = SlurmRun(cluster, tmp_path / "run", cpus_per_task=3, **LONG)
    made.launch()
    return made


def assert_went_on(run):
    """To its end, with an empty queue, and as if nothing had happened."""
    run.wait_for_end()
    run.assert_queue_empties()
    run.assert_complete()
    frame = se_hpo.load_trials(run.paths.root)
    assert (frame.status == "finished").all(), "an interruption is no result"


def occupy(cluster, node, seconds=3):
    """An urgent job takes a node, and whatever runs there is preempted."""
    cluster.run(
        *("sbatch", "--partition=urgent", "--exclusive", f"--nodelist={node}"),
        *("--output=/dev/null", "--wrap", f"sleep {seconds}"),
    )


def test_a_preempted_worker_is_queued_again_and_its_trial_goes_on(run):
    caught = run.wait_for_trial()
    task, node = run.task_of(caught), node_of(run, caught)
    n = len(run.generations(caught["trial"]))
    occupy(run.cluster, node)
    wait_until(lambda: state_of(run, task) == "PENDING", PATIENCE, run.story())
    wait_until(lambda: state_of(run, task) == "RUNNING", PATIENCE, run.story())
    assert_went_on(run)
    evaluating = f"evaluating {caught['trial']}@{caught['budget']:g}#"
    log = next(text for text in run.logs("worker") if "DUE TO PREEMPTION" in text)
    assert "ends: received SIGTERM" in log
    others = [text for text in run.logs("worker") if evaluating in text]
    assert max(first_generation_after(text, evaluating) for text in others) >= n


def state_of(run, task):
    return next((job["state"] for job in run.jobs("worker") if job["id"] == task), "")


def node_of(run, caught):
    task = run.task_of(caught)
    return next(job["node"] for job in run.jobs("worker") if job["id"] == task)


@pytest.mark.slow
def test_a_killed_worker_is_started_again_in_its_job(run):
    caught = run.wait_for_trial()
    kill(caught["pid"])
    assert_went_on(run)
    assert "the worker was killed (exit code 137): starting it again" in run.log(
        "worker"
    )
    assert "queued again" in run.log("master")


@pytest.mark.slow
def test_a_worker_whose_node_is_lost_is_moved_to_another(run):
    caught = run.wait_for_trial()
    node = node_of(run, caught)
    run.cluster.kill_node(node)
    try:
        assert_went_on(run)
    finally:
        run.cluster.revive_node(node)
    assert f"{caught['trial']}@" in run.log("master"), "it was queued again"


@pytest.mark.slow
def test_a_preempted_master_comes_back_to_its_waiting_workers(run):
    run.wait_for_results(1)
    workers = {each["pid"] for each in run.status()["workers"]}
    (master,) = run.jobs("master")
    occupy(run.cluster, master["node"])
    wait_until(lambda: run.jobs("master", "PENDING"), PATIENCE, run.story())
    before = run.results()
    assert_went_on(run)
    assert run.results()[: len(before)] == before
    attempts = json.loads(run.paths.run.read_text())["attempts"]
    assert [each["slurm_job"] for each in attempts] == [master["id"]] * 2
    assert len(attempts) == 2
    seen = run.log("worker").count("found the master again")
    assert seen >= 1, f"none of {workers} waited"


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["python", "everything"])
def test_kill_9_of_the_master_empties_the_queue_and_the_same_command_continues(
    run, victim
):
    run.wait_for_results(1)
    run.wait_for_trial()
    pid = run.master_pid()
    if victim == "everything":
        kill(parent(pid))
    kill(pid)
    run.assert_queue_empties()
    before = run.results()
    assert run.paths.credentials.exists(), "it had no chance to tidy up"
    run.launch()
    assert_went_on(run)
    assert run.results()[: len(before)] == before


@pytest.mark.slow
def test_a_master_whose_node_is_lost_is_started_elsewhere(run):
    run.wait_for_results(1)
    (master,) = run.jobs("master")
    before = run.results()
    run.cluster.kill_node(master["node"])
    try:
        assert_went_on(run)
    finally:
        run.cluster.revive_node(master["node"])
    assert run.results()[: len(before)] == before


@pytest.mark.slow
def test_a_master_cancelled_before_its_start_leaves_no_workers(cluster, tmp_path):
    for node in cluster.nodes:
        occupy(cluster, node, seconds=4)
    wait_until(lambda: len(cluster.queue()) == len(cluster.nodes), 10)
    run = SlurmRun(cluster, tmp_path / "run")
    made = run.launch()
    cluster.run("scancel", made.ids["master"][0])
    wait_until(lambda: not run.queue(), PATIENCE, run.story())
    assert not run.paths.run.exists()


@pytest.mark.slow
def test_workers_that_start_before_the_master_wait_for_it(cluster, tmp_path):
    run = SlurmRun(cluster, tmp_path / "run")
    run.launch(dry_run=True)
    scripts = run.paths.slurm
    cluster.run("sbatch", "--hold", str(scripts / "master.sbatch"))
    cluster.run("sbatch", str(scripts / "workers.sbatch"))
    wait_until(lambda: len(run.jobs("worker", "RUNNING")) == 2, PATIENCE, run.story())
    wait_until(lambda: len(run.logs("worker")) == 2, PATIENCE, run.story())
    (master,) = run.jobs("master")
    cluster.run("scontrol", "release", master["id"])
    assert_went_on(run)


@pytest.mark.slow
def test_before_the_time_limit_each_job_is_queued_again_once(cluster, tmp_path):
    paths = RunPaths(tmp_path)
    prepare_folder(paths)
    folder, scripts = paths.slurm, Scripts(paths, "limited", Resources(time="1"))
    (folder / "master").write_text(scripts.master(["sleep", "500"], n_workers=2))
    (folder / "workers").write_text(scripts.workers(["sleep", "500"], 2))
    for name in ("master", "workers"):
        cluster.run("sbatch", str(folder / name))
    names = ("limited-master", "limited-worker")

    def restarts():
        ids = [job["id"] for job in cluster.queue(*names) if job["state"] == "RUNNING"]
        shown = [cluster.run("scontrol", "show", "job", "-o", job) for job in ids]
        return [int(re.findall(r"Restarts=(\d+)", text)[0]) for text in shown]

    wait_until(lambda: restarts() == [0, 0, 0], PATIENCE)
    wait_until(lambda: restarts() == [1, 1, 1], PATIENCE)


@pytest.mark.slow
def test_at_the_time_limit_master_and_workers_go_on_after_it(cluster, tmp_path):
    options = {**LONG, "n_brackets": 100}
    run = SlurmRun(cluster, tmp_path / "run", time="2", **options)
    run.launch()
    run.wait_for_results(1)
    wait_until(lambda: run.jobs("master", "PENDING"), PATIENCE, run.story())
    before = run.results()
    longer = END_PATIENCE  # a minute at a time, half of which are starts
    wait_until(lambda: len(run.results()) > len(before), longer, run.story())
    assert run.results()[: len(before)] == before
    wait_until(lambda: len(run.jobs("worker", "RUNNING")) == 2, PATIENCE, run.story())
    assert len(run.logs("worker")) == 2, "the same jobs, not others"
    assert "DUE TO TIME LIMIT" not in run.log("worker"), "they left before it"
