"""A search that begins with known good configurations, and goes on as it began."""

import json
import shutil
from dataclasses import replace

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.run_request import resolve_run
from se_hpo.optimize.start_from import read_start
from se_hpo.search_spaces.loading import load_space
from tests.end_to_end.test_optimize import (
    command,
    optimize,
    subprocess,
    wait_for_results,
)

FAST = '''
"""Agents that learn nothing."""
from ConfigSpace import *
META = {"objective": "agent", "task": "CartPole-v0", "agent": "ddqn", "min_budget": 1,
        "max_budget": 3, "eta": 3, "base": {"ddqn.train_episodes": 2,
        "ddqn.init_episodes": 1, "ddqn.batch_size": 4, "ddqn.hidden_size": 4,
        "ddqn.hidden_layers": 1, "ddqn.test_episodes": 1, "ddqn.max_env_steps": 40}}
def space(seed=None):
    cs = ConfigurationSpace(seed=seed)
    kind = Categorical("ddqn.activation", ["tanh", "relu"])
    tau = Float("ddqn.tau", (0.01, 0.5))
    cs.add(Float("ddqn.lr", (1e-4, 1e-2), log=True), kind, tau)
    cs.add(Constant("ddqn.eps_init", 1.0))
    cs.add(EqualsCondition(tau, kind, "relu"))
    return cs
'''  # fmt: skip
GOOD = {"ddqn.lr": 0.002, "ddqn.activation": "relu", "ddqn.tau": 0.25}
WHOLE = {**GOOD, "ddqn.eps_init": 1.0}


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "fast.py"
    path.write_text(FAST)
    return path


def listed(tmp_path, configurations, name="list.json"):
    path = tmp_path / name
    path.write_text(json.dumps(configurations))
    return path


def proposals(run):
    lines = (run / "configs.json").read_text().splitlines()
    return [json.loads(line)[1] for line in lines]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A finished run and its space."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "fast.py").write_text(FAST)
    done = optimize("--space", folder / "fast.py", "--run", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def test_a_list_comes_first_then_the_default_and_what_would_have_come(tmp_path, space):
    other = {"ddqn.lr": 0.003, "ddqn.activation": "tanh"}
    path = listed(tmp_path, [GOOD, other, WHOLE])
    flags = ("--space", space, "--n-brackets", 4)
    for name, more in (("with", ("--start-from", path)), ("without", ())):
        assert optimize(*flags, "--run", tmp_path / name, *more).returncode == 0
    begun, plain = proposals(tmp_path / "with"), proposals(tmp_path / "without")
    assert begun[:3] == [WHOLE, {**other, "ddqn.eps_init": 1.0}, plain[0]]
    assert begun[3:6] == plain[3:6]


def test_the_best_of_a_run_come_first_best_first(tmp_path, source):
    best = read_start(source, 2, load_space(source.parent / "fast.py"))
    frame = se_hpo.load_trials(source).sort_values(
        ["budget", "loss"], ascending=[False, True], kind="stable"
    )
    order = frame.drop_duplicates("config.ddqn.lr")["config.ddqn.lr"]
    assert [c["ddqn.lr"] for c in best] == order.to_list()[:2]
    run = tmp_path / "again"
    flags = ("--space", source.parent / "fast.py", "--run", run, "--n-brackets", 1)
    done = optimize(*flags, "--start-from", source, "--start-best", 2)
    assert done.returncode == 0, done.stderr
    assert proposals(run)[:2] == best


def kill_early(*flags):
    """Begin a search, whose folder is the last word, and kill it after two results."""
    process = subprocess.Popen(command(*flags), stderr=subprocess.DEVNULL)
    with process:
        wait_for_results(flags[-1], 2)
        process.kill()


def test_an_interrupted_run_goes_on_as_it_began_without_its_source(tmp_path, space):
    path = listed(tmp_path, [{**GOOD, "ddqn.lr": i / 1000} for i in range(1, 5)])
    flags = ("--space", space, "--n-brackets", 3, "--start-from", path, "--run")
    assert optimize(*flags, tmp_path / "whole").returncode == 0
    kill_early(*flags, tmp_path / "cut")
    path.unlink()
    assert optimize(*flags, tmp_path / "cut").returncode == 0
    assert proposals(tmp_path / "cut") == proposals(tmp_path / "whole")
    assert proposals(tmp_path / "cut")[3]["ddqn.lr"] == 0.004


def test_yaml_may_hold_a_single_configuration_and_short_exponents(tmp_path, space):
    path = tmp_path / "one.yaml"
    path.write_text("ddqn.lr: 1e-3\nddqn.activation: tanh\n")
    (found,) = read_start(path, 5, load_space(space))
    assert found == {
        "ddqn.lr": 0.001, "ddqn.activation": "tanh", "ddqn.eps_init": 1.0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": 1, "ddqn.tau": None}, "it has a, which the space lacks"),
        (
            {"b": 1, "ddqn.lr": None},
            "it has b, which the space lacks; it lacks ddqn",
        ),
        ({"ddqn.lr": None}, "it lacks ddqn.lr, which the space has"),
        ({"ddqn.tau": None}, "it lacks ddqn.tau, which the space has"),
        ({"ddqn.activation": "tanh"}, "ddqn.tau is inactive with its other values"),
        ({"ddqn.activation": "prelu"}, "'prelu': must be one of 'tanh', 'relu'"),
        ({"ddqn.lr": 1}, "ddqn.lr = 1: must be in 0.0001 .. 0.01"),
        ({"ddqn.lr": "x"}, "ddqn.lr = 'x': must be in"),
        ({"ddqn.lr": True}, "ddqn.lr = True: must be in"),
        ({"ddqn.eps_init": 0.5}, "ddqn.eps_init = 0.5: must be one of 1.0"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    tmp_path, space, changes, message
):
    values = {k: v for k, v in {**GOOD, **changes}.items() if v is not None}
    path = listed(tmp_path, [GOOD, values])
    run = tmp_path / "run"
    with pytest.raises(UserError) as error:
        resolve_run(Options(run=run, start_from=path), load_space(space))
    assert f"{path}, number 2 does not fit space 'fast': " in str(error.value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not run.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "number 1: must be a mapping of names to values, not 1"),
        ("3", "must hold a list of configurations"),
        ("[]", "holds no configuration"),
        ("{", "is no JSON or YAML"),
        ("a: 1\na: 2", "given twice"),
        ("- &a {ddqn.lr: *a}", "recursive"),
        ("- {ddqn.lr: 2001-01-01, ddqn.activation: tanh}", "lr = '2001-01-01': must"),
        ("- {ddqn.lr: !!binary aGVsbG8=}", "no JSON or YAML: could not determine"),
        (f"- {{ddqn.lr: 0x{'f' * 8000}}}", "a number of more than 64 bits"),
    ],
)
def test_a_file_that_holds_something_else_is_one_line(tmp_path, space, text, message):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_start(path, 5, load_space(space))
    assert "\n" not in str(error.value)


def test_a_source_that_is_not_there_and_a_folder_that_is_no_run(tmp_path, space):
    for source, message in ((tmp_path / "no", "No such file"), (tmp_path, "is no run")):
        with pytest.raises(UserError, match=message):
            read_start(source, 5, load_space(space))


def test_a_run_of_another_space_is_refused_with_both_differences(source):
    with pytest.raises(UserError) as error:
        read_start(source, 5, load_space("ddqn_acrobot"))
    assert "trial 0" in str(error.value)
    assert "it lacks ddqn.batch_size, " in str(error.value)
    with pytest.raises(UserError) as error:
        read_start(source, 5, load_space("smoke"))
    assert "which the space lacks; it lacks" in str(error.value)


def test_a_run_begun_otherwise_is_not_continued(tmp_path, source):
    space = load_space(source.parent / "fast.py")
    run = tmp_path / "run"
    shutil.copytree(source, run)
    options = Options(run=run, start_from=source)
    with pytest.raises(UserError, match="was begun without --start-from"):
        resolve_run(options, space)
    resolve_run(replace(options, overwrite=True), space)
    with pytest.raises(UserError, match="is the run itself: give another --run"):
        resolve_run(replace(options, start_from=run, overwrite=True), space)
    data = json.loads((run / "run.json").read_text())
    stored = {"source": str(source.resolve()), "configurations": []}
    (run / "run.json").write_text(json.dumps({**data, "start_from": stored}))
    assert resolve_run(options, space).start_from == stored
    assert resolve_run(replace(options, start_from=None), space).start_from == stored
    with pytest.raises(UserError, match=rf"begun with --start-from {source}, not"):
        resolve_run(replace(options, start_from=tmp_path), space)


def test_more_than_the_run_has_room_for_are_told(tmp_path, space):
    path = listed(tmp_path, [{**GOOD, "ddqn.lr": i / 1000} for i in range(1, 9)])
    options = Options(start_from=path, n_brackets=2, run=tmp_path / "run")
    request = resolve_run(options, load_space(space))
    notes = list(request.notes(request.brackets))
    assert notes[0].startswith("only 5 of the 9 configurations to start from")


def test_one_rung_has_trials_enough_for_the_model_by_default(tmp_path, space):
    options = Options(run=tmp_path / "run", max_budget=1)
    request = resolve_run(options, load_space(space))
    assert sum(b.trials for b in request.brackets) == 30
    assert not list(request.notes(request.brackets))


def test_too_few_trials_for_the_model_are_told_with_how_many_would_do(tmp_path, space):
    options = Options(run=tmp_path / "run", max_budget=1, n_brackets=2, model="kde")
    (note,) = (request := resolve_run(options, load_space(space))).notes(
        request.brackets
    )
    assert "needs 8 evaluations at one budget, and there are 2" in note
    assert "--n-brackets 9" in note
    random = resolve_run(replace(options, optimizer="random"), load_space(space))
    assert not list(random.notes(random.brackets))
    done = optimize(
        *("--space", space, "--max-budget", 1, "--n-brackets", 2, "--plan"),
        *("--model", "kde"),
    )
    assert note.split(";")[0] in " ".join(done.stdout.split())
