"""SEs by name, and environments that need no checkpoint."""

import dataclasses

import gymnasium
import numpy as np
import pytest

import se_hpo
from se_hpo.envs import zoo_files
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.learned.one_step import OneStepConfig
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError
from tests.helpers.fake_sets import make_set
from tests.helpers.zoo import add, evaluated_set

ID = "se_hpo:Synthetic/CartPole-v0"


def rollout(env):
    first, _ = env.reset(seed=3)
    steps = [env.step(i % 2) for i in range(5)]
    return np.array([first, *(step[0] for step in steps)])


def test_an_environment_needs_no_checkpoint_where_the_zoo_has_one(zoo):
    made, named = gymnasium.make(ID), gymnasium.make(ID, checkpoint="zoo:CartPole-v0")
    given = gymnasium.make(ID, checkpoint=str(zoo / "CartPole-v0.safetensors"))
    assert (rollout(made) == rollout(given)).all()
    assert (rollout(named) == rollout(given)).all()
    assert made.unwrapped.task.id == "CartPole-v0"
    envs = gymnasium.make_vec(ID, num_envs=2)
    assert envs.reset(seed=3)[0].shape == (2, 4)


def test_the_spec_of_such_an_environment_makes_it_anew(zoo):
    env = gymnasium.make(ID)
    again = gymnasium.make(
        gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json())
    )
    assert (rollout(env) == rollout(again)).all()


@pytest.mark.parametrize("make", [gymnasium.make, gymnasium.make_vec])
def test_a_task_that_the_zoo_lacks_is_one_line_with_what_it_has(zoo, make):
    with pytest.raises(UserError) as error:
        make("se_hpo:Synthetic/CartPole-v1")
    line = str(error.value)
    assert "needs its parameters: add checkpoint=" in line and "\n" not in line
    assert line.endswith("or take one that the zoo has: CartPole-v0")


@pytest.mark.parametrize(
    ("env_id", "noun"),
    [
        ("se_hpo:Synthetic", "synthetic environment of a task"),
        (ID, "synthetic environment of CartPole-v0"),
        ("se_hpo:Rewarded/CartPole-v0", "reward network of CartPole-v0"),
    ],
)
def test_an_empty_zoo_changes_nothing(env_id, noun, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo_files, "FOLDER", tmp_path / "nowhere")
    line = f'the {noun} needs its parameters: add checkpoint="<file>.safetensors"'
    with pytest.raises(UserError) as error:
        gymnasium.make(env_id)
    assert str(error.value) == line
    assert se_hpo.zoo.list().empty
    said = "the zoo has no SE 'CartPole-v0': .* has none at all: python -m se_hpo.zoo"
    with pytest.raises(UserError, match=said):
        se_hpo.zoo.load("CartPole-v0")


def test_a_reward_network_is_none_of_the_zoo(zoo):
    with pytest.raises(UserError, match="reward network of CartPole-v0 needs"):
        gymnasium.make("se_hpo:Rewarded/CartPole-v0")


def test_a_wrong_name_is_one_line_with_the_right_one(zoo):
    for call in (se_hpo.zoo.path, se_hpo.zoo.load, se_hpo.zoo.card):
        with pytest.raises(UserError, match="no SE 'CartPole-v': did you mean"):
            call("CartPole-v")
    with pytest.raises(UserError, match="did you mean 'CartPole-v0'"):
        gymnasium.make(ID, checkpoint="zoo:CartPol-v0")
    with pytest.raises(UserError, match=r"no SE '\.\..*CartPole-v0'"):
        se_hpo.zoo.path("../package/CartPole-v0")


def test_a_name_of_another_task_is_refused(zoo, tmp_path):
    add(zoo, evaluated_set(tmp_path / "other", evaluate=False, task="Acrobot-v1"))
    with pytest.raises(UserError, match="for Acrobot-v1, not for CartPole-v0"):
        gymnasium.make(ID, checkpoint="zoo:Acrobot-v1")
    made = gymnasium.make("se_hpo:Synthetic", checkpoint="zoo:Acrobot-v1")
    assert made.unwrapped.task.id == "Acrobot-v1"


def test_a_second_kind_of_a_task_has_a_name_of_its_own(zoo, run):
    path = add(zoo, run, name="CartPole-v0:mdp", se=1)
    assert path.name == "CartPole-v0@mdp.safetensors"
    assert zoo_files.zoo_names() == ["CartPole-v0", "CartPole-v0:mdp"]
    assert se_hpo.zoo.path("CartPole-v0:mdp") == path
    assert se_hpo.zoo.load("CartPole-v0:mdp") == load_se(path)
    assert se_hpo.zoo.load("zoo:CartPole-v0") != load_se(path)


@pytest.fixture
def one_step(tmp_path, monkeypatch):
    """The package's zoo, with a random one-step SE of a task."""
    monkeypatch.setattr(zoo_files, "FOLDER", tmp_path / "one_step")

    def added(task):
        config, spec = OneStepConfig(hidden_size=8), get_task(task)
        psi = initial_psi(config, spec, np.random.default_rng(0))
        name = zoo_files.file_name(zoo_files.name_of_task(task))
        save_se(zoo_files.FOLDER / name, psi, task, config)
        return load_se(zoo_files.FOLDER / name)

    return added


def test_an_id_makes_what_kind_its_file_is_of(one_step):
    one_step("CartPole-v0")
    env = gymnasium.make(ID)
    env.reset(seed=0)
    assert env.step(1)[2], "every episode has one step"
    envs = gymnasium.make_vec(ID, num_envs=3)
    envs.reset(seed=0)
    assert envs.step(np.array([0, 1, 0]))[2].all()


def test_a_file_names_no_module_that_is_imported(one_step, tmp_path, monkeypatch):
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    se = one_step("CartPole-v0")
    se = dataclasses.replace(se, task="evil:lab/Pole-v0")
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(UserError, match="unknown task 'evil:lab/Pole-v0'"):
            make("se_hpo:Synthetic", checkpoint=se)


def test_an_se_of_the_scaled_task_is_found_by_the_task_and_tells(one_step):
    one_step("Scaled/MountainCar-v0")
    for name in ("MountainCar-v0", "Scaled.MountainCar-v0"):
        for more in ({}, {"checkpoint": "zoo:MountainCar-v0"}):
            env = gymnasium.make(f"se_hpo:Synthetic/{name}", **more)
            spec = env.unwrapped.task
            assert spec.id == "Scaled/MountainCar-v0"
            assert abs(make_env(spec).reset(seed=0)[0]).max() <= 1
            env.reset(seed=0)
            env.step(0)
            envs = gymnasium.make_vec(f"se_hpo:Synthetic/{name}", num_envs=2, **more)
            assert envs.task == spec
    assert se_hpo.zoo.path("Scaled/MountainCar-v0").stem == "MountainCar-v0"


def test_all_of_the_zoo_takes_another_folder(tmp_path):
    run = make_set(tmp_path / "run/ses/varied").root
    path = add(tmp_path / "mine", run)
    assert se_hpo.zoo.path("CartPole-v0", tmp_path / "mine") == path
    assert se_hpo.zoo.list(str(tmp_path / "mine"))["name"].tolist() == ["CartPole-v0"]
    assert se_hpo.zoo.card("CartPole-v0", tmp_path / "mine").outcome.solved
