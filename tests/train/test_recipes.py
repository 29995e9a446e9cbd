"""Recipes: the shipped ones hold the paper's settings, users' files are checked."""

import sys
from dataclasses import asdict, replace

import pytest

from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.config.overrides import parse_value
from se_hpo.config.run import RunConfig
from se_hpo.envs.controllers import own_name
from se_hpo.errors import UserError
from se_hpo.train.recipes import list_recipes, load_recipe
from tests.helpers.places import EXPERIMENTS


def recipe_file(tmp_path, text):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", list_recipes())
def test_every_shipped_recipe_loads_under_its_name(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    task = own_name(recipe.config.task).partition("-")[0].lower()
    names = {task, {"mountaincarcontinuous": "cmc"}.get(task, task)}
    assert names & {*name.split("-"), name.removesuffix("-any").replace("-", "")}
    assert recipe.generations >= 1
    varied = name.endswith("-any")  # of all others the command decides that
    assert recipe.config.nes.vary_agents == varied


@pytest.mark.parametrize(
    ("name", "task"),
    [("paper-cartpole", "CartPole-v0"), ("paper-acrobot", "Acrobot-v1")],
)
def test_the_papers_untuned_settings_are_the_defaults_of_the_package(name, task):
    recipe = load_recipe(name)
    agent = replace(recipe.config.agent, truncation=DDQNConfig().truncation)
    assert replace(recipe.config, agent=agent) == RunConfig(task=task)
    assert recipe.config.agent.truncation == "terminal", "as in the authors' code"
    assert recipe.config.agent.init_episodes == 10
    assert recipe.config.nes.n_center_evaluations == 16
    assert recipe.generations == 50


@pytest.mark.parametrize(
    ("name", "noise", "step", "init", "batch"),
    [
        ("paper-cartpole-tuned", 0.0124, 0.148, 1, 199),
        ("paper-acrobot-tuned", 0.0114, 0.727, 20, 149),
    ],
)
def test_the_papers_tuned_runs_never_stop_early(name, noise, step, init, batch):
    recipe = load_recipe(name)
    nes, agent = recipe.config.nes, recipe.config.agent
    assert (nes.noise_std, nes.step_size) == (noise, step)
    assert (agent.init_episodes, agent.batch_size) == (init, batch)
    assert not nes.stop_when_solved
    assert recipe.generations == 200


def test_experiments_take_their_settings_from_the_recipes(monkeypatch):
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    for name in ("paper_settings", "time_to_solve"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import paper_settings
    import time_to_solve

    for name in ("cartpole", "acrobot"):
        config = load_recipe(name).config
        assert time_to_solve.SETTINGS[name] == config
        tuned = load_recipe(f"paper-{name}-tuned").config
        agent = getattr(paper_settings, f"{name.upper()}_AGENT")
        own = {"init_episodes", "truncation"}
        mine = {k: v for k, v in asdict(agent).items() if k not in own}
        theirs = {k: v for k, v in asdict(tuned.agent).items() if k not in own}
        assert mine == theirs
        assert getattr(paper_settings, f"{name.upper()}_SE") == tuned.se


def test_a_users_file_may_leave_out_everything_but_what_it_changes(tmp_path):
    text = "agent: {algorithm: td3_discrete, lr: 1e-3}\nnes:\n  population: 4\nse:\n"
    recipe = load_recipe(recipe_file(tmp_path, text))
    assert recipe.name == "own"
    assert recipe.config.agent == TD3DiscreteConfig(lr=0.001)
    assert recipe.config.nes.population == 4
    assert recipe.config.se == RunConfig().se
    assert recipe.generations == 50
    assert load_recipe(recipe_file(tmp_path, "")).config == RunConfig()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsak: CartPole-v0", "unknown key 'tsak'.*did you mean 'task'"),
        ("nes: {populaton: 4}", "'nes.populaton'.*did you mean 'population'"),
        ("nes: {population: 4, population: 5}", "'population' is given twice"),
        ("nes: {population: four}", "nes.population = 'four'.*type int"),
        ("nes: {population: 0}", "NESConfig.population = 0.*>= 1"),
        ("nes: [1]", "nes must be a mapping"),
        ("- 1", "a recipe must be a mapping"),
        ("agent: {algorithm: dqn}", "agent.algorithm 'dqn'.*'ddqn'"),
        ("agent: {algorithm: [ddqn]}", "agent.algorithm"),
        ("task: CartPole-v9", "CartPole-v9"),
        ("task: 3", "task = 3"),
        ("generations: 0", "generations = 0"),
        ("generations: 1.5", "generations = 1.5"),
        ("nes: {population: 4", "is no YAML"),
        ("!!python/object/apply:os.system ['true']", "is no YAML"),
        ("\x00", "is no YAML"),
        ("task: 2020-13-99", "unknown task .2020-13-99."),
        pytest.param("nes: " + "[" * 3000, "is no YAML", id="nested too deep"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_in_one_line(
    tmp_path, text, message
):
    path = recipe_file(tmp_path, text)
    with pytest.raises(UserError, match=message) as refused:
        load_recipe(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cartpol", "did you mean 'cartpole'"),
        ("my/own.yaml", "my/own.yaml: no such file"),
        ("own.yml", "own.yml: no such file"),
    ],
)
def test_a_recipe_that_is_not_there_is_named(name, message):
    with pytest.raises(UserError, match=message):
        load_recipe(name)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UserError, match="cannot be read"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("-2.5E4", -2.5e4),
        ("2e5", 2e5),
        ("16", 16),
        ("true", True),
        ("tanh", "tanh"),
        ("1e", "1e"),
        ("{", "{"),
        ("e5", "e5"),
    ],
)
def test_a_value_on_the_command_line_reads_as_in_a_recipe(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)
