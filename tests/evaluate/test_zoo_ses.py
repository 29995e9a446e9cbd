"""SEs of the zoo as environments of an evaluation: each like a set of one SE."""

import json
from pathlib import Path

import pytest

import se_hpo
from se_hpo.envs import zoo_files
from se_hpo.envs.checkpoint import load_se
from se_hpo.errors import UserError
from se_hpo.evaluate.chosen_sets import used_sets
from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.options import EvaluateOptions
from tests.helpers.fake_sets import AGENT, make_set
from tests.helpers.zoo import add, evaluated_set

SMALL = {"num_agents": 2, "test_episodes": 2, "fixed_steps": 60}


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """CartPole-v0, a second kind of it by name, and Acrobot-v1; elsewhere nothing."""
    folder = tmp_path / "package"
    monkeypatch.setattr(zoo_files, "FOLDER", folder)
    run = tmp_path / "results/mine"
    evaluated_set(run, evaluate=False)
    add(folder, run)
    add(folder, run, "CartPole-v0:mdp", se=1)
    evaluated_set(tmp_path / "acrobot", evaluate=False, task="Acrobot-v1")
    add(folder, tmp_path / "acrobot")
    monkeypatch.chdir(tmp_path)
    return folder


def planned(*envs, **changes):
    envs = tuple(map(Path, envs))
    return resolve(EvaluateOptions(envs=envs, **{**SMALL, **changes}))


def refuse(*envs, **changes):
    with pytest.raises(UserError) as error:
        planned(*envs, **changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_its_agents_are_trained_recorded_and_read_like_those_of_a_set(zoo):
    done = se_hpo.evaluate.run(envs=["zoo:CartPole-v0"], **SMALL)
    assert done.records == Path("results/zoo/CartPole-v0/evaluations/fixed-60-0.jsonl")
    frame = se_hpo.load_evaluations("results/zoo/CartPole-v0")
    assert set(frame["train_env"]) == {"real", "se_varied"}
    on_se = frame[frame["train_env"] == "se_varied"]
    assert on_se["se_set"].tolist() == ["zoo:CartPole-v0"] * 2
    assert on_se["se"].tolist() == [0, 0] and on_se["se_solved"].all()
    again = se_hpo.evaluate.run(envs=["zoo:CartPole-v0"], **SMALL)
    assert len(again.frame()) == len(frame) == 4
    assert not Path("results/mine/evaluations").exists()


def test_the_agents_are_those_that_its_card_says_it_was_learned_with(zoo):
    (used,) = used_sets([Path("zoo:CartPole-v0")], (), False)
    assert used.se_set.config.agent == AGENT
    assert used.ses[0].checkpoint == load_se(zoo / "CartPole-v0.safetensors")
    assert used.summary.startswith("se_varied (zoo:CartPole-v0): 1 of 1 SEs finished")
    plan = planned("zoo:CartPole-v0", fixed_steps=None, num_agents=20).plan
    sizes = [plan.job(a).agent.hidden_size for a in plan.agents]
    assert min(sizes) < AGENT.hidden_size < max(sizes) <= 3 * AGENT.hidden_size
    caps = {a.train_env: plan.job(a).agent.max_env_steps for a in plan.agents}
    assert caps == {"real": 0, "se_varied": AGENT.max_env_steps}


def test_several_mix_with_sets_and_with_files_and_leave_the_run_alone(zoo):
    file = add(Path("zoo"), Path("results/mine"), se=1)
    envs = "zoo:CartPole-v0", "zoo:CartPole-v0:mdp", "results/mine", str(file)
    evaluation = planned(*envs)
    names = [used.se_set.name for used in evaluation.plan.sets]
    assert names == ["zoo:CartPole-v0", "zoo:CartPole-v0:mdp", "varied", file.name]
    assert evaluation.folder == Path("results/zoo/CartPole-v0/evaluations")
    assert evaluation.run_folder is None
    assert evaluation.settings()["sets"][file.name]["ses"].keys() == {"0"}
    assert planned("results/mine").folder.parent.name == "mine"


def test_the_same_se_twice_is_trained_on_once(zoo):
    (used,) = planned("zoo:CartPole-v0", "zoo:CartPole-v0").plan.sets
    assert list(used.ses) == [0]


def test_out_goes_before_the_default(zoo):
    assert planned("zoo:CartPole-v0", out=Path("x/a.jsonl")).records == Path(
        "x/a.jsonl"
    )


def test_another_se_under_the_name_is_refused_with_what_differs(zoo):
    se_hpo.evaluate.run(envs=["zoo:CartPole-v0"], **SMALL)
    other = (zoo / "CartPole-v0@mdp.safetensors").read_bytes()
    (zoo / "CartPole-v0.safetensors").write_bytes(other)
    with pytest.raises(UserError, match=r"sets.zoo:CartPole-v0.ses.0 .* -> "):
        se_hpo.evaluate.run(envs=["zoo:CartPole-v0"], **SMALL)


def test_wrong_names_several_tasks_and_files_without_a_card_are_one_line(zoo):
    assert "no SE 'CartPole-v9': did you mean 'CartPole-v0'" in refuse(
        "zoo:CartPole-v9"
    )
    line = refuse("zoo:CartPole-v0", "zoo:Acrobot-v1")
    assert "zoo:CartPole-v0 is for CartPole-v0, zoo:Acrobot-v1 for Acrobot-v1" in line
    assert "no such checkpoint file" in refuse("zoo/gone.safetensors")
    plain = make_set(Path("plain").absolute()).checkpoint(0)
    line = refuse(plain)
    assert "has no model card" in line and "python -m se_hpo.zoo add" in line
    assert "no SE solved the task" in refuse("zoo:CartPole-v0:mdp", only_solved=True)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda card: card.pop("outcome"), "outcome is missing"),
        (lambda card: card["outcome"].pop("solved"), "outcome.solved is missing"),
        (lambda card: card["config"].pop("nes"), "nes is missing"),
        (lambda card: card["config"]["agent"].update(lr="much"), "agent.lr = 'much'"),
        (lambda card: card["config"]["agent"].update(algorithm="dqn"), "did you mean"),
    ],
)
def test_a_damaged_card_is_one_line(zoo, damage, line):
    from se_hpo.envs.checkpoint import save_se

    path = zoo / "CartPole-v0.safetensors"
    se = load_se(path)
    metadata = json.loads(json.dumps(se.metadata))
    damage(metadata["card"])
    save_se(path, se.psi, se.task, se.se_config, metadata)
    told = refuse("zoo:CartPole-v0")
    assert told.startswith("zoo:CartPole-v0: its model card is damaged (")
    assert line in told
