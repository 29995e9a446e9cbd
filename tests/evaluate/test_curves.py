"""Evaluations that record learning curves: of whom, with what, and what is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import se_hpo
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.registry import find_agent
from se_hpo.config.overrides import read_yaml
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.evaluate import agent_values, evaluation_run
from se_hpo.evaluate.__main__ import main
from se_hpo.evaluate.agent_values import Hyperparameters, base_of, textbook
from se_hpo.evaluate.chosen_sets import used_sets
from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.evaluate.recorded_curve import recorded_curve, solved_after
from se_hpo.names import REAL
from se_hpo.registries import AGENTS, LEARNED
from se_hpo.results.learning_curves import at_steps
from se_hpo.results.se_sets import read_set
from se_hpo.storage.paths import RunPaths
from se_hpo.training.inner_loop import load_engine
from se_hpo.training.jobs import TrainingResult
from se_hpo.training.process_pool import Completed
from tests.helpers.fake_sets import CONFIG, make_set, make_sets

AGENT = DDQNConfig(batch_size=8, hidden_size=8, hidden_layers=1, init_episodes=3)
STEPS = 400


def reward_run(root: Path, n: int = 2, task: str = "CartPole-v0", agent=AGENT):
    """Sets of reward networks of two kinds, and of random ones."""
    run = RunPaths(root)
    made = {"potential": ("rn_fixed", "additive_potential")}
    made |= {"plain": ("rn_fixed", "exclusive"), "random": ("rn_random", "exclusive")}
    for name, (train_env, kind) in made.items():
        se = LEARNED[kind].config(hidden_size=4)
        make_set(
            run.ses / name, train_env, n, replace(CONFIG, agent=agent, se=se), task
        )
    return run


def options(root, **changes):
    values = {"num_agents": 2, "test_episodes": 2, "quiet": True}
    values |= {"curve_steps": STEPS}
    return EvaluateOptions(envs=(Path(root),), **{**values, **changes})


class PoolInThisProcess:
    """Trains one agent after the other, up to `fail_after`."""

    fail_after: int | None = None

    def __init__(self, n_processes, load):
        self.train = load_engine("auto", with_torch=False)

    def completed(self, jobs):
        for position, job in enumerate(jobs):
            if position == self.fail_after:
                raise KeyboardInterrupt
            yield Completed(position, self.train(job), 0.5)

    def close(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(evaluation_run, "ProcessPool", PoolInThisProcess)
    monkeypatch.setattr(PoolInThisProcess, "fail_after", None)
    return monkeypatch


def lines(folder):
    """Records but for their times."""
    files = sorted(Path(folder).glob("*.jsonl"))
    found = [line for file in files for line in file.read_text().splitlines()]
    return sorted(json.dumps({**json.loads(line), "seconds": 0}) for line in found)


def test_reward_networks_are_evaluated_by_curves_of_the_agents_they_were_learned_with(
    tmp_path,
):
    evaluation = resolve(options(reward_run(tmp_path / "run").root))
    plan = evaluation.plan
    assert evaluation.records.stem == f"curves-{STEPS}-default-matched-0"
    jobs = [plan.job(agent) for agent in plan.agents]
    own = {"train_episodes", "test_episodes", "max_env_steps"}
    for job in jobs:
        assert job.test_while_training and not job.stop_by_rule
        assert job.agent.max_env_steps == STEPS
        changes = {name: getattr(job.agent, name) for name in own}
        assert job.agent == replace(AGENT, **changes), "init_episodes stay, too"
    assert len({job.seed for job in jobs}) == 4, "pairs: two networks, two agents"


def test_every_curve_is_recorded_and_whole(tmp_path, quick):
    run = reward_run(tmp_path / "run")
    main(options(run.root, baselines=("ddqn+eps_min=0.5",)))
    agents = se_hpo.load_evaluations(run.root)
    assert agents["area"].notna().all() and agents["agent_values"].eq("matched").all()
    assert (agents["kind"].isna() == agents["train_env"].eq(REAL)).all()
    kinds = set(agents["kind"].dropna())
    assert kinds == {"additive_potential", "exclusive"}
    curves = se_hpo.load_curves(run.root)
    keys = ["train_env", "se_set", "se", "agent", "pair"]
    last = curves.groupby(keys, dropna=False)["step"].max()
    assert len(last) == len(agents) and last.eq(STEPS).all()
    baseline = agents[agents["agent"] == "ddqn+eps_min=0.5"]
    assert set(baseline["train_env"]) == {REAL} and len(baseline) == 4


def test_what_was_finished_stays_and_shards_are_one_evaluation(tmp_path, quick):
    run = reward_run(tmp_path / "run")
    out = tmp_path / "whole/a.jsonl"
    main(options(run.root, out=out))
    quick.setattr(PoolInThisProcess, "fail_after", 3)
    with pytest.raises(KeyboardInterrupt):
        main(options(run.root))
    quick.setattr(PoolInThisProcess, "fail_after", None)
    main(options(run.root))
    assert lines(run.evaluations) == lines(out.parent)
    for part in ("1/2", "2/2"):
        main(options(run.root, shard=part, out=tmp_path / "parts/a.jsonl"))
    assert lines(tmp_path / "parts") == lines(out.parent)


def test_records_of_phase_2_have_nothing_of_curves(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root, curve_steps=None, fixed_steps=50, num_agents=1))
    file = run.evaluations / "fixed-50-0.jsonl"
    assert (
        not {"curve", "kind", "variation"} & json.loads(file.open().readline()).keys()
    )
    settings = json.loads(file.with_suffix(".json").read_text())["settings"]
    assert not {"curves", "values", "baselines"} & settings.keys()


def test_varied_agents_vary_around_the_values_and_pairs_share_them(tmp_path):
    root = reward_run(tmp_path / "run").root
    flags = {"hyperparameters": "varied", "agent_values": "textbook"}
    plan = resolve(options(root, **flags)).plan
    by_pair = {}
    for agent in plan.agents:
        by_pair.setdefault(agent.pair, set()).add(plan.job(agent).agent)
    assert {len(configs) for configs in by_pair.values()} == {1}
    rates = {config.lr for (config,) in by_pair.values()}
    assert len(rates) == 4 and all(8e-5 < lr < 8e-4 for lr in rates)


def test_textbook_values_are_those_of_registered_agents_of_known_tasks():
    tasks = read_yaml(agent_values._FILE, "tasks")
    for task in tasks:
        found = textbook(task)
        get_task(task) if task != "HalfCheetah-v5" else None
        assert found.steps >= 5000
        for name in found.agents:
            assert name in AGENTS
            config = agent_values.default(name, found.agents[name])
            assert config.gamma <= 0.99


def test_another_agent_with_the_same_fields_takes_the_sets_values(tmp_path):
    run = reward_run(tmp_path / "run")
    sets = [read_set(folder) for folder in sorted(run.ses.iterdir())]
    how = Hyperparameters("default", "matched", curves=True)
    config, what = base_of("dueling_ddqn", sets, how)
    assert (config.lr, config.init_episodes) == (AGENT.lr, 3) and "sets" in what
    config, what = base_of("td3_discrete", sets, how)
    assert config == find_agent("td3_discrete").config() and "defaults" in what


@pytest.mark.parametrize("kind", ["one_step", "mdp_learned_start", "mdp"])
def test_curves_on_ses_have_fifty_tests_however_short_their_episodes(
    tmp_path, quick, kind
):
    se = LEARNED[kind].config(hidden_size=4)
    agent = replace(AGENT, se_steps=500)
    config = replace(CONFIG, agent=agent, se=se)
    make_set(tmp_path / "run/ses/fixed", "se_fixed", 1, config, "CartPole-v0")
    main(options(tmp_path / "run", num_agents=1))
    curves = se_hpo.load_curves(tmp_path / "run").groupby("train_env")["step"]
    assert curves.max().eq(STEPS).all()
    on_se = curves.get_group("se_fixed")
    assert on_se.isin(range(8, STEPS + 1, 8)).all() or kind != "one_step"
    file = tmp_path / "run/evaluations" / f"curves-{STEPS}-varied-matched-0.jsonl"
    lines = map(json.loads, file.read_text().splitlines())
    steps = {line["train_env"]: line["test_env_steps"] for line in lines}
    assert steps["se_fixed"] <= (50 + 2) * 200, "of tests, each of 200 at most"


def test_values_of_a_file(tmp_path):
    run, file = reward_run(tmp_path / "run"), tmp_path / "mine.yaml"
    file.write_text("ddqn: {lr: 0.5}\n")
    evaluation = resolve(options(run.root, agent_values=str(file)))
    assert evaluation.records.stem == f"curves-{STEPS}-default-mine-0"
    job = evaluation.plan.job(evaluation.plan.agents[0])
    assert (job.agent.lr, job.agent.hidden_size) == (0.5, DDQNConfig().hidden_size)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"agent_values": "textbok"}, "textbok: no such file.*did you mean 'textbook'"),
        ({"agent_values": "matchd"}, "did you mean 'matched'"),
        ({"agent_values": "textbook", "agents": ("td3_discrete",)}, "only of: ddqn"),
        ({"curve_steps": 0}, "--curve-steps 0"),
        ({"fixed_steps": 9}, "--curve-steps instead"),
        ({"baselines": ("ddqm",)}, "--baselines: unknown agent"),
        ({"baselines": ("ddqn+eps_min",)}, "--baselines ddqn\\+eps_min"),
        ({"baselines": ("ddqn+eps_mim=1",)}, "did you mean"),
        ({"set": ("ddqn.max_env_steps=4",)}, "the evaluation decides that"),
        ({"set": ("ddqn.lr=4",), "hyperparameters": "varied"}, "every agent draws"),
    ],
)
def test_bad_flags_are_refused_in_one_line(tmp_path, changes, line):
    run = reward_run(tmp_path / "run")
    with pytest.raises(UserError, match=line) as error:
        resolve(options(run.root, **changes))
    assert "\n" not in str(error.value) and not run.evaluations.exists()


def test_a_task_of_no_known_length_asks_for_it(tmp_path):
    run = reward_run(tmp_path / "run", task="Acrobot-v1")
    with pytest.raises(UserError, match="--curve-steps N"):
        resolve(options(run.root, curve_steps=None))


def result(returns, lengths, stop_reason="max_env_steps"):
    zero = np.zeros(1)
    lengths = np.array(lengths)
    steps = np.cumsum(lengths)[: len(returns)]
    own = (zero, zero, lengths, 0, stop_reason, np.array(returns, float), steps)
    return TrainingResult(*own)


def test_a_curve_is_solved_before_ten_tests_that_solve_the_task_together():
    steps = np.arange(1, 31) * 10
    assert solved_after(steps, np.r_[np.zeros(5), np.full(25, 200.0)], 195) == 60
    lucky = np.r_[np.zeros(3), 200.0, np.zeros(26)]
    assert solved_after(steps, lucky, 195) is None
    dips = np.full(30, 200.0)
    dips[4] = 160.0
    assert solved_after(steps, dips, 195) == 10, "the mean of ten counts"
    assert solved_after(steps[:9], np.full(9, 200.0), 195) is None, "not ten"


def test_the_mean_of_a_curve_weighs_tests_by_their_episodes():
    spec = get_task("CartPole-v0")
    found = recorded_curve(result([10, 40], [30, 10]), 40, spec)
    assert found["area"] == (10 * 30 + 40 * 10) / 40
    assert found["curve"] == ([30, 40], [10.0, 40.0])


@pytest.mark.parametrize("returns", [[], [50.0, 60.0]])
def test_of_a_diverged_agent_the_rest_of_the_curve_is_the_worst_return(returns):
    spec = get_task("CartPole-v0")
    diverged = result(returns, [20] * (len(returns) + 1), "diverged")
    found = recorded_curve(diverged, 400, spec)
    steps, values = found["curve"]
    assert steps[-1] == 400 and values[-1] == spec.worst_return
    assert at_steps(steps, values, np.array([400]))[0] == spec.worst_return
    assert found["area"] < spec.worst_return + 6 and found["solved_after"] is None


def test_lines_about_sets_of_reward_networks_say_rn(tmp_path):
    run = reward_run(tmp_path / "run")
    (used, *_) = used_sets([run.root], (), False)
    assert "2 of 2 RNs finished" in used.summary
    make_set(run.ses / "none", "rn_fixed", 0, used.se_set.config, "CartPole-v0")
    with pytest.raises(UserError, match="no RN is finished"):
        used_sets([run.ses / "none"], (), False)


def test_another_discount_than_the_reward_networks_is_said(tmp_path, caplog):
    root = reward_run(tmp_path / "run").root
    path = RunPaths(root).ses / "potential" / "000.safetensors"
    se = load_se(path)
    metadata = {**se.metadata, "discount": 0.5}
    save_se(path, se.psi, se.task, se.se_config, metadata)
    resolve(options(root))
    assert "the reward network was learned with 0.5" in caplog.text
    caplog.clear()
    resolve(options(root, set=("ddqn.gamma=0.5",)))
    second = [r for r in caplog.messages if "learned with 0.5" in r]
    assert not second


def test_steps_in_which_an_agent_never_learns_are_refused(tmp_path):
    root = make_sets(tmp_path / "run").root
    flags = EvaluateOptions(envs=(root,), agents=("ppo",), fixed_steps=3)
    with pytest.raises(UserError, match=r"--fixed-steps 3: nothing is learned, as ppo"):
        resolve(flags)
