"""What every registered agent keeps to, and that one of a user's own is known too."""

import json
import pickle
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pytest

from se_hpo.agents import AGENTS, agent_label, kind_of, register_agent
from se_hpo.agents.config import AgentConfig
from se_hpo.config.run import RunConfig, from_configuration, run_config_from_dict
from se_hpo.config.variation import FACTOR, vary_agent
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.evaluate.drawn_agents import agent_sources
from se_hpo.figures.style import agents_in
from se_hpo.search_spaces.loading import list_spaces, load_space
from se_hpo.training import native_engine
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.engine_jobs import needs_engine
from tests.helpers.places import ROOT

DOCS = ROOT / "docs" / "agents.md"
QUICK = {"batch_size": 8, "hidden_size": 8, "init_episodes": 1, "test_episodes": 2}
STEPS = 120
TASKS = ("CartPole-v0", "Cliff-v0", "Pendulum-v1")

every_agent = pytest.mark.parametrize("name", AGENTS)
own = [n for n in AGENTS if not (AGENTS[n].wraps or n.startswith("sb3:"))]
native = [name for name, kind in AGENTS.items() if kind.native]


def quick_job(name: str, seed: int = 0) -> TrainingJob:
    config = AGENTS[name].config(max_env_steps=STEPS)
    own = {key: value for key, value in QUICK.items() if hasattr(config, key)}
    return TrainingJob(task_for(name), replace(config, **own), seed, stop_by_rule=False)


def task_for(name: str) -> str:
    """A task that the agent can take."""
    specs = [get_task(task) for task in TASKS]
    takes = AGENTS[name].takes
    return next(s.id for s in specs if takes(s.continuous, s.discrete_obs))


def as_bytes(result):
    return [getattr(result, f.name) for f in fields(result) if f.name != "stop_reason"]


@every_agent
def test_every_field_has_a_flat_name_and_survives_json(name):
    config = AGENTS[name].config()
    for field, value in asdict(config).items():
        made = from_configuration({f"{name}.{field}": value}, "CartPole-v0", name)
        assert made.agent == config, field
    data = json.loads(json.dumps(RunConfig(agent=config).to_dict()))
    assert data["agent"]["algorithm"] == name
    assert run_config_from_dict(data).agent == config


@every_agent
def test_an_agent_has_a_label_of_its_own_and_a_row_in_the_docs(name):
    kind = AGENTS[name]
    assert agent_label(name) == kind.label
    assert [k.label for k in AGENTS.values()].count(kind.label) == 1
    row = next(r for r in DOCS.read_text().splitlines() if r.startswith(f"| `{name}`"))
    assert row.startswith(f"| `{name}` | {kind.label} |")
    assert kind.config.__name__ in row
    assert row.endswith("| yes |" if kind.native else "| no |")


@pytest.mark.parametrize("name", own)
def test_an_agent_has_a_space_of_its_own_and_one_to_be_varied_by(name):
    spaces = {space: load_space(space) for space in list_spaces()}
    own = {key for key, space in spaces.items() if space.agent == name}
    assert f"vary_{name}" in own
    drawn = set(spaces[f"vary_{name}"].configuration_space())
    assert drawn == {f"{name}.{field}" for field in AGENTS[name].varied}
    assert own - {f"vary_{name}"}


@every_agent
def test_varied_fields_stay_in_their_range_and_all_others_as_they_are(name):
    base, rng = AGENTS[name].config(), np.random.default_rng(3)
    ranges = AGENTS[name].varied_ranges
    assert set(ranges) <= set(AGENTS[name].varied)
    drawn = [asdict(vary_agent(base, rng)) for _ in range(200)]
    for field, value in asdict(base).items():
        if field not in AGENTS[name].varied:
            assert all(config[field] == value for config in drawn), field
            continue
        values = {config[field] for config in drawn}
        if field == "hidden_layers":
            assert values == {max(1, value - 1), value, value + 1}
        else:
            low, high = ranges.get(field, (value / FACTOR, value * FACTOR))
            assert min(values) >= (int(low) if isinstance(value, int) else low), field
            assert max(values) <= high, field
            assert len(values) > 50, field


@every_agent
def test_torch_trains_it_and_the_same_job_gives_the_same_bytes(name):
    first, again, other = (run_job(quick_job(name, seed)) for seed in (0, 0, 1))
    assert (first.env_steps, first.stop_reason) == (STEPS, "max_env_steps")
    for a, b in zip(as_bytes(first), as_bytes(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.episode_returns, other.episode_returns)


@needs_engine
@pytest.mark.parametrize("name", native)
def test_the_native_engine_trains_it_as_far_and_tests_it_as_often(name):
    torch, (ours,) = (
        run_job(quick_job(name)),
        native_engine.train_agents([quick_job(name)]),
    )
    assert (ours.env_steps, ours.stop_reason) == (torch.env_steps, torch.stop_reason)
    assert ours.test_returns.shape == torch.test_returns.shape
    again = native_engine.train_agents([quick_job(name)])[0]
    for a, b in zip(as_bytes(ours), as_bytes(again), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_engine
def test_the_native_engine_has_the_agents_that_say_so():
    assert set(native_engine._engine.algorithms()) == set(native)


@every_agent
def test_a_job_survives_the_way_to_another_process(name):
    job = quick_job(name)
    assert pickle.loads(pickle.dumps(job)) == job
    assert kind_of(job.agent) is AGENTS[name]


MINE = """
from dataclasses import dataclass

from se_hpo.agents import register_agent
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.ddqn import DDQN
from se_hpo.agents.ddqn_config import DDQNConfig


@dataclass(frozen=True)
class MyConfig(DDQNConfig):
    bonus: float = 0.5


register_agent("mine", MyConfig, DDQN, label="My agent", varied=("bonus", "lr"))
"""
MY_SPACE = '''"""Agents of my own."""
import my_registered_agent  # noqa: F401
from ConfigSpace import ConfigurationSpace, Float

META = {
    "objective": "agent",
    "task": "CartPole-v0",
    "agent": "mine",
    "min_budget": 1,
    "max_budget": 3,
    "eta": 3,
    "base": {},
}


def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    cs.add(Float("mine.bonus", (0.1, 0.9)))
    return cs
'''


@pytest.fixture
def my_space(tmp_path, monkeypatch):
    """A space whose file registers an agent; nothing of it stays."""
    (tmp_path / "my_registered_agent.py").write_text(MINE)
    (tmp_path / "mine.py").write_text(MY_SPACE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(AGENTS, "mine", AGENTS["ddqn"])  # undone afterwards
    del AGENTS["mine"]
    return tmp_path / "mine.py"


def test_an_agent_registered_by_a_space_is_known_everywhere(my_space):
    (source,) = agent_sources(["mine"], [], [f"mine={my_space}"]).values()
    config, drawn = source.draw(seed=0, pair=0)
    assert set(drawn) == {"bonus"}
    varied = vary_agent(config, np.random.default_rng(0))
    assert replace(varied, bonus=config.bonus, lr=config.lr) == config
    assert varied.bonus != config.bonus
    assert agents_in(["zzz", "mine", "ddqn"]) == ["ddqn", "mine", "zzz"]
    assert agent_label("mine") == "My agent"
    assert agent_label("zzz") == "zzz"
    job = replace(quick_job("ddqn"), agent=replace(config, max_env_steps=30))
    assert InnerLoop("auto").engine_for(job) == "torch"
    assert InnerLoop("auto").train_agents([job])[0].env_steps == 30


class Alternating:
    """No network, no random number: it goes left and right in turn."""

    def __init__(self, config, obs_size, n_actions, seed):
        self.n_actions, self.steps = n_actions, 0

    def act(self, state):
        self.steps += 1
        return self.steps % self.n_actions

    act_greedily = act

    def start_episode(self, episode):
        pass

    remember = update = lambda self, *_: None


@dataclass(frozen=True)
class AlternatingConfig(AgentConfig):
    """Nothing of its own."""


def test_an_agent_without_networks_needs_none_of_their_hyperparameters(monkeypatch):
    monkeypatch.setitem(AGENTS, "alternating", AGENTS["ddqn"])  # undone afterwards
    register_agent("alternating", AlternatingConfig, Alternating)
    config = AlternatingConfig(max_env_steps=50, test_episodes=3)
    assert kind_of(config).varied == ()
    assert vary_agent(config, np.random.default_rng(0)) == config
    result = InnerLoop("auto").train_agents([TrainingJob("CartPole-v0", config, 0)])[0]
    assert (result.env_steps, len(result.test_returns)) == (50, 3)


def test_a_configuration_of_no_registered_agent_is_refused_with_the_mend():
    class Stray(AgentConfig):
        pass

    with pytest.raises(UserError, match=r"Stray.*register_agent"):
        kind_of(Stray())
    with pytest.raises(UserError, match="did you mean 'ddqn'"):
        from_configuration({}, "CartPole-v0", "dqn")
