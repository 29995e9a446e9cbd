"""Agents on SEs whose own agents had a fixed number of steps; and on old SEs."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.errors import UserError
from se_hpo.evaluate.agent_draws import OF_PHASE_2
from se_hpo.evaluate.chosen_sets import used_sets
from se_hpo.evaluate.drawn_agents import agent_sources
from se_hpo.evaluate.evaluation import Evaluation
from se_hpo.evaluate.evaluation_files import EvaluationFiles
from se_hpo.evaluate.plan import Plan, Rules
from se_hpo.names import REAL
from se_hpo.nes.folder import _YOUNGER, fingerprint
from se_hpo.registries import AGENTS
from se_hpo.results.se_set_settings import SetSettings, settings_from_set
from se_hpo.storage.files import write_json
from se_hpo.train.set_folder import check_set, open_set
from tests.helpers.fake_sets import CONFIG as OLD
from tests.helpers.fake_sets import make_set

NEW = RunConfig(
    agent=DDQNConfig(se_steps=70, hidden_size=8, batch_size=8),
    others=(TD3DiscreteConfig(se_steps=66, hidden_size=9),),
    se=OneStepConfig(hidden_size=4),
    nes=replace(OLD.nes, vary="wide", strategy="snes", best_window=3),
)
ALL = ("ddqn", "td3_discrete", "dueling_ddqn", "ppo")


def plan_of(root, rules=None, agents=ALL, spaces=(), **values):
    sets = used_sets([root], (), False)
    used = [used.se_set for used in sets]
    sources = agent_sources(agents, used, spaces, values)
    return Plan(rules or Rules(num_agents=2), sets, sources)


@pytest.fixture
def new(tmp_path):
    return make_set(tmp_path / "varied", config=NEW).root


def settings_of(plan):
    engines = dict.fromkeys(plan.sources, "native")
    files = EvaluationFiles(Path("phase2.jsonl"))
    return Evaluation(plan, "auto", engines, files, None, (1, 1), 1).settings()


def steps_on_ses(plan):
    jobs = [(a.agent, plan.job(a)) for a in plan.agents if a.train_env != REAL]
    assert not any(job.stop_by_rule for _, job in jobs)
    assert all(job.agent.max_env_steps == job.agent.se_steps for _, job in jobs)
    assert all(job.agent.train_episodes == job.agent.se_steps for _, job in jobs)
    return {name: job.agent.max_env_steps for name, job in jobs}


def test_an_algorithm_of_the_set_has_its_steps_and_another_those_of_its_kind(new):
    # Dueling DDQN has all that DDQN has, and so also its values, as ever.
    expected = {"ddqn": 70, "td3_discrete": 66, "dueling_ddqn": 70, "ppo": 8192}
    assert steps_on_ses(plan_of(new)) == expected
    assert steps_on_ses(plan_of(new, **{"ppo.se_steps": 5}))["ppo"] == 5
    fixed = plan_of(new, Rules(num_agents=2, fixed_steps=777))
    assert steps_on_ses(fixed) == dict.fromkeys(ALL, 777)


def test_from_a_space_or_a_file_they_have_the_steps_of_their_kind_too(new, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("lr: 0.5\n")
    spaces = [
        "ddqn=vary_ddqn",
        f"td3_discrete={file}",
        "dueling_ddqn=vary_dueling_ddqn",
    ]
    expected = {"ddqn": 1000, "td3_discrete": 1000, "dueling_ddqn": 1000}
    assert steps_on_ses(plan_of(new, None, list(expected), spaces)) == expected
    file.write_text("se_steps: 9\n")
    assert steps_on_ses(plan_of(new, None, ["td3_discrete"], spaces[1:2])) == {
        "td3_discrete": 9
    }
    old = make_set(tmp_path / "old/varied", config=OLD).root
    source = plan_of(old, None, ["ddqn"], spaces[:1]).sources["ddqn"]
    assert "se_steps" not in json.dumps(source.to_dict())
    assert source.draw(0, 0).config.se_steps is None


def test_on_the_task_they_are_trained_as_ever(new):
    plan = plan_of(new)
    jobs = [plan.job(a) for a in plan.agents if a.train_env == REAL]
    assert len(jobs) == 4 * 2 * 2
    for job in jobs:
        assert (job.stop_by_rule, job.schedule) == (True, 0)
        assert (job.agent.max_env_steps, job.agent.train_episodes) == (0, 1000)


def test_a_set_with_wide_draws_has_wide_draws_of_every_algorithm(new):
    plan = plan_of(new, agents=[*ALL, "ddqn_icm"])
    for name, source in plan.sources.items():
        draws = [source.draw(0, pair) for pair in range(60)]
        counts = Counter(draw.drawn["activation"] for draw in draws)
        assert set(counts) == {"tanh", "relu", "leaky_relu"}, name
        assert {algorithm_of(draw.config) for draw in draws} == {name}
        assert all(d.config.activation == d.drawn["activation"] for d in draws)
        assert source.to_dict()["drawn"].endswith("(wide)")


def test_a_pair_has_the_same_draws_on_the_se_and_on_the_task(new):
    plan = plan_of(new)
    found = {}
    for agent in plan.agents:
        job = plan.job(agent)
        drawn = [
            getattr(job.agent, name) for name in ("lr", "activation", "hidden_size")
        ]
        assert found.setdefault((agent.agent, agent.pair), drawn) == drawn
    assert len(found) == 4 * 2 * 2


def test_two_sets_with_other_steps_of_an_algorithm_are_refused(new, tmp_path):
    more = replace(NEW, others=(replace(NEW.others[0], se_steps=67),))
    make_set(tmp_path / "fixed", "se_fixed", config=more)
    with pytest.raises(
        UserError, match=r"td3_discrete agents \(se_steps 6[67] and 6[67]\)"
    ):
        plan_of(tmp_path)
    plan_of(tmp_path, agents=["ddqn"])


# What was begun before there were such things


def old_values(config):
    """A configuration as it was written then."""
    values = json.loads(json.dumps(config.to_dict()))
    for part, name, _ in _YOUNGER:
        values[part].pop(name, None)
    return values


def test_on_an_old_set_nothing_is_drawn_or_written_that_was_not_before(tmp_path):
    root = make_set(tmp_path / "varied", config=OLD).root
    plan = plan_of(root, agents=["ddqn", "dueling_ddqn", "ppo"])
    source = plan.sources["ddqn"]
    assert source.to_dict()["drawn"] == "around the agent of the sets"
    drawn = set(source.draw(0, 3).drawn)
    assert drawn == {"lr", "batch_size", "hidden_size", "hidden_layers"}
    assert source.draw(0, 3).config.activation == OLD.agent.activation
    assert "se_steps" not in json.dumps(settings_of(plan))
    assert "se_init_steps" not in json.dumps(settings_of(plan))
    for agent in plan.agents:
        job = plan.job(agent)
        assert (job.schedule, job.stop_by_rule) == (0, True)


def test_an_evaluation_begun_before_is_continued(tmp_path):
    plan = plan_of(make_set(tmp_path / "varied", config=OLD).root, agents=["ddqn"])
    files = EvaluationFiles(tmp_path / "phase2.jsonl")
    with files.opened(settings_of(plan), ["se_varied"]):
        pass
    header = json.loads((tmp_path / "phase2.json").read_text())
    base = header["settings"]["agents"]["ddqn"]["base"]
    young = ("se_steps", "se_init_steps")
    values = {
        k: v for k, v in asdict(OLD.agent).items() if k not in (*OF_PHASE_2, *young)
    }
    assert base == values, "as an older version wrote it"
    values["tau"] = 0.5
    header["settings"]["agents"]["ddqn"]["base"] = values
    write_json(tmp_path / "phase2.json", header)
    with pytest.raises(UserError, match=r"base.tau 0.5 -> 0.01\."):
        files.check(settings_of(plan))


def test_a_set_begun_before_is_continued_and_not_with_new_things(tmp_path):
    paths = make_set(tmp_path / "varied", config=OLD)
    settings = SetSettings("se_varied", OLD, 0, 3, "native")
    data = json.loads(paths.set.read_text())
    old = {**data, "engine": "native", "config": old_values(OLD)}
    write_json(paths.set, old)
    assert settings_from_set(paths, old).config == OLD
    open_set(paths, settings, 2, {})
    assert check_set(paths, settings)
    for config, told in [
        (replace(OLD, nes=NEW.nes), "nes.vary"),
        (
            replace(OLD, agent=replace(OLD.agent, se_steps=5)),
            "agent.se_steps null -> 5",
        ),
        (replace(OLD, others=NEW.others), "agents"),
    ]:
        with pytest.raises(UserError) as error:
            check_set(paths, replace(settings, config=config))
        assert told in str(error.value) and "\n" not in str(error.value)


def test_the_fingerprint_of_a_run_is_what_it_was_and_new_things_change_it():
    values = old_values(OLD)
    data = json.dumps([values, 7, "native"], sort_keys=True)
    was = hashlib.sha256(data.encode()).hexdigest()
    assert fingerprint(OLD, 7, "native") == was
    others = [
        replace(OLD, agent=replace(OLD.agent, se_steps=5)),
        replace(OLD, agent=replace(OLD.agent, se_init_steps=5)),
        replace(OLD, others=(AGENTS["ppo"].config(),)),
        replace(OLD, nes=replace(OLD.nes, vary="wide")),
        replace(OLD, nes=replace(OLD.nes, best_window=2)),
        replace(OLD, nes=replace(OLD.nes, restart_after=2)),
    ]
    assert len({was, *(fingerprint(c, 7, "native") for c in others)}) == 7
