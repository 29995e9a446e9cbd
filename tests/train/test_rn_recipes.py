"""Recipes and spaces of reward networks: the authors' values; all of it runs."""

from dataclasses import replace

import numpy as np
import pytest

from se_hpo.config.run import RunConfig, run_config_from_dict, with_configuration
from se_hpo.envs.learned import kind_of
from se_hpo.errors import UserError
from se_hpo.nes.run import run_nes
from se_hpo.registries import LEARNED
from se_hpo.search_spaces.loading import load_space
from se_hpo.storage.paths import SESetPaths, TrialPaths
from se_hpo.train.options import TrainOptions
from se_hpo.train.recipes import list_recipes, load_recipe
from se_hpo.train.request import resolve_request
from se_hpo.train.set_folder import open_set
from se_hpo.train.supervisor import SEWorkers
from se_hpo.training.inner_loop import InnerLoop

RECIPES = [name for name in list_recipes() if "rn-" in name]
KINDS = [name for name, kind in LEARNED.items() if kind.prefix == "rn"]
PLAIN = [name for name in KINDS if "info" not in name]


def tiny(config: RunConfig) -> RunConfig:
    few = {"train_episodes": 3, "test_episodes": 1, "init_episodes": 1}
    if hasattr(config.agent, "batch_size"):
        few |= {"batch_size": 4, "hidden_size": 4}
    horizon = 60 if config.nes.horizon else 0
    nes = replace(
        config.nes,
        population=1,
        n_center_evaluations=1,
        n_initial=min(config.nes.n_initial, 2),
        horizon=horizon,
    )
    agent = replace(config.agent, **few, max_env_steps=0 if horizon else 60)
    return replace(config, agent=agent, nes=nes)


@pytest.mark.parametrize("name", [name for name in RECIPES if "cheetah" not in name])
@pytest.mark.parametrize("kind", PLAIN)
def test_every_recipe_and_kind_builds_and_runs(tmp_path, name, kind):
    config = with_configuration(load_recipe(name).config, {"rn.kind": kind})
    assert kind_of(config.se).name == kind
    assert run_config_from_dict(config.to_dict()) == config
    with InnerLoop("auto") as inner_loop:
        paths = TrialPaths(tmp_path)
        outcome = run_nes(tiny(config), 1, paths, inner_loop, 1)
    assert outcome.reason == "budget" and paths.best_se.exists()
    assert np.isfinite(outcome.center_scores).all()


@pytest.mark.parametrize("name", [name for name in RECIPES if "cheetah" in name])
@pytest.mark.parametrize("kind", KINDS)
def test_the_recipes_with_info_take_every_kind(name, kind):
    pytest.importorskip("mujoco")
    config = with_configuration(load_recipe(name).config, {"rn.kind": kind})
    assert kind_of(config.se).name == kind
    assert run_config_from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("name", "hidden", "gamma", "window"),
    [("cliff", 32, 0.8, 10), ("cartpole", 64, 0.99, 10), ("cmc", 128, 0.99, 5)],
)
def test_the_authors_recipes_hold_their_values(name, hidden, gamma, window):
    recipe = load_recipe(f"paper-rn-{name}")
    nes, agent, rn = recipe.config.nes, recipe.config.agent, recipe.config.se
    assert (nes.population, nes.n_center_evaluations, recipe.generations) == (
        16,
        16,
        50,
    )
    assert (nes.noise_std, nes.step_size, nes.unsolved_weight) == (0.1, 0.5, 100)
    assert (nes.score_transform, nes.sampling) == ("nes_unnormalized", "mirrored_best")
    assert (nes.fitness, nes.horizon, nes.stop_when_solved) == ("threshold", 0, False)
    assert (agent.train_episodes, agent.test_episodes) == (100, 1)
    assert (agent.gamma, agent.stop_window) == (gamma, window)
    assert agent.truncation == "terminal" and rn.terminal_potential == "network"
    assert (rn.hidden_size, rn.hidden_layers) == (hidden, 1)


@pytest.mark.parametrize("space", ["rn_cliff", "rn_cartpole", "rn_cmc"])
def test_the_default_of_a_space_is_its_recipe(space):
    loaded = load_space(space)
    default = dict(loaded.configuration_space().get_default_configuration())
    ours, recipe = loaded.resolve(default), load_recipe(space.replace("_", "-")).config
    assert ours.se == recipe.se
    assert ours.nes == recipe.nes
    for key in ("gamma", "lr", "batch_size", "hidden_size", "eps_min", "action_repeat"):
        mine, theirs = getattr(ours.agent, key, None), getattr(recipe.agent, key, None)
        assert mine == pytest.approx(theirs), key


def options(tmp_path, *values, config="rn-cliff", **flags):
    sets = tuple(f"{name}={value}" for name, value in values)
    return TrainOptions(config=config, set=sets, out=tmp_path / "out", **flags)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({}, "rn_fixed"),
        ({"vary_hp": True}, "rn_varied"),
        ({"random_search": True}, "rn_random"),
    ],
)
def test_a_set_of_reward_networks_has_its_own_name_and_a_folder_per_kind(flags, name):
    request = resolve_request(
        TrainOptions(config="rn-cliff", set=("rn.kind=additive",), **flags)
    )
    assert request.settings.train_env == name
    folder = f"additive-{name.removeprefix('rn_')}"
    assert request.paths.root.parts == ("results", "rn-cliff", "ses", folder)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([("rn.kind", "additive_info")], "has no numbers"),
        ([("rn.kind", "nothing")], "unknown rn.kind"),
        ([("rn.kind", "mdp")], "must be se.kind; rn.kind is one of"),
        ([("se.kind", "additive")], "must be rn.kind; se.kind is one of mdp"),
        ([("se.hidden_size", 8)], "rn.hidden_size"),
        ([("rn.kind", "exclusive"), ("rn.terminal_potential", "zero")], "sets no"),
        ([("nes.horizon", 0)], "horizon"),
        ([("nes.fitness", "return")], "horizon"),
    ],
)
def test_bad_input_is_refused_with_the_mend_and_nothing_is_written(
    tmp_path, values, says
):
    with pytest.raises(UserError, match=says) as error:
        resolve_request(options(tmp_path, *values))
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rn: {hidden_size: 8}", "has no kind"),
        ("rn: {kind: mdp}", "call it se"),
        ("se: {kind: additive}", "call it rn"),
        ("rn: {kind: additive}\nse: {}", "keep one"),
        ("task: Cliff-v0\nagent: {algorithm: td3}\nrn: {kind: additive}", "agents for"),
        ("rn: {kind: additive}\nnes: {fitness: area}", "horizon"),
    ],
)
def test_a_recipe_of_ones_own_is_checked(tmp_path, text, says):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        resolve_request(TrainOptions(config=str(path), out=tmp_path / "out"))


def test_a_set_of_other_settings_names_the_section_as_recipes_do(tmp_path):
    request = resolve_request(options(tmp_path, ("rn.hidden_size", 8)))
    open_set(request.paths, request.settings, 1, {})
    other = resolve_request(options(tmp_path, ("rn.hidden_size", 7)))
    with pytest.raises(UserError, match=r" rn\.hidden_size 8 -> 7"):
        open_set(other.paths, other.settings, 1, {})


def test_workers_call_a_reward_network_by_its_name(tmp_path, caplog):
    workers = SEWorkers(SESetPaths(tmp_path), [], 1, 1, noun="RN")
    workers._on_bad_exit(3, 9)
    workers._give_up(4, "why")
    assert [r.getMessage()[:7] for r in caplog.records] == ["RN 003:", "RN 004:"]


def test_a_value_of_a_recipe_is_named_by_its_own_section(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("rn: {kind: additive_info, info_keys: cost}")
    with pytest.raises(UserError, match=r"rn\.info_keys = 'cost'"):
        load_recipe(file)
