"""`se_hpo.optimize.run`: the command as a function, for scripts and notebooks."""

import asyncio
import json
import threading

import pytest

import se_hpo
from se_hpo.errors import FailedRunError, UserError
from se_hpo.search_spaces.loading import load_space
from tests.helpers.programs import example, script, surroundings

FLAGS = {"n_brackets": 1, "threads": 1}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run, the records its callback got, and what it has left in the program."""
    folder, records = tmp_path_factory.mktemp("api") / "run", []
    before = surroundings()
    run = se_hpo.optimize.run(
        space="smoke",
        run=str(folder),
        n_workers=2,
        callback=records.append,
        on_generation=records.append,
        **FLAGS,
    )
    return run, records, before, surroundings()


def of_evaluations(told):
    return [each for each in told if not isinstance(each, dict)]


def test_it_gives_the_run_with_the_frames_of_the_readers(made):
    run, *_ = made
    assert len(run.trials()) == 4
    assert run.trials().equals(se_hpo.load_trials(run.folder))
    assert run.generations().equals(se_hpo.load_generations(run.folder))
    assert run.incumbent == se_hpo.load_incumbent(run.folder)
    assert repr(run) == f"Run({str(run.folder)!r})"


def test_the_callback_gets_every_record(made):
    run, records, *_ = made
    records = of_evaluations(records)
    told = {(record.trial, record.budget, record.loss) for record in records}
    frame = run.trials()[["trial", "budget", "loss"]]
    assert told == set(frame.itertuples(index=False, name=None))


def test_each_generation_is_told_once_in_order_and_before_its_evaluation(made):
    run, told, *_ = made
    frame = run.generations().set_index(["trial", "generation"])
    rows = [each for each in told if isinstance(each, dict)]
    keys = [(row["trial"], row["generation"]) for row in rows]
    assert sorted(keys) == sorted(set(keys)) == sorted(frame.index)
    for trial in {trial for trial, _ in keys}:
        mine = [generation for name, generation in keys if name == trial]
        assert mine == sorted(mine)
    for row in rows:
        key = row["trial"], row["generation"]
        assert row["center_score"] == frame.loc[key, "center_score"]
    seen = {}
    for each in told:
        if isinstance(each, dict):
            seen[each["trial"]] = each["generation"]
        else:
            assert seen[each.trial] == each.generations


def test_what_is_returned_has_a_short_repr(made):
    run, told, *_ = made
    for each in (run, run.incumbent, *of_evaluations(told)):
        assert len(repr(each)) < 200 and "\n" not in repr(each)
    assert run.incumbent.trial in repr(run.incumbent)


def test_an_attempt_is_the_call_not_the_program_around_it(made):
    attempts = json.loads((made[0].folder / "run.json").read_text())["attempts"]
    assert "se_hpo.optimize.run(space='smoke'" in attempts[0]["command"][0]


def test_handlers_of_logs_and_signals_stay(made):
    *_, before, after = made
    assert before == after


def test_the_call_again_continues_and_a_loaded_space_is_the_named_one(made, capfd):
    run, *_ = made
    again = {"run": run.folder, "n_workers": 2, **FLAGS}
    assert se_hpo.optimize.run(load_space("smoke"), **again) == run
    assert len(run.trials()) == 4
    assert capfd.readouterr() == ("", ""), "nothing is shown off a terminal"


def test_a_terminal_shows_the_display_unless_told_not_to(made, capsys, monkeypatch):
    run, *_ = made
    monkeypatch.setenv("FORCE_COLOR", "1")  # so rich sees a terminal
    monkeypatch.setenv("TERM", "xterm")
    for progress in (True, False):
        before = surroundings()
        se_hpo.optimize.run("smoke", run=run.folder, progress=progress, **FLAGS)
        assert before == surroundings()
        out, shown = capsys.readouterr()
        assert (out, "smoke, bohb" in shown) == ("", progress)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"n_worker": 2}, "n_worker.*did you mean 'n_workers'"),
        ({"n_workers": "2"}, "n_workers = '2': must be of type int"),
        ({"optimizer": "bohp"}, "optimizer = 'bohp': must be one of bohb"),
        ({"n_workers": 0}, "must be 1 or more"),
        ({"plan": True}, r"plan.*python -m se_hpo\.optimize --plan"),
        ({"role": "worker"}, r"python -m se_hpo\.worker"),
        ({"seed": 7}, "seed 0 -> 7"),
    ],
)
def test_what_makes_no_run_is_a_user_error(made, flags, message):
    run, *_ = made
    with pytest.raises(UserError, match=message):
        se_hpo.optimize.run("smoke", **{"run": run.folder, **FLAGS, **flags})


def test_no_such_space_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="did you mean 'smoke'"):
        se_hpo.optimize.run("smok", run=tmp_path / "run")


def test_a_run_without_a_success_raises(tmp_path):
    (tmp_path / "own.py").write_text(
        "from ConfigSpace import Categorical, ConfigurationSpace\n"
        'META = {"objective": "nes", "task": "CartPole-v0", "agent": "ddqn",\n'
        '        "min_budget": 1, "max_budget": 1, "eta": 3, "base": {}}\n'
        "def space(seed=None):\n"
        '    sizes = Categorical("se.hidden_size", [10**13, 10**13 + 1])\n'
        "    return ConfigurationSpace([sizes], seed=seed)\n"
    )
    with pytest.raises(FailedRunError, match="none of the 2 evaluations has finished"):
        se_hpo.optimize.run(tmp_path / "own.py", run=tmp_path / "run", n_brackets=2)


def test_what_a_callback_raises_ends_the_run_and_the_call_again_goes_on(tmp_path):
    class EnoughError(Exception):
        pass

    def stop(record):
        raise EnoughError

    run = tmp_path / "run"
    with pytest.raises(EnoughError):
        se_hpo.optimize.run("smoke", run=run, on_generation=stop, **FLAGS)
    assert len(se_hpo.load_trials(run)) <= 1
    with pytest.raises(EnoughError):
        se_hpo.optimize.run("smoke", run=run, callback=stop, **FLAGS)
    assert 1 <= len(se_hpo.load_trials(run)) <= 2
    assert len(se_hpo.optimize.run("smoke", run=run, **FLAGS).trials()) == 4


def test_a_thread_that_is_not_the_main_one_may_run_it(tmp_path):
    made = []
    run = {"run": tmp_path / "run", **FLAGS}
    thread = threading.Thread(
        target=lambda: made.append(se_hpo.optimize.run("smoke", **run))
    )
    thread.start()
    thread.join(120)
    assert len(made[0].trials()) == 4


def test_the_example_of_the_docs_runs_in_a_cell_of_a_notebook(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    cell = compile(example("optimize.md", "se_hpo.optimize.run"), "<cell>", "exec")
    names = {"__name__": "__main__"}

    async def notebook():
        exec(cell, names)

    asyncio.run(notebook())
    assert str(names["run"].incumbent.loss) in capsys.readouterr().out


def test_a_script_needs_no_guard(tmp_path):
    text = (
        "import se_hpo\n"
        "run = se_hpo.optimize.run('smoke', run='run', n_workers=2, n_brackets=1)\n"
        "print(len(run.trials()))\n"
    )
    assert script(tmp_path, text) == ("4\n", "")
