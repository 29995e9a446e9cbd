"""Which SE of an own run becomes a file, and what its card says."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

import se_hpo
from se_hpo.envs.checkpoint import load_se
from se_hpo.errors import UserError
from se_hpo.results.model_card import card_of
from se_hpo.zoo.candidates import candidates, chosen
from se_hpo.zoo.new_file import write
from tests.helpers.fake_sets import CONFIG, add_se, make_set
from tests.helpers.zoo import add, evaluated_set

SMALL = {"num_agents": 2, "test_episodes": 2, "fixed_steps": 60}


def numbers(found):
    return [c.outcome.index for c in found]


def refuse(call, *args, **kwargs):
    with pytest.raises(UserError) as error:
        call(*args, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_ses_that_solved_the_task_come_first_then_those_with_the_better_score(tmp_path):
    root = make_set(tmp_path / "varied", n=4, solved=(2,)).root
    assert numbers(candidates(root)) == [2, 3, 1, 0]
    none = make_set(tmp_path / "none", n=3, solved=()).root
    assert numbers(candidates(none)) == [2, 1, 0]


def test_evaluations_decide_before_scores(tmp_path):
    root = make_set(tmp_path / "run/ses/varied", n=2, solved=(0, 1)).root
    se_hpo.evaluate.run(envs=[tmp_path / "run"], train_envs="se_varied", **SMALL)
    path = tmp_path / "run/evaluations/fixed-60-0.jsonl"
    for best in (0, 1):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line["score"] = 150.0 if line["se"] == best else 20.0
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert numbers(candidates(root))[0] == best
        assert numbers(candidates(tmp_path / "run"))[0] == best
        assert candidates(root)[0].reached[0].mean == 150.0


def test_a_card_says_that_hyperparameters_were_the_defaults(run):
    se_hpo.evaluate.run(
        envs=run,
        train_envs="se_varied",
        hyperparameters="default",
        num_agents=1,
        test_episodes=1,
        fixed_steps=60,
        progress=False,
    )
    found = {r.variation: r.n for r in candidates(run)[0].reached}
    assert found == {"varied": 2, "default": 1}


def test_only_agents_trained_on_these_very_parameters_count(run):
    (zero, one) = candidates(run)
    assert (zero.reached[0].n, one.reached[0].n) == (2, 2)
    frame = se_hpo.load_evaluations(run)
    for candidate in (zero, one):
        rows = frame[frame["se"] == candidate.outcome.index]
        (reached,) = candidate.reached
        assert reached.mean == pytest.approx(rows["score"].mean(), abs=1e-3)
        assert reached.worst == pytest.approx(rows["score"].min(), abs=1e-3)
        assert (reached.se_steps, reached.fixed_steps) == (60, 60)
        assert (reached.agent, reached.evaluation) == ("ddqn", "fixed-60-0")
        assert reached.variation == "varied"
    paths = make_set(run / "ses/varied", solved=(0,))
    add_se(paths, "se_fixed", 0, CONFIG, solved=True)  # other parameters, same name
    outcome = json.loads(paths.outcome(0).read_text()) | {"train_env": "se_varied"}
    paths.outcome(0).write_text(json.dumps(outcome))
    assert [len(c.reached) for c in candidates(run)] == [0, 1]


def test_records_from_elsewhere_say_what_fresh_agents_reach(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = add(Path("zoo"), run)
    se_hpo.evaluate.run(envs=[file], seed=7, **SMALL)
    assert len(candidates(run)[0].reached) == 1
    (fresh,) = candidates(run, Path("results/zoo/CartPole-v0"))[0].reached
    assert fresh.evaluation == "fixed-60-7"
    assert "does not exist" in refuse(candidates, run, Path("nowhere"))


def test_random_ses_reward_networks_and_unfinished_sets_are_none(tmp_path):
    make_set(tmp_path / "run/ses/random", "se_random")
    assert "no learned SE is finished there" in refuse(candidates, tmp_path / "run")
    make_set(tmp_path / "run/ses/empty", n=0)
    assert "no learned SE is finished there" in refuse(candidates, tmp_path / "run")
    make_set(tmp_path / "run/ses/varied", n=1)
    assert numbers(candidates(tmp_path / "run")) == [0]
    assert "does not exist" in refuse(candidates, tmp_path / "nowhere")


def test_sets_for_several_tasks_or_with_the_same_number_must_be_named(tmp_path):
    make_set(tmp_path / "run/ses/varied")
    make_set(tmp_path / "run/ses/fixed", "se_fixed")
    found = candidates(tmp_path / "run")
    assert "several sets have it: name one of" in refuse(chosen, found, 0)
    assert "no such SE: known: 0, 1" in refuse(chosen, found, 5)
    make_set(tmp_path / "run/ses/acrobot", task="Acrobot-v1")
    line = refuse(candidates, tmp_path / "run")
    assert "several tasks" in line and "acrobot (Acrobot-v1)" in line


def test_the_card_is_whole_and_says_what_its_set_says(run, tmp_path):
    path = add(tmp_path / "zoo", run)
    se = load_se(path)
    card = card_of(se.metadata, path)
    assert card.gaps == []
    assert card.recipe == "cartpole" and card.version == "0.3.0"
    assert card.command == "python -m se_hpo.train --config cartpole"
    original = load_se(run / "ses/varied/000.safetensors")
    assert (se.psi == original.psi).all() and se.se_config == original.se_config
    assert se.metadata == {**original.metadata, "card": card.to_dict()}
    assert card.config == CONFIG.to_dict() and card.chosen_from == 2
    (row,) = se_hpo.load_ses(run / "ses/varied").query("se == 0").to_dict("records")
    assert card.outcome.env_steps_task == row["env_steps_task"]
    assert card.outcome.seed == row["seed"]
    assert card.outcome.host == "", "machines have no place in a public file"
    assert card.limits[-1].startswith("Learned with ddqn")
    assert any("raw done" in limit for limit in card.limits)


def test_the_command_is_the_last_which_trained_all_of_a_set_that_grew(tmp_path):
    root = evaluated_set(tmp_path / "run", evaluate=False)
    file = root / "set.json"
    data = json.loads(file.read_text())
    first = data["attempts"][0]["command"]
    data["attempts"].append({"command": [*first, "--num-envs", "2"]})
    file.write_text(json.dumps(data))
    written = write(chosen(candidates(root), 1), 2, None, tmp_path / "zoo")
    assert card_of(load_se(written).metadata, written).command.endswith("--num-envs 2")


def test_the_same_run_gives_the_same_bytes_and_notes_are_limits(run, tmp_path):
    first, second = (add(tmp_path / name, run).read_bytes() for name in "ab")
    assert first == second
    best, n = candidates(run)[0], 2
    path = write(best, n, None, tmp_path / "c", ["Only for short poles."])
    assert card_of(load_se(path).metadata, path).limits[-1] == "Only for short poles."


def test_of_an_se_that_did_not_solve_the_task_the_card_says_so(tmp_path):
    root = make_set(tmp_path / "set", solved=()).root
    path = add(tmp_path / "zoo", root)
    card = card_of(load_se(path).metadata, path)
    assert card.limits[0] == "It did not solve the task when it was learned."
    assert card.gaps == ["recipe", "command", "version", "reached"]


def test_a_file_is_not_replaced_unasked_nor_named_after_another_task(run, tmp_path):
    path = add(tmp_path / "zoo", run)
    before = path.read_bytes()
    best = candidates(run)[1]
    line = refuse(write, best, 2, None, tmp_path / "zoo")
    assert "CartPole-v0.safetensors is there: give --overwrite" in line
    assert path.read_bytes() == before
    write(best, 2, None, tmp_path / "zoo", overwrite=True)
    assert path.read_bytes() != before
    for name in ("Acrobot-v1", "CartPole-v0:one_step", "../x", ""):
        line = refuse(write, best, 2, name, tmp_path / "zoo")
        assert "known: CartPole-v0, CartPole-v0:mdp" in line


def test_a_set_outside_a_run_and_one_moved_elsewhere_are_fine(run, tmp_path):
    moved = shutil.copytree(run / "ses/varied", tmp_path / "elsewhere/set")
    assert [c.reached for c in candidates(moved)] == [[], []]
    found = candidates(moved, run)
    assert [len(c.reached) for c in found] == [1, 1]
    assert dataclasses.replace(found[0], se_set=None).outcome.solved


@pytest.mark.filterwarnings("ignore::se_hpo.results.lines.UnreadableWarning")
def test_records_whose_settings_are_damaged_or_gone_do_not_count(run):
    header = run / "evaluations/fixed-60-0.json"
    for text in ("", "[]", '{"settings": {"sets": {"varied": {"ses": [1]}}}}'):
        header.write_text(text)
        assert [c.reached for c in candidates(run)] == [[], []]
    header.unlink()
    assert [c.reached for c in candidates(run)] == [[], []]


@pytest.mark.parametrize(
    ("key", "value"), [("origin", "cartpole"), ("attempts", {}), ("versions", [1])]
)
def test_a_set_whose_origin_is_damaged_is_one_line(run, tmp_path, key, value):
    file = run / "ses/varied/set.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    line = refuse(add, tmp_path / "zoo", run)
    assert "set.json" in line and key in line
