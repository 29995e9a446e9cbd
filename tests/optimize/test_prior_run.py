"""A search whose model knows an earlier run, and goes on as it began."""

import json
import shutil
from dataclasses import replace

import pytest

from se_hpo.errors import UserError
from se_hpo.optimize.options import Options
from se_hpo.optimize.prior_run import read_prior
from se_hpo.optimize.run_request import resolve_run
from se_hpo.results.lines import UnreadableWarning
from se_hpo.search_spaces.loading import load_space
from tests.end_to_end.test_optimize import optimize
from tests.optimize.test_start_from import FAST, kill_early, proposals


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A finished run and, beside it, its space."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "fast.py").write_text(FAST)
    flags = ("--space", folder / "fast.py", "--n-brackets", 4)
    done = optimize(*flags, "--run", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def copy(tmp_path, source):
    return shutil.copytree(source, tmp_path / "copy")


def space_of(source, *changes, name="other.py", folder=None):
    text = FAST
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = (folder or source.parent) / name
    path.write_text(text)
    return load_space(path)


def test_every_result_is_read_with_its_budget_in_order(source):
    found = read_prior(source, load_space(source.parent / "fast.py"))
    lines = [json.loads(x) for x in (source / "results.json").read_text().splitlines()]
    assert sorted(loss for *_, loss in found) == sorted(x[3]["loss"] for x in lines)
    assert {budget for _, budget, _ in found} == {1.0, 3.0}


def test_a_killed_run_goes_on_to_the_same_proposals_without_its_source(tmp_path, copy):
    (tmp_path / "fast.py").write_text(FAST)
    flags = ("--space", tmp_path / "fast.py", "--seed", 7, "--n-brackets", 3)
    flags += ("--prior", copy, "--run")
    assert optimize(*flags, tmp_path / "whole").returncode == 0
    kill_early(*flags, tmp_path / "cut")
    shutil.rmtree(copy)
    assert optimize(*flags, tmp_path / "cut").returncode == 0
    assert proposals(tmp_path / "cut") == proposals(tmp_path / "whole")
    infos = [
        json.loads(line)[2]
        for line in (tmp_path / "cut" / "configs.json").read_text().splitlines()
    ]
    assert sum(info["model_based_pick"] for info in infos[:5]) >= 3
    stored = json.loads((tmp_path / "cut" / "run.json").read_text())["start_from"]
    assert stored["prior"]["source"] == str(copy.resolve())
    assert len(stored["prior"]["results"]) > 9


def test_it_goes_with_configurations_to_evaluate_first(tmp_path, source):
    space = load_space(source.parent / "fast.py")
    options = Options(run=tmp_path / "run", prior=source, start_from=source)
    request = resolve_run(options, space)
    assert set(request.start_from) == {"source", "configurations", "prior"}
    generator = request.generator()
    assert generator.model_budget() == 3.0
    assert generator.get_config(1.0)[0] == request.start_from["configurations"][0]
    assert not list(request.notes(request.brackets))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            [("ddqn.tau", "ddqn.gamma")],
            "it has ddqn.tau, which this lacks; it lacks ddqn.gamma",
        ),
        (
            [("(1e-4, 1e-2)", "(1e-4, 1e-1)"), ("(0.01, 0.5)", "(0.01, 0.4)")],
            "ddqn.lr is 0.0001 .. 0.01 on a log scale there, 0.0001 .. 0.1 on a log "
            "scale here; ddqn.tau is 0.01 .. 0.5 there, 0.01 .. 0.4 here",
        ),
        (
            [('"relu"]', '"relu", "leaky_relu"]')],
            "ddqn.activation is one of 'tanh', 'relu' there, one of 'tanh', 'relu', "
            "'leaky_relu' here",
        ),
        ([("1.0)", "0.5)")], "ddqn.eps_init is one of 1.0 there, one of 0.5 here"),
    ],
)
def test_another_space_is_refused_with_both_differences(
    tmp_path, source, changes, told
):
    space = space_of(source, *changes, folder=tmp_path)
    with pytest.raises(UserError) as error:
        read_prior(source, space)
    assert f"has another search space than 'other': {told}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_space_cut_short_and_a_run_without_results_are_one_line(copy, source):
    space = load_space(source.parent / "fast.py")
    results = (copy / "results.json").read_text()
    (copy / "results.json").write_text("")
    with pytest.raises(UserError, match="has no result: nothing to learn from"):
        read_prior(copy, space)
    (copy / "results.json").write_text(results[: len(results) // 3])
    with pytest.warns(UnreadableWarning, match="not a whole JSON line"):
        assert read_prior(copy, space)
    text = (copy / "configspace.json").read_text()
    (copy / "configspace.json").write_text(text[: len(text) // 2])
    with (
        pytest.warns(UnreadableWarning),
        pytest.raises(UserError, match="is missing or damaged"),
    ):
        read_prior(copy, space)
    with pytest.raises(UserError, match="is no run"):
        read_prior(source.parent, space)


def test_too_few_results_and_a_search_without_the_model_are_refused(copy, source):
    space = load_space(source.parent / "fast.py")
    options = Options(run=copy.parent / "new", prior=copy)
    for odd in ({"optimizer": "random"}, {"optimizer": "hyperband"}, {"model": "kde"}):
        with pytest.raises(UserError, match="--prior needs --optimizer bohb and"):
            resolve_run(replace(options, **odd), space)
    lines = (copy / "results.json").read_text().splitlines(keepends=True)
    (copy / "results.json").write_text("".join(lines[:3]))
    done = optimize(
        *("--space", source.parent / "fast.py", "--prior", copy),
        *("--run", options.run),
    )
    assert done.returncode == 2
    assert "3 results are too few" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not options.run.exists()


def test_a_run_begun_otherwise_is_not_continued(copy, source):
    space = load_space(source.parent / "fast.py")
    with pytest.raises(UserError, match="was begun without --prior: leave that out"):
        resolve_run(Options(run=copy, prior=source), space)
    with pytest.raises(UserError, match=r"--prior .* is the run itself"):
        resolve_run(Options(run=copy, prior=copy, overwrite=True), space)
    data = json.loads((copy / "run.json").read_text())
    prior = {"source": str(source), "results": read_prior(source, space)}
    (copy / "run.json").write_text(json.dumps({**data, "start_from": {"prior": prior}}))
    for same in (Options(run=copy), Options(run=copy, prior=source)):
        assert resolve_run(same, space).generator().model_budget() == 3.0
    with pytest.raises(UserError, match="was begun with --prior"):
        resolve_run(Options(run=copy, prior=copy.parent), space)
    for damage in ({"source": 3}, [1], {"results": []}):
        stored = {**data, "start_from": {"prior": damage}}
        (copy / "run.json").write_text(json.dumps(stored))
        with pytest.raises(UserError, match=r"is damaged \(start_from\): restore it"):
            resolve_run(Options(run=copy), space)
