"""Phase 2 with Stable-Baselines3's agents, beside ours."""

import json
import signal
import sys
from dataclasses import replace

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.evaluate.__main__ import main
from se_hpo.evaluate.evaluation import resolve
from se_hpo.registries import LEARNED
from tests.end_to_end.test_evaluate import (
    PoolInThisProcess,
    options,
    quick,
    records,
    run_command,
    start,
    wait_for_lines,
)
from tests.helpers.fake_sets import CONFIG, make_set, make_sets

__all__ = ["quick", "start"]

pytest.importorskip(
    "stable_baselines3", reason="the extra sb3 is not installed: pip install -e .[sb3]"
)

BOTH = ("sb3:DQN", "sb3:PPO")
SPACE = '''"""Rollouts of PPO."""

from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "sb3:PPO",
    "min_budget": 1,
    "max_budget": 3,
    "eta": 3,
    "base": {"sb3:PPO.train_steps": 64, "sb3:PPO.batch_size": 16},
}


def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    cs.add(
        Integer("sb3:PPO.n_steps", (16, 32)),
        Float("sb3:PPO.one_minus_gamma", (0.001, 0.1), log=True),
        Categorical("sb3:PPO.policy_kwargs.activation_fn", ["tanh", "relu"]),
    )
    return cs
'''


@pytest.fixture
def run(tmp_path):
    return make_sets(tmp_path / "run", n=1).root


def flags(**changes):
    return {"agents": BOTH, "num_agents": 1, "fixed_steps": 60, **changes}


def test_dqn_and_ppo_train_on_ses_and_the_task_beside_ours(run):
    words = ["--agents", "ddqn", *BOTH, "--num-agents", 2, "--fixed-steps", 150]
    done = run_command(run, *words, "--threads", 2)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "SB3 PPO" in done.stdout or "sb3:PPO" in done.stdout
    frame = se_hpo.load_evaluations(run)
    assert frame.groupby(["agent", "train_env"]).size().eq(2).all() and len(frame) == 18
    assert set(frame["env_steps"]) == {150}
    assert set(frame["stop_reason"]) == {"max_env_steps"}
    theirs = frame[frame["agent"] != "ddqn"]
    assert set(theirs["engine"]) == {"torch"}
    shared = ["agent_seed", "hp.learning_rate", "hp.batch_size", "hp.hidden_size"]
    assert (theirs.groupby(["agent", "pair"])[shared].nunique() == 1).all(axis=None)
    assert theirs["hp.learning_rate"].nunique() == 4
    ppo = theirs[theirs["agent"] == "sb3:PPO"]
    assert ppo["hp.learning_rate"].between(1e-4, 9e-4).all()
    assert ppo["hp.batch_size"].between(64 // 3, 3 * 64).all()
    assert ppo["hp.hidden_layers"].between(1, 3).all()


def test_shards_and_what_follows_an_interruption_give_the_same_records(run, quick):
    main(options(run, **flags(out=run / "whole/a.jsonl")))
    quick.setattr(PoolInThisProcess, "fail_after", 3)
    with pytest.raises(KeyboardInterrupt):
        main(options(run, **flags()))
    assert len(records(run / "evaluations")) == 3
    quick.setattr(PoolInThisProcess, "fail_after", None)
    main(options(run, **flags()))
    for shard in ("1/2", "2/2"):
        main(options(run, **flags(shard=shard, out=run / "shards/a.jsonl")))
    whole = records(run / "whole")
    assert len(whole) == 6
    assert records(run / "evaluations") == records(run / "shards") == whole


def test_killed_and_continued_the_rows_are_those_of_one_run(run, quick, start):
    words = ["--agents", *BOTH, "--num-agents", 2, "--fixed-steps", 300]
    process = start(run, *words, "--threads", 2)
    file = run / "evaluations/fixed-300-0.jsonl"
    wait_for_lines(file, 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    same = flags(num_agents=2, fixed_steps=300)
    main(options(run, **same))
    main(options(run, **same, out=run / "whole/a.jsonl"))
    assert len(records(run / "whole")) == 12
    assert records(run / "evaluations") == records(run / "whole")


def test_they_train_as_long_on_an_se_as_on_the_task(run):
    for changes, steps in [
        ({"fixed_steps": None}, 50_000),
        ({"fixed_steps": None, "set": ("sb3:PPO.train_steps=77",)}, 77),
        ({"fixed_steps": 99, "set": ("sb3:PPO.train_steps=77",)}, 99),
    ]:
        given = flags(agents=("sb3:PPO",), **changes)
        plan = resolve(options(run, **given)).plan
        jobs = [plan.job(agent) for agent in plan.agents]
        assert len(jobs) == 3
        assert {job.agent.max_env_steps for job in jobs} == {steps}


def test_reward_networks_have_curves_of_them_too(tmp_path, quick):
    network = LEARNED["additive_potential"].config(hidden_size=8)
    make_set(tmp_path / "run/ses/rn", n=1, config=replace(CONFIG, se=network))
    given = flags(fixed_steps=None, curve_steps=120)
    main(options(tmp_path / "run", **given))
    frame = se_hpo.load_evaluations(tmp_path / "run")
    assert frame.groupby(["agent", "train_env"]).size().eq(1).all() and len(frame) == 4
    assert set(frame["env_steps"]) == {120}
    assert set(frame["kind"].dropna()) == {"additive_potential"}
    assert frame["area"].notna().all()
    curves = se_hpo.load_curves(tmp_path / "run")
    assert curves.groupby(["agent", "train_env"]).size().gt(1).all()


def test_hyperparameters_come_from_a_file(run, quick, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "learning_rate: 1e-3\nn_steps: 30\nbatch_size: 15\ntrain_steps: 90\n"
        "policy_kwargs: {net_arch: [8], activation_fn: relu}\n"
    )
    given = flags(agent_space=(f"sb3:PPO={file}",), agents=("sb3:PPO",))
    given = given | {"num_agents": 2, "fixed_steps": None}
    main(options(run, **given))
    frame = se_hpo.load_evaluations(run)
    assert len(frame) == 6 and set(frame["env_steps"]) == {90}
    assert not [name for name in frame.columns if name.startswith("hp.")]
    base = json.loads((run / "evaluations/paper-0.json").read_text())["settings"]
    assert base["agents"]["sb3:PPO"]["base"]["arguments"]["n_steps"] == 30
    file.write_text(file.read_text().replace("n_steps: 30", "n_steps: 45"))
    with pytest.raises(UserError, match=r"n_steps 30 -> 45"):
        main(options(run, **given))
    main(options(run, **given, set=("sb3:PPO.n_steps=30",)))


def test_hyperparameters_are_drawn_from_a_space(run, quick, tmp_path):
    space = tmp_path / "ppo_rollouts.py"
    space.write_text(SPACE)
    given = flags(agents=("sb3:PPO",), agent_space=(f"sb3:PPO={space}",))
    main(options(run, **given | {"num_agents": 3, "fixed_steps": None}))
    frame = se_hpo.load_evaluations(run)
    assert set(frame["env_steps"]) == {64}
    assert frame["hp.n_steps"].between(16, 32).all()
    assert (frame.groupby("pair")["hp.n_steps"].nunique() == 1).all()
    assert set(frame["hp.policy_kwargs.activation_fn"]) <= {"tanh", "relu"}


@pytest.mark.parametrize(
    ("changes", "text", "line"),
    [
        (
            {"agents": ("sb3:PPOO",)},
            "",
            "unknown agent 'sb3:PPOO': did you mean 'sb3:P",
        ),
        (
            {"agents": ("sb3:SAC",)},
            "",
            "agent 'sb3:SAC' takes continuous actions, and ",
        ),
        ({"engine": "native"}, "", "the native engine has no agent 'sb3:PPO'"),
        ({"set": ("sb3:PPO.n_step=9",)}, "", "'n_step': did you mean 'n_steps'"),
        ({"set": ("sb3:PPO.learning_rate=1",)}, "", "every agent draws that"),
        ({"set": ("sb3:PPO.max_env_steps=1",)}, "", "the evaluation decides that"),
        ({}, "n_step: 9", "sb3:PPO has no hyperparameter 'n_step': did you mean"),
        ({}, "test_episodes: 9", "test_episodes: the evaluation decides that"),
        ({}, "batch_size: 0", "SB3PPO.batch_size = 0: must be >= 1"),
        ({}, "- 1", "hyperparameters must be a mapping"),
        ({}, "a: [", "is no YAML"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    run, quick, tmp_path, changes, text, line
):
    if text:
        (tmp_path / "mine.yaml").write_text(text)
        changes = {"agent_space": (f"sb3:PPO={tmp_path / 'mine.yaml'}",)}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as error:
        main(options(run, **flags(**changes)))
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_command_names_what_can_and_ends_with_2(run):
    done = run_command(run, "--agents", "sb3:SAC")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "sb3:A2C, sb3:DQN, sb3:PPO" in done.stderr
    assert "sb3:TD3" not in done.stderr


def test_without_the_library_the_command_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    monkeypatch.delitem(sys.modules, "se_hpo.agents.sb3", raising=False)
    with pytest.raises(UserError, match=r"pip install 'se-hpo\[sb3\]'"):
        main(options(run, **flags()))
    assert not (run / "evaluations").exists()
