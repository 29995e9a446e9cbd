"""Bad trials, long freezes, and everything at once, done to the real commands.

What is lost or preempted on a cluster is in `test_slurm_survives.py`, disks in
`test_full_disk.py`, each single fault of master and worker in `test_bohb_faults.py`.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import se_hpo
from tests.end_to_end.test_optimize import ENV, command, optimize, space_file
from tests.helpers.bohb_processes import ended, wait_for
from tests.helpers.places import EXPERIMENTS

CHAOS = EXPERIMENTS / "chaos.py"

# -- trials that fail ----------------------------------------------------------------

BAD_TRIALS = """
from ConfigSpace import Categorical, ConfigurationSpace, Float

META = {
    "objective": "nes", "task": "CartPole-v0", "agent": "ddqn",
    "min_budget": 1, "max_budget": 1, "eta": 3,
    "base": {
        "nes.population": 2, "nes.n_center_evaluations": 1, "nes.noise_std": 100.0,
        "ddqn.test_episodes": 1, "ddqn.init_episodes": 1, "ddqn.max_env_steps": 60,
        "ddqn.train_episodes": 5, "ddqn.hidden_size": 8, "ddqn.hidden_layers": 1,
        "nes.score_transform": "rank",
    },
}

def space(seed=None):
    good = Float("ddqn.lr", (1e-4, 1e-2), log=True)
    raises = Categorical("se.hidden_size", [8, 10**13])
    overflows = Categorical("nes.step_size", [1e-6, 3e38])
    return ConfigurationSpace({h.name: h for h in (good, raises, overflows)}, seed=seed)
"""
"""Half of its configurations fit in no memory, and half of the others overflow."""


def test_trials_that_raise_or_meet_nan_are_recorded_and_the_run_goes_on(tmp_path):
    run = tmp_path / "run"
    path = space_file(tmp_path, BAD_TRIALS)
    flags = ("--space", path, "--run", run, "--n-brackets", 16)
    done = optimize(*flags)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    frame = se_hpo.load_trials(run)
    assert len(frame) == 16, "to its end"
    raised = frame[frame["config.se.hidden_size"] > 8]
    assert len(raised) >= 3
    assert (raised.status == "failed").all()
    assert (raised.loss == 1).all()
    assert raised.reason.str.startswith("failed: ").all()
    for trial in raised.trial:
        record = json.loads((run / "trials" / trial / "record-1.json").read_text())
        assert record["error"].startswith("Traceback (most recent call last)")
    rest = frame[frame["config.se.hidden_size"] == 8]
    assert (rest.status == "finished").all()
    wild = rest[rest["config.nes.step_size"] > 1]
    assert len(wild) >= 2
    assert (wild.loss == 1).all()
    assert wild.reason.str.startswith("diverged").all()
    again = optimize(*flags)
    assert again.returncode == 0, again.stderr
    assert len(se_hpo.load_trials(run)) == 16, "a failed one is not tried again"


def test_max_failures_stops_a_hopeless_run_with_one_line(tmp_path):
    run = tmp_path / "run"
    flags = ("--space", space_file(tmp_path, BAD_TRIALS), "--run", run)
    done = optimize(*flags, "--n-brackets", 40, "--max-failures", 2)
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == done.stderr.splitlines()[-1:]
    assert "2 evaluations failed, max_failures = 2" in errors[0]
    assert "the last one: failed: " in errors[0]
    assert "Traceback" not in done.stderr
    assert not (run / "master.lock").exists()
    frame = se_hpo.load_trials(run)
    assert (frame.status == "failed").sum() == 2
    assert len(frame) < 40
    left = subprocess.run(["pgrep", "-f", f"--run {run}"], capture_output=True)
    assert not left.stdout


def test_a_run_in_which_nothing_finishes_exits_1_and_says_why(tmp_path):
    path = space_file(tmp_path, BAD_TRIALS.replace("[8, 10**13]", "[10**13]"))
    few = optimize("--space", path, "--run", tmp_path / "few", "--n-brackets", 2)
    assert few.returncode == 1, few.stderr
    last = few.stderr.splitlines()[-1]
    assert "none of the 2 evaluations has finished; the last one: failed: " in last
    many = optimize("--space", path, "--run", tmp_path / "many", "--n-brackets", 16)
    assert many.returncode == 1, many.stderr
    last = many.stderr.splitlines()[-1]
    assert last.startswith("error: the first 5 evaluations all failed for the same")
    assert len(se_hpo.load_trials(tmp_path / "many")) == 5
    assert "Traceback" not in few.stderr + many.stderr


LETHAL_SPACE = """
from ConfigSpace import Categorical, ConfigurationSpace, Float

META = {
    "objective": "agent", "task": "lethal:Lethal-v0", "agent": "ddqn",
    "min_budget": 1, "max_budget": 1, "eta": 3,
    "base": {
        "ddqn.init_episodes": 1, "ddqn.batch_size": 4, "ddqn.hidden_size": 4,
        "ddqn.hidden_layers": 1, "ddqn.test_episodes": 2, "ddqn.stop_window": 500,
    },
}

def space(seed=None):
    made = ConfigurationSpace(seed=seed)
    made.add(Categorical("ddqn.train_episodes", [5, 400], default=5))
    made.add(Float("ddqn.lr", (1e-4, 1e-2), log=True))
    return made
"""
LETHAL_TASK = """
import os, signal
import gymnasium
import numpy as np

class Lethal(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-10, 10, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    resets = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        Lethal.resets += 1
        if Lethal.resets > 300:
            os.kill(os.getpid(), signal.SIGSEGV)
        self.x = self.np_random.uniform(-1, 1)
        return np.array([self.x], np.float32), {}

    def step(self, action):
        self.x += 2 * int(action) - 1
        return np.array([self.x], np.float32), 1.0, abs(self.x) > 3, False, {}

gymnasium.register("Lethal-v0", Lethal, max_episode_steps=30, reward_threshold=29)
"""


@pytest.mark.timeout(600)
def test_a_configuration_that_kills_its_worker_fails_and_the_run_goes_on(tmp_path):
    (tmp_path / "lethal.py").write_text(LETHAL_TASK)
    path, run = space_file(tmp_path, LETHAL_SPACE), tmp_path / "run"
    flags = ("--space", path, "--run", run)
    done = optimize(*flags, "--n-brackets", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    frame = se_hpo.load_trials(run).set_index("trial")
    lethal = frame["config.ddqn.train_episodes"] == 400
    assert 1 <= lethal.sum() < 4
    assert ((frame.status == "failed") == lethal).all()
    assert (frame[lethal].loss == 1).all()
    for reason in frame[lethal].reason:
        assert reason.startswith("failed: its worker died 3 times, last pid ")
        assert reason.endswith(f"killed by SIGSEGV, see {run}/logs/worker-0.log")
    n = str(lethal.sum())
    again = optimize(*flags, "--n-brackets", 5, "--max-failures", n, cwd=tmp_path)
    assert again.returncode == 2
    assert f"{n} evaluations failed, max_failures = {n}" in again.stderr


# -- a pause of a minute ---------------------------------------------------------------

LONG = BAD_TRIALS
for _old, _new in {
    '"min_budget": 1, "max_budget": 1': '"min_budget": 600, "max_budget": 600',
    '"base": {': '"base": {"nes.stop_when_solved": False,',
    "[8, 10**13]": "[8]",
    "[1e-6, 3e38]": "[1e-6]",
    'noise_std": 100.0': 'noise_std": 0.01',
}.items():
    LONG = LONG.replace(_old, _new)
"""Trials of half a minute and more, of 600 generations."""
PAUSE = 60.0


def start(log, *words):
    with log.open("w") as file:
        return subprocess.Popen(
            list(map(str, words)), stdout=file, stderr=subprocess.STDOUT, env=ENV
        )


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("victim", ["worker", "master"])
def test_a_pause_of_a_minute_loses_and_doubles_nothing(tmp_path, victim):
    """With everybody's real patience: workers are given 30 s, calls 5 s."""
    run, n = tmp_path / "run", 4
    flags = ("--space", space_file(tmp_path, LONG), "--run", run, "--n-brackets", n)
    master = start(
        tmp_path / "master.log", *command(*flags, "--role", "master", "--threads", 1)
    )
    work = [sys.executable, "-m", "se_hpo.worker", "--run", run, "--wait"]
    logs = [tmp_path / f"worker-{k}.log" for k in range(2)]
    workers = [start(log, *work, "--threads", 1) for log in logs]
    with ended(master, *workers):
        wait_for(lambda: both_at_work(run), 300)
        frozen = workers[0] if victim == "worker" else master
        os.kill(frozen.pid, signal.SIGSTOP)
        time.sleep(PAUSE)
        os.kill(frozen.pid, signal.SIGCONT)
        assert master.wait(1500) == 0, (tmp_path / "master.log").read_text()
        assert [worker.wait(240) for worker in workers] == [0, 0]
    said = (tmp_path / "master.log").read_text()
    if victim == "worker":
        assert said.count("is queued again") == 1
        # Another has its trial by now, or nobody yet, or all is done.
        dropped = "was given to another worker: dropped" in logs[0].read_text()
        assert dropped or "is back with" in said or "no master" in logs[0].read_text()
    else:
        assert "is queued again" not in said, "nobody's silence meant anything"
    results = [json.loads(x) for x in (run / "results.json").read_text().splitlines()]
    assert len({(tuple(r[0]), r[1]) for r in results}) == len(results) == n
    assert (se_hpo.load_trials(run).status == "finished").all()
    for path in run.glob("trials/*/generations.jsonl"):
        numbers = [json.loads(x)["generation"] for x in path.read_text().splitlines()]
        assert numbers == list(range(600))


def both_at_work(run):
    if not (run / "status.json").exists():
        return False
    running = json.loads((run / "status.json").read_text())["running"]
    begun = [run / "trials" / r["trial"] / "state.safetensors" for r in running]
    return len(running) == 2 and all(path.exists() for path in begun)


# -- everything at once ----------------------------------------------------------------


def chaos(tmp_path, *flags):
    done = subprocess.run(
        [sys.executable, str(CHAOS), "--out", str(tmp_path / "out.json"), *flags],
        capture_output=True,
        text=True,
        env=ENV,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((tmp_path / "out.json").read_text())["runs"]


def check_chaos(run, n_events):
    """Every planned evaluation once; what the script itself checks, spelled out."""
    assert len(run["events"]) == n_events
    assert run["brackets_complete"] == run["brackets"]
    assert run["evaluated"] == run["planned"]
    assert (run["lost"], run["duplicated"], run["not_finished"]) == (0, 0, 0)
    assert run["trials_with_gaps"] == []
    assert run["evaluated_again"]["differ"] == []


@pytest.mark.timeout(1200)
@pytest.mark.skipif(not CHAOS.exists(), reason="experiments/ is not beside the tests")
def test_a_little_chaos_changes_nothing(tmp_path):
    (run,) = chaos(tmp_path, "--smoke", "--workers", "1")
    check_chaos(run, 4)
    assert run["evaluated_again"]["trials"] == 3
    assert run["differs_from_undisturbed"] == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.skipif(not CHAOS.exists(), reason="experiments/ is not beside the tests")
@pytest.mark.parametrize("workers", [1, 3])
def test_fifty_random_events_in_one_run_change_nothing(tmp_path, workers):
    (run,) = chaos(tmp_path, "--workers", str(workers), "--seed", "1")
    check_chaos(run, 50)
    assert run["evaluated_again"]["trials"] == 10
    if workers == 1:
        assert run["differs_from_undisturbed"] == []
