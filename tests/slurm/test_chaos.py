"""On a real SLURM: a dozen random faults in one run, and nothing is lost or doubled.

Fifty without SLURM are in `test_survives.py`; each of these takes longer.
"""

import contextlib
import signal
from collections import Counter

import numpy as np
import pytest

from se_hpo.optimize.objectives.objective import Objective
from se_hpo.results.run_settings import read_run, settings_from_dict
from se_hpo.slurm.__main__ import main
from se_hpo.slurm.options import SlurmOptions
from se_hpo.storage.files import read_json_lines
from se_hpo.storage.paths import RunPaths
from se_hpo.training.inner_loop import InnerLoop
from tests.helpers.slurm_cluster import wait_until
from tests.helpers.slurm_runs import END_PATIENCE, LONG, PATIENCE, SlurmRun, kill, pause

N_EVENTS, SEED = 12, 3

pytestmark = [pytest.mark.slurm, pytest.mark.slow, pytest.mark.timeout(3600)]


def kill_worker(run, caught):
    kill(caught["pid"])


def freeze_worker(run, caught):
    freeze(caught["pid"])


def freeze_master(run, caught):
    freeze(run.master_pid())


def freeze(pid):
    kill(pid, signal.SIGSTOP)
    pause(6)  # calls between master and worker give up after 5
    kill(pid, signal.SIGCONT)


def cancel_worker(run, caught):
    run.cluster.run("scancel", run.task_of(caught))
    main(SlurmOptions(run=run.paths.root, add_workers=1))


def requeue_worker(run, caught):
    run.cluster.run("scontrol", "requeue", run.task_of(caught), check=False)


def preempt_worker(run, caught):
    occupy(run, run.task_of(caught), "worker")


def preempt_master(run, caught):
    occupy(run, run.jobs("master")[0]["id"], "master")


def occupy(run, job, role):
    nodes = {each["id"]: each["node"] for each in run.jobs(role)}
    run.cluster.run(
        *("sbatch", "--partition=urgent", "--exclusive", f"--nodelist={nodes[job]}"),
        *("--output=/dev/null", "--wrap", "sleep 2"),
    )


def lose_node(run, caught):
    nodes = {each["id"]: each["node"] for each in run.jobs("worker")}
    node = nodes[run.task_of(caught)]
    run.cluster.kill_node(node)
    pause(1)
    run.cluster.revive_node(node)


def kill_master(run, caught):
    kill(run.master_pid())
    run.assert_queue_empties()
    run.launch()


def cancel_master(run, caught):
    run.cluster.run("scancel", run.jobs("master")[0]["id"])
    run.assert_queue_empties()
    run.launch()


EVENTS = (
    *(kill_worker, freeze_worker, cancel_worker, requeue_worker, preempt_worker),
    *(lose_node, kill_master, cancel_master, preempt_master, freeze_master),
)


def test_a_dozen_random_faults_in_one_run_lose_and_double_nothing(cluster, tmp_path):
    rng = np.random.default_rng(SEED)
    brackets = 2
    options = {**LONG, "cpus_per_task": 3, "n_brackets": brackets}
    run = SlurmRun(cluster, tmp_path / "run", **options)
    run.launch()
    order = [*rng.permutation(len(EVENTS)), *rng.integers(len(EVENTS), size=N_EVENTS)]
    happened = []
    while len(happened) < N_EVENTS:
        caught = a_running_trial(run)
        if caught is None:  # it was quicker than we are
            run.assert_queue_empties()
            brackets += 2
            run.launch(n_brackets=brackets)
            continue
        pause(float(rng.exponential(1.5)))
        event = EVENTS[order[len(happened)]]
        # What was caught may just have ended.
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, LookupError):
            event(run, caught)
            happened.append(event.__name__)
    run.wait_for_end(2 * END_PATIENCE)
    run.assert_queue_empties()
    run.assert_complete()
    assert len(Counter(happened)) == len(EVENTS), "each kind at least once"
    assert_same_undisturbed(run, tmp_path / "again", [int(x) for x in rng.choice(9, 3)])


def a_running_trial(run):
    """What a worker has been at for a moment; None once the run is finished."""

    def look():
        status = run.status()
        if status["state"] == "finished":
            return "finished"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for each in status["running"]:
                if run.generations(each["trial"]) and run.task_of(each):
                    return each
        return None

    found = wait_until(look, 2 * PATIENCE, run.story())
    return None if found == "finished" else found


def assert_same_undisturbed(run, folder, chosen):
    """Some trials evaluated again, in one go, give the same losses and bytes."""
    settings = settings_from_dict(read_run(run.paths)["settings"])
    objective, fresh = Objective.of(settings), RunPaths(folder)
    rows = [line for _, line in read_json_lines(run.paths.results)]
    trials = sorted({tuple(row[0]) for row in rows})
    chosen = {trials[i % len(trials)] for i in chosen}
    with InnerLoop(settings.engine, 1) as loop:
        for cid, budget, _, result, _ in rows:
            if tuple(cid) in chosen:
                config = result["config"]
                record = objective.evaluate(tuple(cid), config, budget, fresh, loop)
                assert record.loss == result["loss"]
    for cid in chosen:
        ours, theirs = (r.trial(cid).generations for r in (run.paths, fresh))
        assert ours.read_bytes() == theirs.read_bytes()
