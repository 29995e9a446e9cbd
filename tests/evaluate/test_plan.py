"""The plan of phase 2: what is trained on what, paired, and with which rules."""

import json
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.ppo_config import PPOConfig
from se_hpo.agents.registry import kind_of
from se_hpo.envs import tasks
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.evaluate.agent_draws import FromSpace, own_values
from se_hpo.evaluate.chosen_sets import run_of, used_sets
from se_hpo.evaluate.drawn_agents import agent_sources
from se_hpo.evaluate.plan import Plan, Rules, in_shard
from se_hpo.names import REAL
from se_hpo.search_spaces.loading import load_space
from se_hpo.training import native_engine
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine
from tests.helpers.fake_sets import AGENT, CONFIG, add_se, make_set, make_sets

AGENTS = ("ddqn", "dueling_ddqn")


def plan_of(
    root, rules=None, agents=AGENTS, only_solved=False, spaces=(), values=(), **kw
):
    sets = used_sets([Path(root)], (), only_solved)
    used = [used.se_set for used in sets]
    sources = agent_sources(agents, used, spaces, dict(values))
    return Plan(rules or Rules(num_agents=3), sets, sources, **kw)


def by_train_env(plan):
    pairs = defaultdict(set)
    for agent in plan.agents:
        pairs[agent.train_env, agent.agent].add(agent.pair)
    return pairs


def comparable(job):
    """What a pair shares: all but where it is trained and how long at most."""
    return replace(job.agent, max_env_steps=0), job.seed


def test_a_pair_has_the_same_hyperparameters_and_seed_on_every_train_env(tmp_path):
    plan = plan_of(make_sets(tmp_path / "run").root)
    shared = defaultdict(list)
    for agent in plan.agents:
        shared[agent.agent, agent.pair].append(comparable(plan.job(agent)))
    assert len(shared) == 2 * 2 * 3
    for jobs in shared.values():
        assert len(jobs) == 3, "real, varied and fixed"
        assert jobs[0] == jobs[1] == jobs[2]
    assert len({seed for ((_, seed), *_) in shared.values()}) == len(shared)
    assert len({config.lr for ((config, _), *_) in shared.values()}) == len(shared)


def test_the_baseline_has_the_pairs_of_every_se_of_any_set(tmp_path):
    run = make_sets(tmp_path / "run", n=2)
    make_set(run.ses / "random", "se_random", n=4, solved=(3,))
    pairs = by_train_env(plan_of(run.root))
    assert pairs[REAL, "ddqn"] == pairs["se_random", "ddqn"] == set(range(12))
    assert pairs["se_varied", "ddqn"] == pairs["se_fixed", "ddqn"] == set(range(6))
    pairs = by_train_env(plan_of(run.root, only_solved=True))
    assert pairs["se_varied", "ddqn"] == {0, 1, 2}
    assert pairs["se_random", "ddqn"] == {9, 10, 11}
    assert pairs[REAL, "ddqn"] == {0, 1, 2, 9, 10, 11}


def test_an_se_that_is_finished_later_changes_nothing_of_the_others(tmp_path):
    paths = make_set(tmp_path / "run/ses/varied", n=3)
    paths.outcome(1).unlink()
    before = plan_of(tmp_path / "run")
    jobs = {a.key: comparable(before.job(a)) for a in before.agents}
    add_se(paths, "se_varied", 1, CONFIG, solved=False)
    after = plan_of(tmp_path / "run")
    later = {a.key: comparable(after.job(a)) for a in after.agents}
    assert jobs.items() <= later.items()
    assert len(later) - len(jobs) == 2 * 2 * 3


def test_all_agents_of_a_pair_are_trained_one_after_the_other(tmp_path):
    plan = plan_of(make_sets(tmp_path / "run").root)
    first = plan.agents[:6]
    assert {a.pair for a in first} == {0}
    assert {a.train_env for a in first} == {REAL, "se_varied", "se_fixed"}


def test_the_task_has_no_cap_and_an_se_the_one_it_was_trained_with(tmp_path):
    plan = plan_of(make_sets(tmp_path / "run").root)
    for agent in plan.agents:
        job = plan.job(agent)
        assert job.agent.max_env_steps == (0 if agent.train_env == REAL else 300)
        assert job.stop_by_rule
        assert (job.learned is None) == (agent.train_env == REAL)
        assert (job.agent.train_episodes, job.agent.init_episodes) == (1000, 10)
        assert (job.agent.stop_window, job.agent.plateau_tolerance) == (10, 0.01)
        assert job.agent.test_episodes == 10
    uncapped = plan_of(tmp_path / "run", Rules(step_cap=False))
    assert {uncapped.job(a).agent.max_env_steps for a in uncapped.agents} == {0}


def test_fixed_steps_are_the_same_for_all(tmp_path):
    plan = plan_of(make_sets(tmp_path / "run").root, Rules(fixed_steps=777))
    jobs = [plan.job(agent) for agent in plan.agents]
    assert {job.agent.max_env_steps for job in jobs} == {777}
    assert not any(job.stop_by_rule for job in jobs)


@pytest.mark.parametrize("where", ["SE", "task"])
@pytest.mark.parametrize(
    "train",
    [
        run_job,
        pytest.param(
            lambda job: native_engine.train_agents([job])[0], marks=needs_engine
        ),
    ],
)
def test_without_rule_only_the_steps_end_a_training(monkeypatch, where, train):
    """Both rules would fire as soon as they may."""
    easy = replace(get_task("CartPole-v0"), solved_return=1.0)
    monkeypatch.setitem(tasks._TASKS, "CartPole-v0", easy)
    agent = DDQNConfig(
        **dict(hidden_size=8, batch_size=8, init_episodes=1, stop_window=2),
        **dict(plateau_tolerance=1e9, max_env_steps=1500, train_episodes=1500),
    )
    se = SyntheticEnvConfig(hidden_size=8) if where == "SE" else None
    rng = np.random.default_rng(0)
    learned = LearnedEnv(se, initial_psi(se, easy, rng)) if se else None
    job = TrainingJob("CartPole-v0", agent, 3, learned)
    assert train(job).stop_reason == ("plateau" if se else "solved")
    result = train(replace(job, stop_by_rule=False))
    assert (result.stop_reason, result.env_steps) == ("max_env_steps", 1500)


def test_hyperparameters_are_drawn_around_the_agent_the_sets_were_trained_with(
    tmp_path,
):
    plan = plan_of(make_sets(tmp_path / "run").root, Rules(num_agents=100))
    draws = [plan.sources["ddqn"].draw(0, pair) for pair in range(200)]
    sizes = [draw.config.hidden_size for draw in draws]
    assert min(sizes) < 4 and max(sizes) > 20, "around 8"
    assert min(sizes) >= 2 and max(sizes) <= 24
    for draw in draws:
        assert draw.drawn == {name: getattr(draw.config, name) for name in draw.drawn}
    assert set(draws[0].drawn) == {"lr", "batch_size", "hidden_size", "hidden_layers"}


def test_a_file_gives_all_agents_the_same_and_what_it_leaves_out_is_the_default(
    tmp_path,
):
    file = tmp_path / "mine.yaml"
    file.write_text("one_minus_gamma: 0.25\nlr: 0.5\n")
    root = make_sets(tmp_path / "run").root
    plan = plan_of(root, spaces=[f"ddqn={file}"], values={"ddqn.tau": 0.5})
    expected = DDQNConfig(gamma=0.75, lr=0.5, tau=0.5)
    for pair in range(3):
        assert plan.sources["ddqn"].draw(0, pair) == (expected, {})
    jobs = [plan.job(agent) for agent in plan.agents if agent.agent == "ddqn"]
    assert len({job.seed for job in jobs}) == len(jobs) / 3, "3 train_envs"
    assert {(job.agent.lr, job.agent.hidden_size) for job in jobs} == {(0.5, 128)}


def test_other_agents_are_drawn_from_their_space(tmp_path):
    plan = plan_of(make_sets(tmp_path / "run").root)
    source = plan.sources["dueling_ddqn"]
    draws = [source.draw(0, pair) for pair in range(50)]
    assert all(42 <= draw.config.hidden_size <= 384 for draw in draws)
    assert source.draw(0, 7) == source.draw(0, 7) != source.draw(1, 7)
    assert draws[0].drawn["lr"] == draws[0].config.lr


def test_a_space_of_ones_own_replaces_either(tmp_path):
    space = tmp_path / "own.py"
    space.write_text(
        "from ConfigSpace import ConfigurationSpace, Float\n"
        "META = dict(objective='agent', task='CartPole-v0', agent='ddqn',\n"
        "            min_budget=1, max_budget=1, eta=3, base={'ddqn.tau': 0.5})\n"
        "def space(seed=None):\n"
        "    cs = ConfigurationSpace(seed=seed)\n"
        "    cs.add([Float('ddqn.one_minus_gamma', (0.1, 0.2))])\n"
        "    return cs\n"
    )
    run = make_sets(tmp_path / "run").root
    plan = plan_of(run, agents=["ddqn"], spaces=[f"ddqn={space}"])
    config, drawn = plan.sources["ddqn"].draw(0, 0)
    assert config.gamma == 1 - drawn["one_minus_gamma"]
    assert config.tau == 0.5


def test_shards_split_the_agents_whatever_else_is_planned(tmp_path):
    run = make_sets(tmp_path / "run").root
    keys = {agent.key for agent in plan_of(run, Rules(num_agents=40)).agents}
    parts = [{key for key in keys if in_shard(key, (i, 4))} for i in (1, 2, 3, 4)]
    assert sum(map(len, parts)) == len(keys) == len(set.union(*parts))
    assert min(map(len, parts)) > len(keys) / 8
    assert {key for key in keys if in_shard(key, (1, 1))} == keys


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"num_agents": 0}, "--num-agents 0"),
        ({"test_episodes": -1}, "--test-episodes -1"),
        ({"fixed_steps": 0}, "--fixed-steps 0"),
        ({"seed": -1}, "--seed -1"),
        ({"fixed_steps": 9, "step_cap": False}, "--no-step-cap"),
    ],
)
def test_a_protocol_of_nothing_is_refused(values, line):
    with pytest.raises(UserError, match=line):
        Rules(**values)


def test_sets_are_found_by_run_by_ses_folder_and_by_name(tmp_path, monkeypatch):
    run = make_sets(tmp_path / "run")
    names = [
        {used.se_set.name for used in used_sets([path], (), False)}
        for path in (run.root, run.ses, run.ses / "fixed")
    ]
    assert names == [{"fixed", "varied"}] * 2 + [{"fixed"}]
    assert run_of([run.root]) == run_of([run.ses]) == run_of([run.ses / "fixed"])
    monkeypatch.chdir(run.ses / "fixed")
    assert run_of([Path()]) == run.root


def test_sets_without_a_common_run_need_a_file_name(tmp_path):
    make_sets(tmp_path / "a"), make_set(tmp_path / "loose")
    for envs in ([tmp_path / "loose"], [tmp_path / "a", tmp_path / "loose"]):
        with pytest.raises(UserError, match="--out"):
            run_of(envs)


def refuse(*envs, train_envs=(), only_solved=False):
    with pytest.raises(UserError) as error:
        used_sets(envs, train_envs, only_solved)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_bad_sets_are_refused_in_one_line(tmp_path):
    varied = make_set(tmp_path / "varied", solved=())
    acrobot = make_set(tmp_path / "acrobot", task="Acrobot-v1")
    assert "does not exist" in refuse(tmp_path / "nowhere")
    assert "--envs" in refuse()
    assert "no SE solved the task" in refuse(varied.root, only_solved=True)
    line = refuse(varied.root, acrobot.root)
    assert "CartPole-v0" in line and "Acrobot-v1" in line
    assert "did you mean 'se_varied'" in refuse(varied.root, train_envs=["se_varid"])
    assert "no set of it" in refuse(varied.root, train_envs=["se_fixed"])
    other = make_set(tmp_path / "other/varied")
    assert "same name" in refuse(varied.root, other.root)


def test_an_se_of_another_task_is_refused(tmp_path):
    paths = make_set(tmp_path / "varied")
    foreign = make_set(tmp_path / "acrobot", task="Acrobot-v1")
    paths.checkpoint(1).write_bytes(foreign.checkpoint(1).read_bytes())
    line = refuse(paths.root)
    assert "001.safetensors" in line and "for Acrobot-v1" in line


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_checkpoint_is_refused(tmp_path, content):
    paths = make_set(tmp_path / "varied")
    paths.checkpoint(0).write_bytes(content)
    assert "000.safetensors: cannot be read" in refuse(paths.root)


def test_a_missing_checkpoint_is_named_and_the_others_are_used(tmp_path, caplog):
    paths = make_set(tmp_path / "varied")
    paths.checkpoint(0).unlink()
    (used,) = used_sets([paths.root], (), False)
    assert list(used.ses) == [1]
    assert "000.safetensors is missing" in caplog.text


def test_a_set_without_any_finished_se_is_refused(tmp_path):
    paths = make_set(tmp_path / "varied", n=0)
    assert "no SE is finished" in refuse(paths.root)


def test_a_set_without_solved_ses_is_left_out_and_named(tmp_path, caplog):
    run = make_sets(tmp_path / "run")
    make_set(run.ses / "random", "se_random", solved=())
    used = used_sets([run.root], (), True)
    assert {u.se_set.name for u in used} == {"fixed", "varied"}
    assert "random: no SE solved the task" in caplog.text


def test_the_summary_says_which_ses_are_used(tmp_path):
    make_set(tmp_path / "varied", n=3, solved=(0, 2))
    (used,) = used_sets([tmp_path / "varied"], (), False)
    assert "3 of 3 SEs finished, 2 solved the task; all used" in used.summary
    (used,) = used_sets([tmp_path / "varied"], (), True)
    assert "2 used (2 solved, 0 not)" in used.summary


@pytest.mark.parametrize(
    ("agents", "spaces", "line"),
    [
        (["ddqm"], [], "did you mean 'ddqn'"),
        ([], [], "--agents"),
        (["ddqn"], ["ddqn"], "AGENT=SPACE"),
        (["ddqn"], ["dueling_ddqn=vary_dueling_ddqn"], "unknown agent"),
        (["ddqn"], ["ddqn=vary_dueling_ddqn"], "is for dueling_ddqn"),
        (["ddqn"], ["ddqn=no_such_space"], "unknown space"),
    ],
)
def test_bad_agents_are_refused(tmp_path, agents, spaces, line):
    with pytest.raises(UserError, match=line):
        plan_of(make_sets(tmp_path / "run").root, agents=agents, spaces=spaces)


def test_a_value_that_is_set_is_that_of_all_agents_and_changes_no_draw(tmp_path):
    run = make_sets(tmp_path / "run").root
    before = plan_of(run)
    values = {"dueling_ddqn.advantage_mean": "batch", "ddqn.tau": 0.5}
    after = plan_of(run, values=values)
    assert len(after.agents) == len(before.agents)
    for old, new in zip(before.agents, after.agents, strict=True):
        was, now = before.job(old), after.job(new)
        own = {"ddqn": {"tau": 0.5}, "dueling_ddqn": {"advantage_mean": "batch"}}
        assert now.agent == replace(was.agent, **own[new.agent])
        assert now.seed == was.seed
    described = {name: s.to_dict()["base"] for name, s in after.sources.items()}
    assert described["ddqn"]["tau"] == 0.5
    assert described["dueling_ddqn"]["dueling_ddqn.advantage_mean"] == "batch"


@pytest.mark.parametrize("spaces", [[], ["ddqn=vary_ddqn"]])
def test_a_wrapped_agent_and_its_wrapping_have_the_same_pairs(tmp_path, spaces):
    run = make_sets(tmp_path / "run").root
    values = {"ddqn_icm.icm_eta": 0.25, "ddqn_icm.tau": 0.5, "ddqn.tau": 0.5}
    plan = plan_of(run, agents=["ddqn_icm", "ddqn"], spaces=spaces, values=values)
    drawn = [
        plan.sources[name].draw(7, pair) for name in plan.sources for pair in (0, 1)
    ]
    for curious, base in zip(drawn[:2], drawn[2:], strict=True):
        assert kind_of(curious.config).name == "ddqn_icm"
        assert asdict(base.config).items() <= asdict(curious.config).items()
        assert curious.drawn == base.drawn
        assert (curious.config.icm_eta, curious.config.tau) == (0.25, 0.5)
    assert drawn[0].drawn != drawn[1].drawn
    described = plan.sources["ddqn_icm"].to_dict()
    assert described["own"]["icm_eta"] == 0.25
    assert json.loads(json.dumps(described)) == described


def test_an_agent_that_wraps_one_of_no_set_is_drawn_from_the_space_of_that(tmp_path):
    run = make_sets(tmp_path / "run").root
    agents = ["dueling_ddqn", "dueling_ddqn_icm"]
    base, curious = plan_of(run, agents=agents).sources.values()
    assert curious.draw(1, 2).drawn == base.draw(1, 2).drawn
    assert curious.to_dict()["drawn"] == "from the space vary_dueling_ddqn"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("lr", 0.5, "--agent-space ddqn_icm=SPACE"),
        ("icm_eta", -1.0, r"icm_eta = -1.0: must be >= 0"),
        ("tau", 5.0, r"tau = 5.0: must be in \(0, 1\]"),
        ("icm_etta", 0.5, "did you mean 'ddqn_icm.icm_eta'"),
    ],
)
def test_a_value_that_a_wrapping_agent_cannot_have_is_refused(
    tmp_path, name, value, line
):
    run = make_sets(tmp_path / "run").root
    with pytest.raises(UserError, match=line):
        plan_of(run, agents=["ddqn_icm"], values={f"ddqn_icm.{name}": value})


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("nes.step_size", 0.5, "only agents are set here, as ddqn.NAME or dueling_"),
        ("tau", 0.5, "only agents are set here"),
        ("td3_discrete.tau", 0.5, "only agents are set here"),
        ("ddqn.train_episodes", 5, "the evaluation decides that"),
        ("ddqn.max_env_steps", 5, "the evaluation decides that"),
        ("dueling_ddqn.lr", 0.5, "the space vary_dueling_ddqn draws that"),
        ("ddqn.lr", 0.5, "every agent draws that; .* --agent-space ddqn=SPACE"),
        ("dueling_ddqn.advantage_mean", "median", "advantage_mean"),
        ("ddqn.tua", 0.5, "did you mean"),
        ("ddqn.tau", "much", "tau"),
        ("dueling_ddqn.tau", 7, "tau"),
    ],
)
def test_a_value_that_cannot_be_set_is_refused(tmp_path, name, value, line):
    with pytest.raises(UserError, match=line):
        plan_of(make_sets(tmp_path / "run").root, values={name: value})


def test_a_space_that_draws_more_than_the_agent_is_refused(tmp_path):
    run = make_sets(tmp_path / "run").root
    with pytest.raises(UserError, match=r"draws nes\..* too: only ddqn\.NAME"):
        plan_of(run, spaces=["ddqn=nes_cartpole"])


def test_what_the_evaluation_decides_is_not_recorded_as_drawn():
    source = FromSpace("ddqn", load_space("ddqn_cartpole"))
    drawn = source.draw(0, 0).drawn
    assert "lr" in drawn
    assert not {"init_episodes", "train_episodes", "max_env_steps"} & set(drawn)


def test_sets_of_different_agents_need_a_space(tmp_path):
    run = make_sets(tmp_path / "run")
    other = replace(CONFIG, agent=replace(AGENT, lr=0.5, max_env_steps=9))
    make_set(run.ses / "other", config=other)
    with pytest.raises(
        UserError, match=r"lr .* 0\.5\): .* --agent-space ddqn=vary_ddqn"
    ):
        plan_of(run.root)
    plan = plan_of(run.root, spaces=["ddqn=vary_ddqn"])
    assert plan.job(plan.agents[0]).agent.lr > 1e-4


def test_the_cap_is_that_of_each_set(tmp_path):
    run = make_sets(tmp_path / "run")
    other = replace(CONFIG, agent=replace(AGENT, max_env_steps=9))
    make_set(run.ses / "other", config=other)
    plan = plan_of(run.root)
    caps = {a.key[1]: plan.job(a).agent.max_env_steps for a in plan.agents}
    assert caps == {None: 0, "varied": 300, "fixed": 300, "other": 9}


TURNS = replace(
    CONFIG,
    agent=replace(AGENT, se_steps=50),
    others=(PPOConfig(se_steps=70, hidden_size=8),),
    se=OneStepConfig(hidden_size=8),
)


def test_every_algorithm_that_a_set_was_learned_with_is_drawn_around_its_own_agent(
    tmp_path,
):
    make_set(tmp_path / "set", config=TURNS)
    plan = plan_of(tmp_path / "set", agents=["ppo", "ddqn", "dueling_ddqn"])
    bases = {name: s.to_dict().get("base") for name, s in plan.sources.items()}
    assert bases["ppo"]["hidden_size"] == bases["ddqn"]["hidden_size"] == 8
    assert (bases["ppo"]["se_steps"], bases["ddqn"]["se_steps"]) == (70, 50)
    assert bases["dueling_ddqn"]["hidden_size"] == 8, "it has all that DDQN has"
    by_agent = {a.agent: plan.job(a) for a in plan.agents if a.train_env != REAL}
    steps = {name: job.agent.max_env_steps for name, job in by_agent.items()}
    assert steps == {"ppo": 70, "ddqn": 50, "dueling_ddqn": 50}


def test_steps_of_a_schedule_are_the_fixed_ones_where_these_are_given(tmp_path):
    make_set(tmp_path / "set", config=TURNS)
    plan = plan_of(tmp_path / "set", Rules(fixed_steps=33), agents=["ddqn", "ppo"])
    for agent in plan.agents:
        job = plan.job(agent)
        assert job.agent.max_env_steps == job.agent.train_episodes == 33
        assert job.agent.se_steps == 33
        assert not job.stop_by_rule
        assert bool(job.schedule) == (agent.train_env != REAL)


def test_agents_of_sets_with_and_without_a_schedule_are_different(tmp_path):
    make_set(tmp_path / "sets/turns", config=TURNS)
    make_set(tmp_path / "sets/plain", config=replace(CONFIG, se=TURNS.se))
    with pytest.raises(UserError, match=r"different ddqn agents \(se_.*steps .*None"):
        plan_of(tmp_path / "sets")


def test_an_agent_without_a_schedule_has_the_settings_of_older_evaluations():
    assert not {"se_steps", "se_init_steps"} & own_values(AGENT).keys()
    scheduled = own_values(replace(AGENT, se_steps=9))
    assert (scheduled["se_steps"], scheduled["se_init_steps"]) == (9, 64)


def test_agents_vary_as_those_did_that_a_set_was_learned_with(tmp_path):
    wide = replace(TURNS, nes=replace(CONFIG.nes, vary_agents=True, vary="wide"))
    make_set(tmp_path / "sets/wide", config=wide)
    sets = used_sets([tmp_path / "sets/wide"], (), False)
    source = agent_sources(["ddqn"], [used.se_set for used in sets])["ddqn"]
    draws = [source.draw(0, pair) for pair in range(40)]
    assert {d.config.activation for d in draws} == {"tanh", "relu", "leaky_relu"}
    assert all(d.drawn["activation"] == d.config.activation for d in draws)
    assert source.to_dict()["drawn"].endswith("(wide)")
    with pytest.raises(UserError, match=r"--set ddqn\.activation: every agent draws"):
        plan_of(tmp_path / "sets", agents=["ddqn"], values={"ddqn.activation": "relu"})
