"""Reading sets of SEs: whole, half-finished, damaged, foreign; and without torch."""

import json
import subprocess
import sys
import warnings

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.results.columns import SE_COLUMNS, SE_GENERATION_COLUMNS
from se_hpo.results.lines import UnreadableWarning
from se_hpo.results.se_outcome import SEOutcome, read_outcome
from se_hpo.results.se_sets import find_sets, load_se_generations, load_ses, read_set
from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.json_records import record
from tests.helpers import fake_sets
from tests.helpers.fake_run import generation_line
from tests.helpers.places import ROOT


def change(path, **changes):
    write_json(path, {**json.loads(path.read_text()), **changes})


def make_set(root, n_envs=3, train_env="se_fixed"):
    """All SEs but the last are finished, the first of them solved."""
    paths = fake_sets.make_set(root, train_env, n_envs - 1)
    change(paths.set, n_envs=n_envs)
    for index in range(n_envs - 1):
        files = paths.run(index)
        write_json(files.config, {"task": "CartPole-v0"})
        for generation in range(2):
            line = generation_line(generation, [30.0, 196.0])
            append_json_line(files.generations, line)
    return paths


@pytest.fixture
def paths(tmp_path):
    """SEs 0 (solved) and 1 are finished, 2 is not."""
    return make_set(tmp_path / "results" / "cp" / "ses" / "fixed")


def test_a_set_is_read_with_what_it_was_trained_with(paths):
    with pytest.warns(UnreadableWarning, match="not finished: 002; left out"):
        se_set = read_set(paths.root)
    assert (se_set.train_env, se_set.task, se_set.name) == (
        "se_fixed",
        "CartPole-v0",
        "fixed",
    )
    assert (se_set.config, se_set.n_envs, se_set.generations) == (
        fake_sets.CONFIG,
        3,
        3,
    )
    assert [o.index for o in se_set.outcomes] == [0, 1]
    assert [o.solved for o in se_set.outcomes] == [True, False]


def test_one_row_per_se_with_declared_columns(paths):
    with pytest.warns(UnreadableWarning):
        frame = load_ses(paths.root)
    assert {c: str(frame[c].dtype) for c in frame} == SE_COLUMNS
    assert frame.se.tolist() == [0, 1]
    assert frame.run.tolist() == ["cp", "cp"]
    assert frame.se_set.tolist() == ["fixed", "fixed"]
    assert frame.solved_at.isna().tolist() == [False, True]
    assert frame.best_score.tolist() == [196.0, 51.0]
    assert frame.checkpoint[1] == str(paths.checkpoint(1))


def test_one_row_per_generation_also_of_unfinished_ses(paths):
    unfinished = paths.run(2)
    unfinished.root.mkdir()
    unfinished.generations.write_bytes(
        paths.run(0).generations.read_bytes().splitlines(keepends=True)[0]
    )
    frame = load_se_generations(paths.root)
    assert {c: str(frame[c].dtype) for c in frame} == SE_GENERATION_COLUMNS
    assert frame.se.tolist() == [0, 0, 1, 1, 2]
    assert frame.generation.tolist() == [1, 2, 1, 2, 1]
    assert frame.center_score.tolist() == [113.0] * 5
    assert frame.env_steps_se.sum() == 2500


def test_all_sets_of_a_run_are_read_from_its_folder(paths):
    run = paths.root.parents[1]
    make_set(run / "ses" / "varied", train_env="se_varied")
    assert [p.name for p in find_sets(run)] == ["fixed", "varied"]
    assert find_sets(paths.root) == [paths.root]
    with pytest.warns(UnreadableWarning):
        frame = load_ses(run)
    assert frame.train_env.tolist() == ["se_fixed"] * 2 + ["se_varied"] * 2
    assert load_se_generations(run).se_set.nunique() == 2


def test_a_whole_set_is_read_without_a_word(tmp_path):
    paths = make_set(tmp_path / "own", n_envs=2)
    change(paths.set, n_envs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = load_ses(paths.root)
    assert frame.run.isna().all(), "it lies in no run"


def test_a_set_without_any_se_has_all_columns(tmp_path):
    paths = make_set(tmp_path / "empty", n_envs=1)
    with pytest.warns(UnreadableWarning, match="not finished: 000"):
        frame = load_ses(paths.root)
    assert (len(frame), list(frame)) == (0, list(SE_COLUMNS))
    assert list(load_se_generations(paths.root)) == list(SE_GENERATION_COLUMNS)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda p: p.write_text('{"index": 0, "se'), "000.json is unreadable"),
        (lambda p: p.write_text("[]"), "must be a mapping of names"),
        (lambda p: p.write_text("{}"), "index is missing"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "000.json is unreadable"),
        (lambda p: change(p, index=1), "it is of SE 1"),
        (lambda p: change(p, task="Acrobot-v1"), "it is of se_fixed on Acrobot-v1"),
        (lambda p: change(p, train_env="se_varied"), "it is of se_varied"),
        (lambda p: change(p, train_env="real"), "train_env 'real' is unknown"),
        (lambda p: change(p, solved="yes"), "solved = 'yes': must be of type bool"),
        (lambda p: change(p, trainings=1.5), "trainings = 1.5: must be of type int"),
        (
            lambda p: change(p, wall_seconds="1"),
            "wall_seconds = '1': must be of type float",
        ),
    ],
)
def test_a_damaged_or_foreign_outcome_is_named_and_left_out(paths, damage, why):
    damage(paths.outcome(0))
    with pytest.warns(UnreadableWarning) as caught:
        se_set = read_set(paths.root)
    assert [o.index for o in se_set.outcomes] == [1]
    (warning,) = caught
    assert why in str(warning.message)
    assert "not finished: 002" in str(warning.message)
    assert "\n" not in str(warning.message)


def test_an_outcome_without_its_checkpoint_is_named_and_left_out(paths):
    paths.checkpoint(1).unlink()
    with pytest.warns(UnreadableWarning, match=r"001\.safetensors is missing"):
        assert [o.index for o in read_set(paths.root).outcomes] == [0]


def test_a_failed_se_stays_an_outcome_and_has_no_checkpoint(paths):
    changes = {
        "best_score": None,
        "final_score": None,
        "reason": "failed: ValueError: x",
    }
    change(paths.outcome(1), **changes)
    paths.checkpoint(1).unlink()
    with pytest.warns(UnreadableWarning, match="not finished: 002; left out"):
        frame = load_ses(paths.root)
    assert frame.reason[1] == "failed: ValueError: x"
    assert frame.best_score.isna()[1]
    assert frame.checkpoint.isna().tolist() == [False, True]


def test_many_unfinished_ses_are_named_briefly(paths):
    change(paths.set, n_envs=40)
    with pytest.warns(UnreadableWarning, match=r"002, 003, \.\.\. 039 \(38\)"):
        read_set(paths.root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is no set of SEs of this version"),
        ('{"format": 99}', "is no set of SEs of this version"),
        ('{"format": 1}', "is damaged"),
    ],
)
def test_a_damaged_set_is_refused_in_one_line(paths, text, message):
    paths.set.write_text(text)
    for read in (read_set, load_ses, load_se_generations):
        with pytest.raises(UserError, match=message) as refused:
            read(paths.root)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_envs": "many"},
        {"train_env": "real"},
        {"config": {"task": "CartPole-v0"}},
        {"config": []},
        {"seed": None},
        {"generations": "x"},
    ],
)
def test_a_set_with_a_nonsensical_entry_is_refused(paths, changes):
    change(paths.set, **changes)
    with pytest.raises(UserError, match="is damaged"):
        read_set(paths.root)


def test_a_folder_that_is_no_set_is_refused_with_the_sets_that_are_near(paths):
    run = paths.root.parents[1]
    for folder, hint in [
        (run.parent / "nothing", "does not exist: train one"),
        (paths.root.parent / "fixd", "does not exist: did you mean 'fixed'"),
        (run, rf"is no set of SEs: name one in it: {paths.root}"),
        (paths.root / "runs", "is no set of SEs"),
        (paths.set, "is no set of SEs"),
    ]:
        with pytest.raises(UserError, match=hint):
            read_set(folder)
    with pytest.raises(UserError, match="does not exist"):
        load_ses(run.parent / "nothing")


def test_outcomes_survive_json_and_newer_keys(paths):
    outcome = read_outcome(paths, 0)
    data = json.loads(json.dumps(outcome.to_dict()))
    assert record(SEOutcome, {**data, "of a newer version": 1}) == outcome
    assert read_outcome(paths, 2) is None


def test_reading_imports_no_torch(paths):
    code = (
        f"import sys, se_hpo as s; r = {str(paths.root)!r}; print(len(s.load_ses(r)), "
        "len(s.load_se_generations(r)), 'torch' in sys.modules)"
    )
    out = subprocess.check_output([sys.executable, "-Wignore", "-c", code], text=True)
    assert out.split() == ["2", "4", "False"]
    assert {"load_ses", "load_se_generations"} <= set(se_hpo.__all__)


def test_docs_describe_every_column_with_its_dtype():
    page = (ROOT / "docs" / "results.md").read_text()
    for name, dtype in (SE_COLUMNS | SE_GENERATION_COLUMNS).items():
        shown = "stop_reasons.<reason>" if name.startswith("stop_reasons.") else name
        assert f"| `{shown}` | `{dtype}` |" in page
