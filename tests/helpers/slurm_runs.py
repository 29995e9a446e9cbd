"""A run on the throw-away SLURM, as tests start, disturb and look at it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from se_hpo.slurm.launch import launch
from se_hpo.slurm.options import SlurmOptions
from se_hpo.slurm.slurm_jobs import Launch, read_launches
from se_hpo.storage.paths import RunPaths
from tests.helpers.slurm_cluster import SlurmCluster, wait_until

SPACE = """\
from ConfigSpace import ConfigurationSpace, Float

META = {
    "objective": "nes", "task": "CartPole-v0", "agent": "ddqn",
    "min_budget": 600, "max_budget": 1800, "eta": 3,
    "base": {
        "nes.population": 2, "nes.n_center_evaluations": 3,
        "nes.step_size": 0.001, "nes.noise_std": 0.01,
        "se.hidden_size": 16, "ddqn.hidden_size": 16, "ddqn.hidden_layers": 1,
        "ddqn.test_episodes": 5, "ddqn.init_episodes": 1, "ddqn.stop_window": 20,
        "ddqn.max_env_steps": 600, "ddqn.train_episodes": 40, "ddqn.batch_size": 16,
    },
}

def space(seed=None):
    return ConfigurationSpace({"ddqn.lr": Float("ddqn.lr", (1e-5, 1e-4), log=True)})
"""
"""Trials of many seconds, on a quick machine too, that neither solve nor diverge: to be
caught in the middle, and to last until a worker that was requeued is back."""
LONG = {"space": "slow.py", "n_brackets": 1}
PLANNED = 4
"""Evaluations of a run of `LONG`."""
QUEUE_EMPTY_SECONDS = 10.0
"""From a master's end to an empty queue; not asked of an overloaded machine."""
PATIENCE = 180.0
"""Seconds to wait for what takes a few on a machine that has nothing else to do."""
END_PATIENCE = 700.0
"""The same for the end of a run: its 2,400 generations one after the other took 220 s
on two cores with a load average of 20."""


class SlurmRun:
    """A run of `smoke`-sized trials in `folder`."""

    def __init__(self, cluster: SlurmCluster, folder: Path, **options: Any) -> None:
        self.cluster = cluster
        self.paths = RunPaths(folder)
        if options.get("space") == LONG["space"]:
            path = folder.parent / str(LONG["space"])
            path.write_text(SPACE)
            options["space"] = str(path)
        self.options = SlurmOptions(
            **{"space": "smoke", "run": folder, "n_workers": 2, **options}
        )

    def launch(self, **options: Any) -> Launch:
        """Submit it; the same as the command does."""
        asked = {f: getattr(self.options, f) for f in self.options.__dataclass_fields__}
        return launch(SlurmOptions(**{**asked, **options}))[1]

    # -- what it looks like ---------------------------------------------------

    def name(self, role: str) -> str:
        """Job name of a role in the last launch."""
        return f"{read_launches(self.paths.jobs)[-1].name}-{role}"

    def jobs(self, role: str, state: str = "") -> list[dict[str, str]]:
        """Jobs of a role in the last launch."""
        there = self.cluster.queue(self.name(role))
        return [job for job in there if job["state"] == state or not state]

    def queue(self) -> list[dict[str, str]]:
        """All jobs of all launches."""
        launches = read_launches(self.paths.jobs)
        return self.cluster.queue(*(n for x in launches for n in x.job_names()))

    def status(self) -> dict[str, Any]:
        """What the master said last."""
        try:
            data: dict[str, Any] = json.loads(self.paths.status.read_text())
        except FileNotFoundError:
            return {"state": "", "running": [], "workers": [], "finished": 0, "lost": 0}
        return data

    def results(self) -> list[tuple[tuple[int, ...], float, float]]:
        """Finished evaluations: trial, budget, loss."""
        if not self.paths.results.exists():
            return []
        lines = self.paths.results.read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        return [(tuple(row[0]), row[1], row[3]["loss"]) for row in rows]

    def generations(self, trial: str) -> list[int]:
        """Numbers of the generations that a trial has finished."""
        path = self.paths.trials / trial / "generations.jsonl"
        if not path.exists():
            return []
        lines = path.read_text().splitlines(keepends=True)
        return [json.loads(x)["generation"] for x in lines if x.endswith("\n")]

    def log(self, role: str) -> str:
        """Everything that the jobs of a role have said."""
        return "\n".join(self.logs(role))

    def logs(self, role: str) -> list[str]:
        """What each job of a role has said, in the order they were submitted in."""
        found = self.paths.logs.glob(f"{role}-*.log")
        numbers = {
            path: [int(x) for x in re.findall(r"\d+", path.stem)] for path in found
        }
        return [path.read_text() for path in sorted(numbers, key=numbers.__getitem__)]

    # -- waiting and disturbing -----------------------------------------------

    def wait_for_trial(self, generations: int = 3) -> dict[str, Any]:
        """Wait until a trial is under way; returns what the master says of it."""

        def caught() -> dict[str, Any] | None:
            for each in self.status()["running"]:
                there = self.generations(each["trial"])
                if generations <= len(there) < each["budget"] - 15:
                    return dict(each)
            return None

        return dict(wait_until(caught, PATIENCE, f"for a trial\n{self.story()}"))

    def wait_for_results(self, n: int) -> None:
        """Wait for finished evaluations."""
        wait_until(lambda: len(self.results()) >= n, END_PATIENCE, self.story())

    def wait_for_end(self, seconds: float = END_PATIENCE) -> None:
        """Wait until the master has written that it is finished."""
        wait_until(lambda: self.status()["state"] == "finished", seconds, self.story())

    def assert_queue_empties(self) -> None:
        """All jobs end within the time allowed."""
        began = time.monotonic()
        wait_until(lambda: not self.queue(), PATIENCE, str(self.queue()))
        seconds = time.monotonic() - began
        if os.getloadavg()[0] < 2 * (os.cpu_count() or 1):
            assert seconds < QUEUE_EMPTY_SECONDS

    def task_of(self, running: dict[str, Any]) -> str:
        """The array task whose worker has a trial."""
        return process_variable(running["pid"], "SLURM_ARRAY_JOB_ID") + (
            "_" + process_variable(running["pid"], "SLURM_ARRAY_TASK_ID")
        )

    def master_pid(self) -> int:
        """The process of the master."""
        return int(json.loads(self.paths.lock.read_text())["pid"])

    def story(self) -> str:
        """For a message."""
        return f"{self.cluster.queue()}\n{self.log('master')[-2000:]}"

    def assert_complete(self) -> None:
        """Each planned evaluation has happened once, without a gap or a repetition."""
        results = self.results()
        counts = Counter((trial, budget) for trial, budget, _ in results)
        assert set(counts.values()) == {1}
        status = self.status()
        assert (status["finished"], status["failed"]) == (status["planned"], 0)
        assert len(results) == status["planned"]
        for rung in (r for b in status["brackets"] for r in b["rungs"]):
            assert rung["done"] == rung["planned"]
        largest: dict[tuple[int, ...], float] = {}
        for trial, budget, _ in results:
            largest[trial] = max(budget, largest.get(trial, 0))
        for trial, budget in largest.items():
            name = f"{trial[0]:03d}-{trial[1]}-{trial[2]:03d}"
            assert self.generations(name) == list(range(int(budget))), name


def process_variable(pid: int, name: str) -> str:
    """A variable of another process's environment."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode()
    if not variables:
        raise ProcessLookupError(f"{pid} has just ended")
    for entry in variables.split("\0"):
        key, _, value = entry.partition("=")
        if key == name:
            return value
    raise AssertionError(f"{pid} has no {name}")


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal."""
    os.kill(pid, number)


def parent(pid: int) -> int:
    """The process that started another."""
    text = Path(f"/proc/{pid}/stat").read_text()
    return int(text.rpartition(")")[2].split()[1])


def first_generation_after(log: str, mark: str) -> int:
    """The first generation that a log tells of after the last line with `mark`."""
    after = log[log.rindex(mark) :]
    found = re.search(r"generation (\d+):", after)
    assert found, after
    return int(found[1])


def pause(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
