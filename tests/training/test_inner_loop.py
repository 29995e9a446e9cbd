import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from se_hpo.agents import AGENTS, AgentKind
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import DiedProcessError, UserError
from se_hpo.training import inner_loop
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob, TrainingResult
from tests.helpers.engine_jobs import needs_engine
from tests.helpers.places import ROOT

TASK = "CartPole-v0"
SE = SyntheticEnvConfig(hidden_size=8)
PSI = initial_psi(SE, get_task(TASK), np.random.default_rng(0))
LEARNED = LearnedEnv(SE, PSI)
AGENT = DDQNConfig(
    batch_size=8, hidden_size=8, hidden_layers=1, max_env_steps=60, test_episodes=2
)


def jobs(n=5):
    """Jobs of different length, on the SE and on the task: their order can go wrong."""
    steps = [90, 10, 50, 20, 70]
    return [
        TrainingJob(TASK, replace(AGENT, max_env_steps=steps[i]), i, LEARNED)
        if i % 2
        else TrainingJob(TASK, replace(AGENT, max_env_steps=steps[i]), i)
        for i in range(n)
    ]


def as_bytes(results):
    return [
        (
            r.test_returns.tobytes(),
            r.episode_returns.tobytes(),
            r.episode_lengths.tobytes(),
            r.stop_reason,
        )
        for r in results
    ]


@pytest.fixture(scope="module")
def pool():
    with InnerLoop("torch", n_threads=2) as loop:
        yield loop


def test_results_are_the_same_bytes_in_any_number_of_processes(pool):
    alone = InnerLoop("torch").train_agents(jobs())
    assert [r.env_steps for r in alone] == [90, 10, 50, 20, 70]
    assert as_bytes(pool.train_agents(jobs())) == as_bytes(alone)
    shuffled = [jobs()[i] for i in (3, 0, 4)]
    expected = [as_bytes(alone)[i] for i in (3, 0, 4)]
    assert as_bytes(pool.train_agents(shuffled)) == expected


def test_no_process_waits_for_the_slowest_job(pool):
    slow = replace(jobs()[0], agent=replace(AGENT, max_env_steps=3000))
    work = [slow, *jobs()[1:]]
    alone = as_bytes(InnerLoop("torch").train_agents(work))
    done = dict(pool.completed(work))
    assert list(done)[-1] == 0
    assert as_bytes([done[k] for k in range(len(work))]) == alone
    assert as_bytes(r for _, r in InnerLoop("torch").completed(work)) == alone


@needs_engine
def test_the_native_engine_gives_the_same_bytes_as_they_are_completed():
    alone = InnerLoop("native").train_agents(jobs())
    with InnerLoop("native", n_threads=2) as loop:
        done = dict(loop.completed(jobs()))
    assert as_bytes([done[k] for k in range(5)]) == as_bytes(alone)


def test_cpu_seconds_count_the_processes(pool):
    pool.train_agents(jobs(2))
    before, here = pool.cpu_seconds(), time.process_time()
    pool.train_agents(jobs())
    assert pool.cpu_seconds() - before > time.process_time() - here


def test_an_error_in_a_process_comes_out_as_itself(pool):
    bad_seed = replace(jobs()[1], seed=-1)
    with pytest.raises(ValueError, match="non-negative") as caught:
        pool.train_agents([jobs()[0], bad_seed])
    assert "in a process" in str(caught.value.__cause__)


# Starting processes takes seconds, so the next two tests also show that a pool goes on
# after the failure in the test before.


def test_a_killed_process_is_reported(pool):
    assert len(pool.train_agents(jobs(2))) == 2
    victim = next(iter(pool._pool._processes.values()))
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    with pytest.raises(DiedProcessError, match=r"exit code -9.*use fewer threads"):
        pool.train_agents(jobs())


def test_closing_ends_the_processes_and_keeps_their_cpu_seconds(pool):
    assert len(pool.train_agents(jobs(3))) == 3
    processes, before = list(pool._pool._processes.values()), pool.cpu_seconds()
    assert len(processes) == 2
    pool.__exit__(None, None, None)
    for process in processes:
        assert process.returncode == -signal.SIGKILL
        assert not Path(f"/proc/{process.pid}").exists(), "not even as a zombie"
    assert pool.cpu_seconds() >= before


def test_an_unknown_task_is_refused():
    bad_task = replace(jobs()[0], task="CartPol-v0")
    with pytest.raises(UserError, match="did you mean 'CartPole-v0'"):
        InnerLoop("torch").train_agents([bad_task])


def test_no_jobs_no_results(pool):
    assert pool.train_agents([]) == []
    assert InnerLoop("torch").train_agents([]) == []


SCRIPT = """
    import sys, numpy as np
    from se_hpo.agents.ddqn_config import DDQNConfig
    from se_hpo.training.inner_loop import InnerLoop
    from se_hpo.training.jobs import TrainingJob

    if __name__ == "__main__":
        quick = DDQNConfig(batch_size=8, hidden_size=8, max_env_steps=10)
        endless = DDQNConfig(train_episodes=10**9, init_episodes=10**9)
        with InnerLoop("torch", n_threads=2) as loop:
            loop.train_agents([TrainingJob("CartPole-v0", quick, s) for s in (0, 1)])
            print(*(p.pid for p in loop._pool._processes.values()), flush=True)
            loop.train_agents([TrainingJob("CartPole-v0", endless, s) for s in (0, 1)])
"""


def start_script(tmp_path):
    """A process with two busy training processes, in a process group of its own."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(SCRIPT))
    parent = subprocess.Popen(
        [sys.executable, str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2, parent.stderr.read()
    return parent, children


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_ended(pids, seconds=20):
    deadline = time.monotonic() + seconds
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "training processes outlived their parent"
        time.sleep(0.1)


def test_processes_die_with_a_parent_killed_in_the_middle(tmp_path):
    parent, children = start_script(tmp_path)
    parent.kill()
    parent.communicate(timeout=20)
    wait_until_ended(children)


def test_ctrl_c_ends_all_and_prints_the_parents_traceback_only(tmp_path):
    parent, children = start_script(tmp_path)
    os.killpg(parent.pid, signal.SIGINT)
    _, errors = parent.communicate(timeout=20)
    wait_until_ended(children)
    assert errors.count("Traceback") == 1, errors
    assert "KeyboardInterrupt" in errors


def run_script(tmp_path, code, how="file"):
    """A script with no guard around what it does, or the same lines fed to Python."""
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, *([str(path)] if how == "file" else [])],
        input=path.read_text(),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
    )


NO_GUARD = """
    print("script", flush=True)
    from se_hpo.agents.ddqn_config import DDQNConfig
    from se_hpo.training.inner_loop import InnerLoop
    from se_hpo.training.jobs import TrainingJob
    quick = DDQNConfig(batch_size=8, hidden_size=8, max_env_steps=10, test_episodes=1)
    with InnerLoop("torch", n_threads=2) as loop:
        done = loop.train_agents([TrainingJob("CartPole-v0", quick, s) for s in (0, 1)])
    print([result.env_steps for result in done])
"""


@pytest.mark.parametrize("how", ["file", "input"])
def test_a_script_needs_no_guard_and_runs_once(tmp_path, how):
    done = run_script(tmp_path, NO_GUARD, how)
    assert done.stdout == "script\n[10, 10]\n", done.stderr


# A pool that only adds up: its jobs are of a class that the script defines.
OWN_CLASS = """
    print(__name__, flush=True)
    from se_hpo.training.process_pool import ProcessPool

    class Job:
        def __init__(self, number):
            self.number = number

    def load():
        return lambda job: job.number + 1

    def main():
        pool = ProcessPool(1, load)
        try:
            print(pool.run([Job(1), Job(2)]))
        finally:
            pool.close()

"""


def test_a_class_of_the_script_is_imported_behind_its_guard(tmp_path):
    guarded = OWN_CLASS + '    if __name__ == "__main__":\n        main()\n'
    done = run_script(tmp_path, guarded)
    lines = ["__main__", "__mp_main__", "[2, 3]"]
    assert done.stdout.split("\n") == [*lines, ""], done.stderr


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (
            "file",
            r"load is defined in .*script\.py, which .* cannot import \(it trains when "
            r'it is imported\): put what it runs under `if __name__ == "__main__":`,',
        ),
        ("input", r"load is defined in a notebook or .*: define it in a module of its"),
    ],
)
def test_a_class_that_no_process_can_import_is_refused_in_one_line(
    tmp_path, how, expected
):
    done = run_script(tmp_path, OWN_CLASS + "    main()\n", how)
    assert done.returncode == 2
    assert re.search(expected, done.stderr.splitlines()[-1]), done.stderr
    assert "Traceback" not in done.stderr


# --- choosing an engine ------------------------------------------------------------


class FakeNative:
    """A native engine that names itself in its results."""

    def __init__(self, reason=None):
        self.reason, self.calls = reason, []

    def available(self):
        return self.reason is None

    def unavailable_reason(self):
        return self.reason

    def isa(self):
        return "x86-64-v3"

    def train_agents(self, jobs, n_threads, watch=None):
        self.calls.append((len(jobs), n_threads))
        return [
            TrainingResult(
                np.array([float(job.seed)]), *[np.array([1])] * 2, 0, "native"
            )
            for job in jobs
        ]


@pytest.fixture
def native(monkeypatch):
    def install(reason=None):
        engine = FakeNative(reason)
        monkeypatch.setattr(inner_loop, "_load_native_engine", lambda: engine)
        return engine

    return install


class OwnConfig(AgentConfig):
    pass


@pytest.fixture
def own_agent(monkeypatch):
    monkeypatch.setitem(AGENTS, "own", AgentKind("own", "Own", OwnConfig, "no:one"))
    monkeypatch.setattr(
        "se_hpo.training.torch_engine.run_job", lambda job: ("torch", job.seed)
    )
    return OwnConfig()


def test_auto_takes_the_native_engine_where_it_is_built(native):
    engine = native()
    loop = InnerLoop("auto", n_threads=3)
    assert loop.engine_name == "native"
    results = loop.train_agents(jobs())
    assert [r.score for r in results] == [0, 1, 2, 3, 4]
    assert engine.calls == [(5, 3)]


@pytest.mark.parametrize("installed", [True, False])
def test_auto_takes_torch_where_the_native_engine_is_not_built(
    native, monkeypatch, installed
):
    native("no compiler")
    if not installed:
        monkeypatch.setattr(inner_loop, "_load_native_engine", lambda: None)
    assert InnerLoop("auto").engine_name == "torch"
    assert InnerLoop("torch").engine_name == "torch"
    with pytest.raises(UserError, match=r"python -m se_hpo\.doctor"):
        InnerLoop("native")


def test_torch_is_taken_when_asked_for_even_where_native_is_built(native):
    engine = native()
    loop = InnerLoop("torch")
    assert loop.engine_name == "torch"
    assert loop.train_agents(jobs(1))[0].stop_reason == "max_env_steps"
    assert not engine.calls


def test_agents_that_the_native_engine_lacks_are_trained_by_torch(native, own_agent):
    engine = native()
    mixed = [
        TrainingJob(TASK, a, i) for i, a in enumerate([own_agent, AGENT, own_agent])
    ]
    results = InnerLoop("auto").train_agents(mixed)
    assert results[0] == ("torch", 0) and results[2] == ("torch", 2)
    assert results[1].score == 1.0
    assert engine.calls == [(1, 1)]
    with pytest.raises(UserError, match="no agent 'own'"):
        InnerLoop("native").train_agents(mixed)


def test_bad_arguments_are_refused():
    with pytest.raises(UserError, match="did you mean 'native'"):
        InnerLoop("nativ")
    with pytest.raises(UserError, match="at least 1"):
        InnerLoop("torch", n_threads=0)
