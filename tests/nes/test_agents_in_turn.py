"""Several algorithms that take turns within one run: `nes.agents`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import se_hpo
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.agents.td3_discrete_config import TD3DiscreteConfig
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import (
    RunConfig,
    from_configuration,
    run_config_from_dict,
    with_configuration,
)
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError
from se_hpo.nes.random_search import run_random_search
from se_hpo.nes.run import run_nes
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_request import resolve_run
from se_hpo.registries import AGENTS
from se_hpo.results.se_set_settings import read_settings
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.paths import SESetPaths, TrialPaths
from se_hpo.train.options import TrainOptions
from se_hpo.train.recipes import load_recipe
from se_hpo.train.request import resolve_request
from tests.helpers.fakes import FakeInnerLoop
from tests.helpers.places import ROOT

CONFIG = RunConfig(
    agent=DDQNConfig(hidden_size=8, test_episodes=2),
    others=(TD3DiscreteConfig(hidden_size=9), AGENTS["ppo"].config(hidden_size=10)),
    se=SyntheticEnvConfig(hidden_size=2),
    nes=NESConfig(population=3, n_center_evaluations=4, stop_when_solved=False),
)
NAMES = ["ddqn", "td3_discrete", "ppo"]


class Spy(FakeInnerLoop):
    """Notes the jobs of each call."""

    def __init__(self, **fake: Any) -> None:
        super().__init__(**fake)
        self.batches: list[list[Any]] = []

    def train_agents(self, jobs):
        self.batches.append(list(jobs))
        return super().train_agents(jobs)


def names_of(jobs: list[Any]) -> list[str]:
    return [algorithm_of(job.agent) for job in jobs]


def run(folder: Path, n: int, **nes: Any) -> Spy:
    spy = Spy()
    config = replace(CONFIG, nes=replace(CONFIG.nes, **nes))
    run_nes(config, 1, TrialPaths(folder), spy, n)
    return spy


def test_members_go_by_the_generation_and_the_center_goes_on_from_there(tmp_path):
    spy = run(tmp_path, 4, n_evaluations=2, common_random_numbers=True)
    for g, jobs in enumerate(spy.batches):
        center, members = jobs[:4], jobs[4:]
        assert names_of(center) == [NAMES[(g + k) % 3] for k in range(4)]
        assert names_of(members) == [NAMES[g % 3]] * (3 * 2 * 2)
        assert {job.seed for job in members} == {job.seed for job in center[:2]}


def test_with_common_random_numbers_members_train_the_same_agents(tmp_path):
    values = {"vary_agents": True, "vary": "wide", "common_random_numbers": True}
    spy = run(tmp_path / "common", 3, **values)
    for jobs in spy.batches:
        assert len({job.agent for job in jobs[4:]}) == 1, "one per evaluation"
        assert jobs[4].agent == jobs[0].agent, "the center's first is the same"
    spy = run(tmp_path / "own", 1, **values | {"common_random_numbers": False})
    assert len({job.agent for job in spy.batches[0][4:]}) == 6


def test_confirmations_are_by_all_of_them(tmp_path):
    class Lucky(Spy):
        def _result(self, job):
            result = super()._result(job)
            return replace(result, test_returns=result.test_returns * 0 + 200)

    spy, nes = Lucky(), replace(CONFIG.nes, n_confirmations=3)
    run_nes(replace(CONFIG, nes=nes), 1, TrialPaths(tmp_path), spy, 2)
    assert names_of(spy.batches[1]) == NAMES
    assert names_of(spy.batches[3]) == [*NAMES[1:], NAMES[0]]


def test_the_first_center_is_chosen_by_as_many_of_them_as_are_trained(tmp_path):
    spy = run(tmp_path, 1, n_initial=2, n_evaluations=3)
    assert names_of(spy.batches[0]) == NAMES * 2
    assert spy.batches[0][0].agent == CONFIG.agent, "nothing varies there"


def test_one_algorithm_is_trained_as_ever(tmp_path):
    spy = Spy()
    run_nes(replace(CONFIG, others=()), 1, TrialPaths(tmp_path), spy, 2)
    assert {algorithm_of(job.agent) for jobs in spy.batches for job in jobs} == {"ddqn"}


def test_a_random_search_trains_all_of_them_in_turn(tmp_path):
    spy = Spy()
    config = replace(CONFIG, nes=replace(CONFIG.nes, n_center_evaluations=5))
    run_random_search(config, 1, TrialPaths(tmp_path), spy, 40)
    *first, last = spy.batches
    candidates = [job for jobs in first for job in jobs]
    assert names_of(candidates) == [NAMES[n % 3] for n in range(len(candidates))]
    finalists = len(last) // 5
    assert names_of(last) == [NAMES[k % 3] for k in range(5)] * finalists


# Written down and read again


def test_they_survive_json_each_with_its_values():
    data = json.loads(json.dumps(CONFIG.to_dict()))
    assert list(data["agents"]) == NAMES[1:]
    assert run_config_from_dict(data) == CONFIG
    alone = replace(CONFIG, others=())
    assert "agents" not in alone.to_dict(), "as it was before there were others"
    assert run_config_from_dict(alone.to_dict()) == alone


def refusal(call: Any, *args: Any) -> str:
    with pytest.raises(UserError) as error:
        call(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_new_one_has_steps_where_the_first_is_given_some():
    start = {"ddqn.se_steps": 80, "nes.agents": "ddqn,td3_discrete,ppo"}
    config = from_configuration(start, "CartPole-v0", "ddqn")
    assert [agent.se_steps for agent in config.agents] == [80, 1000, 8192]
    start = {"ppo.se_steps": 4096, "nes.agents": "ppo,ddqn"}
    config = from_configuration(start, "CartPole-v0", "ddqn")
    assert [agent.se_steps for agent in config.agents] == [4096, None]
    none = {"ddqn.se_steps": None, "nes.agents": "ddqn,ppo"}
    base = RunConfig(agent=DDQNConfig(se_steps=9))
    assert [a.se_steps for a in with_configuration(base, none).agents] == [None, None]


def test_a_horizon_is_refused_where_steps_on_an_se_say_how_long():
    fitness = {"nes.fitness": "area", "nes.horizon": 30, "ddqn.se_steps": 60}
    told = refusal(from_configuration, fitness, "CartPole-v0", "ddqn")
    assert "nes.horizon = 30" in told and "se_steps" in told
    rewards = {**fitness, "rn.kind": "additive_potential"}
    assert from_configuration(rewards, "CartPole-v0", "ddqn").nes.horizon == 30


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        ({"td3_discret": {}}, "unknown agent in agents 'td3_discret': did you mean"),
        ({"ddqn": {}}, "agent ddqn is named twice: keep one"),
        ({"ppo": {"hidden_siz": 3}}, "agents.ppo"),
        ({"ppo": 3}, "agents"),
        (["ppo"], "agents"),
    ],
)
def test_a_file_with_other_things_is_refused_in_one_line(agents, told):
    data = {**CONFIG.to_dict(), "agents": agents}
    assert told in refusal(run_config_from_dict, data)


# Flat names


def test_names_of_them_keep_the_values_that_there_are():
    config = with_configuration(CONFIG, {"nes.agents": "td3_discrete, ddqn"})
    assert config.agents == (CONFIG.others[0], CONFIG.agent)
    both = {"nes.agents": ["ddqn", "ppo"], "ppo.lr": 0.5, "ddqn.lr": 0.25}
    config = from_configuration(both, "CartPole-v0", "ddqn")
    assert (config.agent.lr, config.others[0].lr) == (0.25, 0.5)
    assert config.others[0] == AGENTS["ppo"].config(lr=0.5)


def test_a_new_one_beside_one_of_fixed_steps_has_those_of_its_kind():
    """PPO does not learn at all in the steps of a DDQN."""
    config = from_configuration(
        {"ddqn.se_steps": 700, "nes.agents": "ddqn"}, "CartPole-v0", "ddqn"
    )
    config = with_configuration(config, {"nes.agents": "ddqn,td3_discrete,ppo"})
    assert [agent.se_steps for agent in config.agents] == [700, 1000, 8192]
    config = with_configuration(config, {"nes.agents": "ddqn,ppo", "ppo.se_steps": 5})
    assert [agent.se_steps for agent in config.agents] == [700, 5]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ddqn,ppoo", "nes.agents: unknown agent 'ppoo': did you mean 'ppo'"),
        ("ddqn,ddqn", "agent ddqn is named twice"),
        *[(bad, "must be names such as") for bad in ("", ",", None, 3, True, [], [1])],
        ({"ddqn": {}}, "must be names such as"),
    ],
)
def test_what_names_no_agents_is_refused_in_one_line(value, told):
    assert told in refusal(with_configuration, CONFIG, {"nes.agents": value})


def test_values_of_an_algorithm_that_takes_no_turn_are_refused():
    values = {"nes.agents": "ddqn,ppo", "td3_discrete.lr": 0.1}
    told = refusal(with_configuration, replace(CONFIG, others=()), values)
    assert "td3_discrete.lr" in told


# Commands

RECIPE = """
task: CartPole-v0
generations: 2
agent: {se_steps: 70, batch_size: 8, hidden_size: 8, hidden_layers: 1, test_episodes: 1}
agents:
  td3_discrete: {se_steps: 66, batch_size: 8, hidden_size: 8, test_episodes: 1}
se: {kind: one_step, hidden_size: 4}
nes: {strategy: snes, population: 2, n_center_evaluations: 2, stop_when_solved: false,
      vary_agents: true, vary: wide, best_window: 2}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def test_a_recipe_s_section_is_trained_and_stands_in_the_set(recipe, tmp_path):
    trained = se_hpo.train.run(config=recipe, out=str(tmp_path / "set"), num_envs=1)
    config = read_settings(SESetPaths(Path(trained.folder))).config
    assert config == replace(load_recipe(recipe).config, nes=config.nes)
    assert [agent.se_steps for agent in config.agents] == [70, 66]
    frame = trained.generations()
    # Center: one agent of each; members: those whose turn it is.
    assert frame.env_steps_se.tolist() == [70 + 66 + 2 * 70, 70 + 66 + 2 * 66]
    again = se_hpo.train.run(config=recipe, out=str(tmp_path / "set"), num_envs=1)
    assert again.ses().equals(trained.ses()), "it is continued"


def request(recipe: Path, *values: str, **flags: Any) -> Any:
    return resolve_request(TrainOptions(config=str(recipe), set=values, **flags))


def test_a_command_line_names_them(recipe):
    config = request(
        recipe, "nes.agents=ppo,td3_discrete", "ppo.lr=0.5"
    ).settings.config
    assert [algorithm_of(agent) for agent in config.agents] == ["ppo", "td3_discrete"]
    assert (config.agent.lr, config.agent.se_steps) == (0.5, 8192)
    assert config.others[0].se_steps == 66


def test_one_for_other_actions_is_refused_with_those_that_can(recipe):
    told = refusal(request, recipe, "nes.agents=ddqn,td3")
    assert "agent 'td3' takes continuous actions" in told and "td3_discrete" in told
    recipe.write_text(RECIPE.replace("CartPole-v0", "Pendulum-v1"))
    told = refusal(request, recipe)
    assert "agent 'ddqn' takes discrete actions" in told and "td3" in told


def test_the_engine_is_one_that_can_train_all_of_them(recipe):
    """Not the native one because the first of them is there."""
    settings = request(recipe, "nes.agents=ddqn,ddqn_icm").settings
    assert settings.engine == "torch"
    told = refusal(lambda: request(recipe, "nes.agents=ddqn,ddqn_icm", engine="native"))
    assert "native" in told


def test_train_refuses_no_number_of_steps_with_exit_2(recipe):
    assert "se_steps = 'many'" in refusal(request, recipe, "ddqn.se_steps=many")
    command = [sys.executable, "-m", "se_hpo.train", "--config", str(recipe), "--set"]
    done = subprocess.run(
        [*command, "ddqn.se_steps=0"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2
    assert "DDQNConfig.se_steps = 0: must be >= 1, or null" in done.stderr
    assert done.stderr.strip().count("\n") == 0


SPACE = """
from ConfigSpace import ConfigurationSpace

META = dict(objective="nes", task="CartPole-v0", agent="ddqn", min_budget=1,
            max_budget=9, eta=3, base={"nes.agents": "ddqn,AGENT", "AGENT.tau": 0.5})

def space(seed=None):
    names = {"nes.noise_std": (0.01, 1.0), "AGENT.lr": (1e-4, 1e-2)}
    return ConfigurationSpace(names, seed=seed)
"""


def space_of(folder: Path, agent: str) -> Path:
    path = folder / "mine.py"
    path.write_text(SPACE.replace("AGENT", agent))
    return path


def test_a_set_is_not_continued_by_agents_in_another_order(recipe, tmp_path):
    ppo = "  ppo: {se_steps: 64, se_init_steps: 8, rollout_steps: 32, hidden_size: 8}\n"
    at, end = RECIPE.index("  td3_discrete:"), RECIPE.index("se: {")
    recipe.write_text(RECIPE[:end] + ppo + RECIPE[end:])
    out = str(tmp_path / "set")
    se_hpo.train.run(config=recipe, out=out, num_envs=1)
    recipe.write_text(RECIPE[:at] + ppo + RECIPE[at:])
    told = refusal(lambda: se_hpo.train.run(config=recipe, out=out, num_envs=1))
    assert "order td3_discrete, ppo -> ppo, td3_discrete" in told


@pytest.mark.parametrize(
    "values, told",
    [
        (["ddqn.se_steps=64"], "ddqn.se_init_steps = 64: give 65 steps or more"),
        (["td3_discrete.se_init_steps=66"], "td3_discrete.se_steps = 66"),
        (
            ["nes.agents=ddqn,ppo", "ppo.se_steps=2000"],
            "ppo.rollout_steps = 2048: give 2048",
        ),
    ],
)
def test_an_agent_that_would_never_learn_is_refused(recipe, values, told):
    assert told in refusal(request, recipe, *values)
    request(recipe, "nes.agents=ddqn,ppo", "ppo.se_steps=2048")
    request(recipe, "ddqn.se_steps=65")


def test_on_a_reward_network_steps_on_ses_are_of_no_account(recipe):
    text = RECIPE.replace("se: {kind: one_step", "rn: {kind: additive_potential")
    recipe.write_text(text)
    request(recipe, "ddqn.se_steps=3")


def test_a_search_space_may_have_them_in_its_base(tmp_path):
    path = space_of(tmp_path, "td3_discrete")
    config = load_space(path).resolve({"td3_discrete.lr": 0.003})
    assert config.others == (TD3DiscreteConfig(tau=0.5, lr=0.003),)
    settings = resolve_run(Options(run=tmp_path / "run"), load_space(path)).settings
    assert settings.base["nes.agents"] == "ddqn,td3_discrete"


SEARCHED = """
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float

META = dict(objective="nes", task="CartPole-v0", agent="ddqn", min_budget=1,
            max_budget=9, eta=3, base={})

def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    agents = Categorical("nes.agents", ["ddqn", "ddqn,AGENT"])
    lr = Float("AGENT.tau", (0.1, 0.5))
    cs.add([agents, lr, EqualsCondition(lr, agents, "ddqn,AGENT")])
    return cs
"""


@pytest.mark.parametrize(
    "agent, engine", [("td3_discrete", "native"), ("ddqn_icm", "torch")]
)
def test_a_search_over_agents_tunes_them_by_an_engine_that_has_all(
    tmp_path, agent, engine
):
    path = tmp_path / "mine.py"
    path.write_text(SEARCHED.replace("AGENT", agent))
    settings = resolve_run(Options(run=tmp_path / "run"), load_space(path)).settings
    assert settings.engine == engine


def test_a_space_with_one_for_other_actions_is_refused(tmp_path):
    told = refusal(load_space, space_of(tmp_path, "td3"))
    assert "mine.py" in told and "takes continuous actions" in told
