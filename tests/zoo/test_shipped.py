"""The SEs that come with the package: whole, small, and as good as their cards say."""

import importlib.util
import warnings

import gymnasium
import pytest

import se_hpo
from se_hpo.envs.checkpoint import load_se, save_se
from se_hpo.envs.tasks import get_task
from se_hpo.envs.zoo_files import FOLDER, zoo_names
from se_hpo.nes.run import run_nes
from se_hpo.results.se_sets import set_of_one
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop
from tests.helpers.zoo import faults

NAMES = zoo_names()
each = pytest.mark.parametrize("name", NAMES)
TOLERANCE = 0.1
"""Of what lies between random actions and a solved task: of 10 agents' mean."""


@each
def test_every_file_is_small_whole_and_of_what_its_name_says(name):
    assert faults(se_hpo.zoo.path(name)) == []


@each
def test_every_one_is_an_environment_without_a_checkpoint(name):
    task, _, kind = name.partition(":")
    which = {"checkpoint": f"zoo:{name}"} if kind else {}
    env = gymnasium.make(f"se_hpo:Synthetic/{task}", **which)
    assert env.unwrapped.task.id == se_hpo.zoo.load(name).task
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    env.step(env.action_space.sample())


def test_nothing_else_lies_in_the_folder_and_the_list_has_all_of_it():
    other = {
        p.name for p in FOLDER.iterdir() if p.suffix not in (".py", ".safetensors")
    }
    assert other <= {"__pycache__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert se_hpo.zoo.list()["name"].tolist() == NAMES


def test_the_checks_find_what_is_wrong(zoo):
    path = zoo / "CartPole-v0.safetensors"
    assert faults(path) == []
    se = load_se(path)
    (zoo / "Acrobot-v1@one_step.safetensors").write_bytes(path.read_bytes())
    assert faults(zoo / "Acrobot-v1@one_step.safetensors") == [
        "it is for CartPole-v0, of kind mdp"
    ]
    card = {**se.metadata["card"], "reached": [], "recipe": ""}
    big = {"card": card, "ballast": "x" * 30_000}
    save_se(path, se.psi, se.task, se.se_config, big)
    found = faults(path)
    assert found[:2] == ["its card has no recipe", "its card has no reached"]
    assert found[2].startswith("it has 3") and len(found) == 3


def repeated(name, reached, folder):
    """Mean test return of ten agents that have fresh seeds."""
    (train_env,) = {set_of_one(se_hpo.zoo.path(name)).train_env}
    evaluation = se_hpo.evaluate.run(
        envs=f"zoo:{name}",
        agents=reached.agent,
        train_envs=train_env,
        fixed_steps=reached.fixed_steps,
        hyperparameters=reached.variation,
        seed=4_000_000,
        out=folder / "again.jsonl",
    )
    return evaluation.frame()["score"].mean()


@pytest.mark.slow
@each
def test_fresh_agents_reach_what_its_card_says(name, tmp_path):
    card, task = se_hpo.zoo.card(name), get_task(se_hpo.zoo.load(name).task)
    slack = TOLERANCE * (task.solved_return - task.random_return)
    for number, reached in enumerate(card.reached):
        theirs = reached.agent.startswith("sb3:")
        if theirs and importlib.util.find_spec("stable_baselines3") is None:
            continue
        mean = repeated(name, reached, tmp_path / str(number))
        assert mean >= reached.mean - slack, reached


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_cheapest_is_learned_again_as_its_card_says(tmp_path):
    if not NAMES:
        pytest.skip("the zoo is empty")
    cards = [se_hpo.zoo.card(name) for name in NAMES]
    cheapest = min(cards, key=lambda card: card.outcome.cpu_seconds)
    of_set = set_of_one(se_hpo.zoo.path(NAMES[cards.index(cheapest)]))
    seed, loop = cheapest.outcome.seed, InnerLoop(cheapest.outcome.engine)
    limit = cheapest.generations
    state = run_nes(of_set.config, seed, TrialPaths(tmp_path), loop, limit).state
    assert (state.solved_at is not None) == cheapest.outcome.solved
    assert state.best_score >= cheapest.outcome.best_score - TOLERANCE * abs(
        get_task(of_set.task).solved_return - get_task(of_set.task).random_return
    )
