"""Configurations validate themselves, and flat names resolve in one place."""

import json

import pytest

from se_hpo.agents import AGENTS
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig, from_configuration, run_config_from_dict
from se_hpo.envs.learned.mdp import SyntheticEnvConfig
from se_hpo.errors import UserError

TUNED = {
    "nes.step_size": 0.148,
    "nes.score_transform": "nes_unnormalized",
    "se.hidden_size": 83,
    "ddqn.one_minus_gamma": 0.012,
    "ddqn.one_minus_eps_decay": 0.039,
    "ddqn.lr": 3.04e-4,
}


def test_flat_names_set_their_fields_and_complements_are_taken():
    config = from_configuration(TUNED, "CartPole-v0", "ddqn")
    assert config.nes.step_size == 0.148
    assert config.nes.score_transform == "nes_unnormalized"
    assert config.se.hidden_size == 83
    assert config.agent.gamma == pytest.approx(0.988)
    assert config.agent.eps_decay == pytest.approx(0.961)


@pytest.mark.parametrize("algorithm", AGENTS)
def test_configurations_survive_json(algorithm):
    config = from_configuration({f"{algorithm}.lr": 0.5}, "Acrobot-v1", algorithm)
    data = json.loads(json.dumps(config.to_dict()))
    assert run_config_from_dict(data) == config
    assert algorithm_of(config.agent) == algorithm


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("nes.step_sise", "nes.step_size"),
        ("ddqn.one_minus_gama", "ddqn.one_minus_gamma"),
        ("se.hidden_sizes", "se.hidden_size"),
        ("td3.lr", "sets no configuration field"),
        ("step_size", "sets no configuration field"),
        ("nes.one_minus_gamma", "sets no configuration field"),
    ],
)
def test_a_name_without_a_field_is_refused_with_the_closest_one(name, hint):
    with pytest.raises(UserError, match=hint):
        from_configuration({name: 1}, "CartPole-v0", "ddqn")


def test_unknown_agent_is_refused():
    with pytest.raises(UserError, match="did you mean 'ddqn'"):
        from_configuration({}, "CartPole-v0", "ddqnn")


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (DDQNConfig, {"lr": 0.0}),
        (DDQNConfig, {"lr": float("nan")}),
        (DDQNConfig, {"lr": 3.5e38}),
        (DDQNConfig, {"gamma": 1.1}),
        (DDQNConfig, {"batch_size": 0}),
        (DDQNConfig, {"batch_size": 1.5}),
        (DDQNConfig, {"hidden_layers": 0}),
        (DDQNConfig, {"activation": "gelu"}),
        (DDQNConfig, {"eps_decay": -0.1}),
        (DDQNConfig, {"truncation": "yes"}),
        (SyntheticEnvConfig, {"hidden_layers": 4}),
        (SyntheticEnvConfig, {"hidden_size": "83"}),
        (NESConfig, {"population": 0}),
        (NESConfig, {"noise_std": 0.0}),
        (NESConfig, {"step_size": float("inf")}),
        (NESConfig, {"weight_decay": 1.0}),
        (NESConfig, {"score_transform": "3"}),
        (NESConfig, {"sampling": "mirrored"}),
        (NESConfig, {"vary_agents": 1}),
    ],
)
def test_values_outside_their_range_are_refused_with_the_field_named(cls, values):
    (name,) = values
    with pytest.raises(UserError, match=f"{cls.__name__}.{name} = "):
        cls(**values)


def test_an_integer_is_taken_for_a_float():
    assert NESConfig(step_size=1).step_size == 1.0
    assert type(NESConfig(step_size=1).step_size) is float


def test_defaults_are_the_paper_s_untuned_cartpole_run():
    config = RunConfig()
    nes = config.nes
    assert (nes.population, nes.noise_std, nes.step_size) == (16, 0.05, 1.0)
    assert (nes.score_transform, nes.sampling) == ("all_better_sum", "mirrored_best")
    assert (config.se.hidden_size, config.se.activation) == (128, "leaky_relu")
    assert (config.agent.batch_size, config.agent.lr) == (128, 1e-3)


def test_two_names_for_one_field_are_refused():
    both = {"ddqn.gamma": 0.9, "ddqn.one_minus_gamma": 0.1}
    with pytest.raises(UserError, match="so does another"):
        from_configuration(both, "CartPole-v0", "ddqn")


def test_a_complement_must_be_a_number():
    with pytest.raises(UserError, match="must be a number"):
        from_configuration({"ddqn.one_minus_gamma": "a"}, "CartPole-v0", "ddqn")
