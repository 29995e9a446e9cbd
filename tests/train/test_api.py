"""`se_hpo.train.run`: the command as a function, for scripts and notebooks."""

import asyncio
import shutil
import threading

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.results.lines import read_json
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import SESetPaths
from tests.helpers.programs import example, script, surroundings

RECIPE = """
task: CartPole-v0
generations: 2
agent: {batch_size: 16, hidden_size: 8, hidden_layers: 1, max_env_steps: 200,
        init_episodes: 1, test_episodes: 2}
se: {hidden_size: 4}
nes: {population: 2, n_center_evaluations: 2, n_initial: 2, stop_when_solved: false,
      score_transform: nes_unnormalized}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def made(recipe):
    """A set, the outcomes its callback got, and what it has left in the program."""
    outcomes, before = [], surroundings()
    trained = se_hpo.train.run(
        config=recipe,
        out=str(recipe.parent / "set"),
        num_envs=2,
        set={"nes.step_size": 0.5},
        callback=outcomes.append,
        on_generation=outcomes.append,
    )
    return trained, outcomes, before, surroundings()


def test_the_attempt_holds_the_call(made):
    (first, *_) = read_json(SESetPaths(made[0].folder).set)["attempts"]
    (call,) = first["command"]
    assert call.startswith("python: se_hpo.train.run(config=")
    assert "set=['nes.step_size=0.5'], num_envs=2" in call


def test_it_gives_the_set_with_the_frames_of_the_readers(made):
    trained, *_ = made
    assert list(trained.ses()["se"]) == [0, 1]
    assert trained.ses().equals(se_hpo.load_ses(trained.folder))
    assert trained.generations().equals(se_hpo.load_se_generations(trained.folder))
    assert trained.missing == {}
    assert repr(trained) == f"TrainedSet({str(trained.folder)!r})"


def test_the_callback_gets_every_outcome(made):
    trained, outcomes, *_ = made
    outcomes = [each for each in outcomes if not isinstance(each, dict)]
    assert max(len(repr(outcome)) for outcome in outcomes) < 200
    told = sorted((outcome.index, outcome.best_score) for outcome in outcomes)
    frame = trained.ses()[["se", "best_score"]]
    assert told == list(frame.itertuples(index=False, name=None))


def test_each_generation_of_each_se_is_told_before_its_outcome(made):
    trained, told, *_ = made
    rows = [each for each in told if isinstance(each, dict)]
    frame = trained.generations()[["se", "generation", "center_score"]]
    keys = [(r["se"], r["generation"], r["center_score"]) for r in rows]
    assert sorted(keys) == sorted(frame.itertuples(index=False, name=None))
    ended = {each.index: told.index(each) for each in told if each not in rows}
    assert all(told.index(row) < ended[row["se"]] for row in rows)


def test_handlers_of_logs_and_signals_stay(made):
    *_, before, after = made
    assert before == after


def again(trained, recipe, **flags):
    flags = {"out": trained.folder, "set": "nes.step_size=0.5", "num_envs": 2, **flags}
    return se_hpo.train.run(config=str(recipe), **flags)


def test_the_call_again_has_nothing_to_do_and_shows_nothing(made, recipe, capfd):
    trained, *_ = made
    assert again(trained, recipe, callback=pytest.fail) == trained
    assert capfd.readouterr() == ("", "")


def test_a_terminal_shows_the_display_unless_told_not_to(
    made, recipe, capsys, monkeypatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # so rich sees a terminal
    monkeypatch.setenv("TERM", "xterm")
    for progress in (True, False):
        before = surroundings()
        again(made[0], recipe, progress=progress)
        assert before == surroundings()
        out, shown = capsys.readouterr()
        assert (out, "se_fixed, CartPole-v0" in shown) == ("", progress)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"num_env": 2}, "num_env.*did you mean 'num_envs'"),
        ({"num_envs": 2.5}, "num_envs = 2.5: must be of type int"),
        ({"list_configs": True}, r"python -m se_hpo\.train --list-configs"),
        ({"from_run": "nowhere"}, "--from and --config"),
        ({"seed": 7}, "seed 0 -> 7"),
    ],
)
def test_what_makes_no_set_is_a_user_error(made, recipe, flags, message):
    with pytest.raises(UserError, match=message):
        again(made[0], recipe, **flags)


def test_what_is_not_finished_is_named(made, recipe, tmp_path):
    shutil.copytree(made[0].folder, tmp_path / "set")
    paths = SESetPaths(tmp_path / "set")
    with RunLock(paths.lock(2)):  # as if another process were at it
        trained = again(made[0], recipe, out=paths.root, num_envs=3)
    assert trained.missing == {2: "another process is at it"}
    assert repr(trained) == f"TrainedSet({str(paths.root)!r}, 1 missing)"


def test_a_thread_that_is_not_the_main_one_may_train(recipe, tmp_path):
    made = []
    flags = {"config": recipe, "out": tmp_path / "set", "num_envs": 1}
    thread = threading.Thread(target=lambda: made.append(se_hpo.train.run(**flags)))
    thread.start()
    thread.join(120)
    assert len(made[0].ses()) == 1


def test_the_example_of_the_docs_runs_in_a_cell_of_a_notebook(
    tmp_path, recipe, monkeypatch, capsys
):
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "recipe.yaml").write_text(recipe.read_text())
    monkeypatch.chdir(tmp_path)
    cell = compile(example("train.md", "se_hpo.train.run"), "<cell>", "exec")
    names = {"__name__": "__main__"}

    async def notebook():
        exec(cell, names)

    asyncio.run(notebook())
    assert "best_score" in capsys.readouterr().out


def test_a_script_needs_no_guard(recipe, tmp_path):
    text = (
        "import se_hpo\n"
        f"trained = se_hpo.train.run(config={str(recipe)!r}, out='set', num_envs=1)\n"
        "print(len(trained.ses()), trained.missing)\n"
    )
    assert script(tmp_path, text) == ("1 {}\n", "")
