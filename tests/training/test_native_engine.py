"""The native engine: inner loop, determinism, divergence, interruption."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from se_hpo.agents import AGENTS, kind_of, register_agent
from se_hpo.agents.ddqn import DDQN
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.dueling_ddqn_config import DuelingDDQNConfig
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.names import STOP_REASONS
from se_hpo.training import native_engine
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from tests.helpers.engine_jobs import (
    SE,
    SMALL,
    constant_psi,
    forced_isa,
    needs_engine,
    net_ends,
    random_psi,
    se_job,
    task_job,
    to_bytes,
    train,
)

pytestmark = needs_engine

DUELING = DuelingDDQNConfig(
    **{**dataclasses.asdict(SMALL), "feature_size": 5, "train_episodes": 12}
)


def mixed_jobs() -> list[TrainingJob]:
    """Different tasks, algorithms and sizes."""
    return [
        se_job(1),
        task_job(2),
        se_job(3, batch_size=33, hidden_layers=2, activation="tanh"),
        task_job(4, "MountainCar-v0", train_episodes=3),
        task_job(5, config=DUELING),
        task_job(6, "Acrobot-v1", train_episodes=2, hidden_size=20),
        task_job(7, config=DUELING, advantage_mean="batch", activation="prelu"),
    ]


def test_results_do_not_depend_on_threads_or_neighbours(monkeypatch):
    for isa in native_engine.isas():
        with forced_isa(monkeypatch, isa):
            jobs = mixed_jobs()
            expected = [to_bytes(r) for r in train(*jobs)]
            assert [to_bytes(r) for r in train(*jobs, n_threads=3)] == expected
            backwards = train(*jobs[::-1], n_threads=2)
            assert [to_bytes(r) for r in backwards] == expected[::-1]
            assert [to_bytes(train(job)[0]) for job in jobs] == expected


def test_another_seed_gives_another_result():
    a, b = train(task_job(1), task_job(2))
    assert to_bytes(a) != to_bytes(b)


def test_result_has_the_documented_shapes_and_types():
    (result,) = train(task_job(train_episodes=5, test_episodes=3))
    assert result.test_returns.dtype == result.episode_returns.dtype == np.float64
    assert result.episode_lengths.dtype == np.int64
    assert len(result.episode_returns) == len(result.episode_lengths) == 5
    assert len(result.test_returns) == 3
    assert result.test_env_steps == result.test_returns.sum()  # CartPole: 1 per step
    assert np.array_equal(result.episode_returns, result.episode_lengths)
    assert result.stop_reason == "train_episodes"


def test_plateau_needs_init_plus_k_episodes():
    # Every episode of this SE ends at the first step with return 1.
    psi = constant_psi(done=1.0)
    for init, k in ((1, 10), (4, 3)):
        (result,) = train(se_job(psi=psi, init_episodes=init, stop_window=k))
        assert result.stop_reason == "plateau"
        assert len(result.episode_returns) == init + k + 1


def test_no_plateau_without_tolerance():
    psi = constant_psi(done=1.0)
    (result,) = train(se_job(psi=psi, plateau_tolerance=0.0, train_episodes=40))
    assert (result.stop_reason, result.env_steps) == ("train_episodes", 40)


def test_se_episode_ends_only_above_one_half_or_at_the_step_limit():
    low, high = (
        train(se_job(psi=constant_psi(done=d), train_episodes=2))[0] for d in (0.5, 0.6)
    )
    assert low.episode_lengths.tolist() == [200, 200]
    assert high.episode_lengths.tolist() == [1, 1]


def test_max_env_steps_cuts_the_episode_and_counts_it():
    psi = constant_psi(done=0.0, reward=2.0)
    (result,) = train(se_job(psi=psi, max_env_steps=250))
    assert result.stop_reason == "max_env_steps"
    assert result.episode_lengths.tolist() == [200, 50]
    assert result.episode_returns.tolist() == [400, 100]


def test_solved_task_stops_after_init_episodes(monkeypatch):
    easy = dataclasses.replace(get_task("CartPole-v0"), solved_return=5.0)
    monkeypatch.setattr(native_engine, "measure_task", lambda task: easy)
    (result,) = train(task_job(init_episodes=3))
    assert result.stop_reason == "solved"
    assert len(result.episode_returns) == 4


def test_ddqn_learns_cartpole():
    jobs = [
        task_job(seed, hidden_size=64, batch_size=64, train_episodes=300)
        for seed in range(3)
    ]
    results = train(*jobs, n_threads=2)
    assert sorted(r.score for r in results)[1] >= 150
    assert {r.stop_reason for r in results} <= set(STOP_REASONS)


def poisoned(where: int, value: float) -> np.ndarray:
    psi = random_psi()
    psi[where] = value
    return psi


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_non_finite_psi_diverges_and_leaves_neighbours_alone(value):
    bad = [se_job(9, poisoned(at, value)) for at in (0, -1, net_ends()[0] + 3)]
    alone = to_bytes(train(se_job(1))[0])
    *diverged, good = train(*bad, se_job(1), n_threads=2)
    assert to_bytes(good) == alone
    for result in diverged:
        assert result.stop_reason == "diverged"
        assert result.test_returns.tolist() == [8.0, 8.0]
        assert result.test_env_steps == 0


def test_overflow_inside_the_se_diverges():
    (result,) = train(se_job(psi=np.full_like(random_psi(), 1e30)))
    assert result.stop_reason == "diverged"
    assert result.score == 8.0


@pytest.mark.parametrize("activation", ["tanh", "relu", "leaky_relu", "prelu"])
def test_exploding_values_diverge(activation):
    psi = constant_psi(done=0.0, reward=1e30)
    (result,) = train(se_job(psi=psi, activation=activation, lr=1e30))
    assert result.stop_reason == "diverged"


def test_no_jobs_give_no_results():
    assert native_engine.train_agents([], 2) == []


def test_unknown_isa_is_a_user_error(monkeypatch):
    with forced_isa(monkeypatch, "x86-64-v9"), pytest.raises(UserError, match="x86-64"):
        native_engine.isa()


def test_empty_isa_is_the_best_one(monkeypatch):
    with forced_isa(monkeypatch, ""):
        assert native_engine.isa() == native_engine.isas()[0]


class _OtherConfig(DDQNConfig):
    pass


def test_an_agent_replaced_by_name_is_not_trained_natively(monkeypatch):
    for name in ("ddqn", "dueling_ddqn"):
        monkeypatch.setitem(AGENTS, name, AGENTS[name])  # undone afterwards
    seen = []

    def factory(config, obs_size, n_actions, seed):
        seen.append(config)
        return DDQN(config, obs_size, n_actions, seed)

    jobs = [task_job(0, train_episodes=2), task_job(0, config=DUELING)]
    assert all(kind_of(job.agent).native for job in jobs)
    register_agent("ddqn", DDQNConfig, factory)
    assert [kind_of(job.agent).native for job in jobs] == [False, True]
    InnerLoop("auto").train_agents(jobs)
    assert len(seen) == 1
    with pytest.raises(UserError, match="no 'ddqn'"):
        train(jobs[0])
    with pytest.raises(UserError, match="no agent 'ddqn'"):
        InnerLoop("native").train_agents(jobs)
    register_agent("dueling_ddqn", _OtherConfig, factory)
    assert not kind_of(_OtherConfig()).native
    with pytest.raises(UserError, match="register_agent"):
        kind_of(DUELING)


def test_missing_engine_is_said_and_named(monkeypatch):
    monkeypatch.setattr(native_engine, "_engine", None)
    monkeypatch.setattr(native_engine, "_IMPORT_ERROR", "no such module", raising=False)
    assert not native_engine.available()
    assert "compiler" in str(native_engine.unavailable_reason())
    with pytest.raises(UserError, match="not available"):
        train(se_job())


def test_an_se_may_be_wider_than_any_agent():
    wide = dataclasses.replace(SE, hidden_size=2**16 + 1)
    learned = LearnedEnv(wide, random_psi(wide))
    (result,) = train(dataclasses.replace(se_job(max_env_steps=5), learned=learned))
    assert result.env_steps == 5


def test_an_engine_of_older_sources_is_said_with_the_mend(monkeypatch):
    monkeypatch.setattr(native_engine, "_engine", SimpleNamespace())
    assert not native_engine.available()
    with pytest.raises(UserError, match="older sources: install again"):
        train(se_job())


LONG_TRAINING = """
import signal, sys
from tests.helpers.engine_jobs import se_job, constant_psi, train

def on_term(number, frame):
    print("handler ran", flush=True)
    raise SystemExit(3)

signal.signal(signal.SIGTERM, on_term)
psi = constant_psi(done=0.0)
jobs = [
    se_job(i, psi, batch_size=512, hidden_size=512, hidden_layers=3,
           train_episodes=10**9, plateau_tolerance=0.0)
    for i in range(4)
]
print("started", flush=True)
try:
    train(*jobs, n_threads=2)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(4)
"""


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [(signal.SIGINT, "interrupted", 4), (signal.SIGTERM, "handler ran", 3)],
)
def test_signals_end_a_training_that_would_never_end(number, said, code):
    child = subprocess.Popen(
        [sys.executable, "-c", LONG_TRAINING], stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        threading.Event().wait(0.3)  # let it get into the C++
        child.send_signal(number)
        rest, _ = child.communicate(timeout=60)
    finally:
        child.kill()
        child.wait()
    assert rest == said + "\n"
    assert child.returncode == code


def test_other_python_threads_run_meanwhile():
    ticks, done = [], threading.Event()

    def tick():
        while not done.wait(0.001):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        train(se_job(psi=constant_psi(done=0.0), batch_size=256, hidden_size=128))
    finally:
        done.set()
        thread.join()
    assert len(ticks) > 10
