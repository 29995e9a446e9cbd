"""Stable-Baselines3's agents as ours: its defaults, its loop, our steps and seeds."""

import inspect
import random
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from se_hpo.agents import AGENTS, make_agent
from se_hpo.agents.sb3_config import SB3Config, SB3TD3
from se_hpo.config.run import from_configuration
from se_hpo.envs.checkpoint import load_se
from se_hpo.envs.learned import LearnedEnv
from se_hpo.errors import UserError
from se_hpo.training.jobs import TrainingJob
from se_hpo.training.torch_engine import run_job
from tests.helpers.places import DATA

sb3 = pytest.importorskip("stable_baselines3", reason="the extra sb3 is missing")

NAMES = [name for name in AGENTS if name.startswith("sb3:")]
ON_CARTPOLE = ["sb3:A2C", "sb3:DQN", "sb3:PPO"]
every_algorithm = pytest.mark.parametrize("name", NAMES)
on_cartpole = pytest.mark.parametrize("name", ON_CARTPOLE)


def config(name: str, **values) -> SB3Config:
    """By flat names; `__` stands for a dot."""
    flat = {f"{name}.{key.replace('__', '.')}": value for key, value in values.items()}
    return from_configuration(flat, "CartPole-v0", name).agent


def agent(name: str, **values):
    """One for states of 4 numbers and 2 actions."""
    kind = AGENTS[name]
    more = {} if "discrete" in kind.actions else {"continuous": True}
    return kind.config and make(config(name, **values), more)


def make(agent_config, more):
    return make_agent(agent_config, 4, 2, 0, **more)


def job(name: str, se: str | None = None, steps: int = 250, **values) -> TrainingJob:
    if se:
        found = load_se(DATA / se)
        se = LearnedEnv(found.se_config, found.psi)
    values = {"max_env_steps": steps, "test_episodes": 2, "hidden_size": 16, **values}
    return TrainingJob("CartPole-v0", config(name, **values), 3, se)


def shapes(model):
    return [tuple(p.shape) for p in model.policy.parameters()]


@every_algorithm
def test_defaults_are_stable_baselines3s(name):
    ours = agent(name)
    algorithm = getattr(sb3, name[4:])
    defaults = inspect.signature(algorithm).parameters
    for field in ("learning_rate", "batch_size", "gamma"):
        assert hasattr(ours.config, field) == (field in defaults)
        if field in defaults:
            assert getattr(ours.config, field) == defaults[field].default
    plain = algorithm("MlpPolicy", ours._model.env, device="cpu")
    assert shapes(ours._model) == shapes(plain)
    told = {*ours.arguments} - {"policy_kwargs", "device", "replay_buffer_class"}
    for field in told - {"replay_buffer_kwargs", "buffer_size"}:
        assert getattr(plain, field) == getattr(ours._model, field), field


def test_the_second_layer_of_td3_is_narrower_whatever_the_first_is():
    assert SB3TD3().net_arch == [400, 300]
    assert SB3TD3(hidden_size=100, hidden_layers=3).net_arch == [100, 75, 75]
    assert SB3TD3(hidden_size=1, hidden_layers=2).net_arch == [1, 1]
