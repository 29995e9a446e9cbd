"""What a plan says is what agents take on cores of their own, whatever else runs."""

import dataclasses

import pytest

from se_hpo.nes.generation import inner_loop_job, random_psi
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.text import busy_note
from se_hpo.train.plan import seconds_per_agent
from se_hpo.train.recipes import load_recipe
from se_hpo.training import inner_loop
from se_hpo.training.inner_loop import AgentSeconds, InnerLoop, time_agents
from tests.helpers.engine_jobs import needs_engine


def jobs(name: str, n: int):
    config = load_recipe(name).config
    return [inner_loop_job(config, random_psi(config, s), s, s) for s in range(n)]


@needs_engine
@pytest.mark.parametrize("name", ["cartpole-any", "acrobot-any"])
def test_one_step_ses_cost_what_was_planned(name: str):
    planned = time_agents("native", jobs(name, 6), 2)
    with InnerLoop("native", 2) as loop:
        before = loop.cpu_seconds()
        results = loop.train_agents(jobs(name, 24))
        taken = (loop.cpu_seconds() - before) / 24
    assert planned.cpu / 2 < taken < 2 * planned.cpu
    steps = sum(result.env_steps for result in results) / len(results)
    assert planned.env_steps == pytest.approx(steps, rel=0.5)


def test_a_busy_machine_makes_wall_time_longer_and_not_the_plan():
    seconds = AgentSeconds(cpu=0.5, wall=2.0, env_steps=10)
    assert seconds.slowed == 4.0
    assert "4.0 times as long" in busy_note(seconds.slowed)
    assert busy_note(AgentSeconds(0.5, 0.5, 10).slowed) == ""


def test_random_ses_that_end_early_do_not_make_agents_look_cheap(monkeypatch):
    config = load_recipe("cartpole").config
    assert config.agent.max_env_steps == 6000
    settings = SetSettings("se_fixed", config, 0, 5, "native")
    measured = AgentSeconds(0.01, 0.02, env_steps=60.0)
    monkeypatch.setattr("se_hpo.train.plan.time_agents", lambda *a: measured)
    assert seconds_per_agent(settings, 1).cpu == pytest.approx(1.0)
    free = dataclasses.replace(config.agent, max_env_steps=0)
    unlimited = dataclasses.replace(config, agent=free)
    settings = dataclasses.replace(settings, config=unlimited)
    assert seconds_per_agent(settings, 1) == measured
    assert inner_loop.time_agents is time_agents
