"""Records of phase 2 as a frame: also damaged, sharded or absent ones."""

import json
import subprocess
import sys
import warnings

import pandas as pd
import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.results.evaluations import EVALUATION_COLUMNS
from se_hpo.results.lines import UnreadableWarning
from se_hpo.storage.files import append_json_line, write_json


def make_record(pair=0, train_env="se_varied", **changes):
    on_se = train_env != "real"
    record = {
        "train_env": train_env,
        "task": "CartPole-v0",
        "se_set": "varied" if on_se else None,
        "se": pair // 10 if on_se else None,
        "se_solved": True if on_se else None,
        "se_score": 196.5 if on_se else None,
        "agent": "ddqn",
        "pair": pair,
        "hyperparameters": {"lr": 0.001 * (pair + 1), "batch_size": 64},
        "agent_seed": 2**62 + pair,
        "rule": "paper",
        "max_env_steps": 300 if on_se else None,
        "env_steps": 300,
        "episodes": 21,
        "stop_reason": "plateau",
        "test_returns": [200.0, 190.0],
        "score": 195.0,
        "test_env_steps": 390,
        "seconds": 1.25,
        "engine": "native",
    }
    return {**record, **changes}


def write(file, *records):
    for record in records:
        append_json_line(file, record)
    return file


def evaluation(root):
    file = root / "run/evaluations/paper-0.jsonl"
    return write(file, *(make_record(p, s) for p in (0, 10) for s in SETTINGS))


SETTINGS = ("real", "se_varied")


def test_a_row_per_agent_with_all_columns_and_their_dtypes(tmp_path):
    frame = se_hpo.load_evaluations(evaluation(tmp_path))
    assert list(frame) == [*EVALUATION_COLUMNS, "hp.lr", "hp.batch_size"]
    assert {c: str(frame[c].dtype) for c in EVALUATION_COLUMNS} == EVALUATION_COLUMNS
    assert frame["train_env"].tolist() == ["real", "se_varied"] * 2
    assert frame["pair"].tolist() == [0, 0, 10, 10]
    assert frame["se"].tolist() == [pd.NA, 0, pd.NA, 1]
    assert frame["se_solved"].isna().tolist() == [True, False, True, False]
    assert frame["max_env_steps"].tolist() == [pd.NA, 300, pd.NA, 300]
    assert frame["agent_seed"].tolist()[0] == 2**62, "no digit lost"
    assert frame["test_returns"][0] == [200.0, 190.0]
    assert frame["hp.lr"].tolist() == [0.001, 0.001, 0.011, 0.011]
    assert str(frame["hp.batch_size"].dtype) == "Int64"
    assert set(frame["record_file"]) == {"paper-0.jsonl"}


def test_run_folder_evaluations_folder_and_file_give_the_same(tmp_path):
    file = evaluation(tmp_path)
    frames = [
        se_hpo.load_evaluations(p) for p in (file, file.parent, str(tmp_path / "run"))
    ]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])


def test_what_all_agents_share_is_told_apart(tmp_path):
    for name, tau, engine in (("a", 1, "native"), ("b", 1, "torch"), ("c", 2, "torch")):
        file = write(tmp_path / f"{name}.jsonl", make_record())
        agents = {"ddqn": {"engine": engine, "base": {"tau": tau}}}
        write_json(file.with_suffix(".json"), {"settings": {"agents": agents}})
    write(tmp_path / "d.jsonl", make_record())
    a, b, c, d = se_hpo.load_evaluations(tmp_path)["agent_base"]
    assert a == b != c
    assert pd.isna(d)


def test_an_evaluation_that_has_just_begun_has_its_columns(tmp_path):
    file = tmp_path / "evaluations/paper-0.jsonl"
    file.parent.mkdir()
    file.touch()
    frame = se_hpo.load_evaluations(file)
    assert frame.empty
    assert {c: str(frame[c].dtype) for c in frame} == EVALUATION_COLUMNS


def test_hyperparameters_of_several_agents_stand_side_by_side(tmp_path):
    other = make_record(agent="td3_discrete", hyperparameters={"policy_delay": 2})
    file = write(tmp_path / "a.jsonl", make_record(), other)
    frame = se_hpo.load_evaluations(file)
    assert frame["hp.policy_delay"].tolist() == [pd.NA, 2]
    assert frame["hp.lr"].isna().tolist() == [False, True]


def test_shards_and_other_evaluations_of_a_folder_are_read_together(tmp_path):
    folder = tmp_path / "evaluations"
    write(folder / "paper-0.shard-1-of-2.jsonl", make_record(1))
    write(folder / "paper-0.shard-2-of-2.jsonl", make_record(2), make_record(1))
    write(folder / "fixed-5-0.jsonl", make_record(1, rule="fixed_steps"))
    with pytest.warns(UnreadableWarning, match="second record"):
        frame = se_hpo.load_evaluations(folder)
    assert sorted(zip(frame["rule"], frame["pair"], strict=True)) == [
        ("fixed_steps", 1),
        ("paper", 1),
        ("paper", 2),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"train_env":"se_varied","task":"CartP',
        "[1, 2]",
        "null",
        json.dumps({"train_env": "real"}),
        json.dumps(make_record(score="good")),
        json.dumps(make_record(pair=True)),
        json.dumps(make_record(stop_reason="tired")),
        json.dumps(make_record(rule="none")),
        json.dumps(make_record(test_returns=None)),
        json.dumps(make_record(hyperparameters=3)),
        json.dumps(make_record(hyperparameters={"lr": [1, 2]})),
        json.dumps(make_record(hyperparameters={"lr": 10**30})),
        json.dumps(make_record(pair=10**30)),
        json.dumps(make_record(env_steps=-(10**30))),
        json.dumps(make_record(se=2**63)),
        json.dumps(make_record(score=10**400)),
        json.dumps(make_record(test_returns=[10**400])),
        "\udcff",
    ],
)
def test_a_line_that_is_no_record_is_named_and_left_out(tmp_path, line):
    file = write(tmp_path / "a.jsonl", make_record(0))
    with file.open("ab") as out:
        out.write(line.encode("utf-8", "surrogateescape") + b"\n")
    write(file, make_record(1))
    with pytest.warns(UnreadableWarning, match=r"a\.jsonl:2"):
        frame = se_hpo.load_evaluations(file)
    assert frame["pair"].tolist() == [0, 1]


def test_a_folder_with_the_name_of_a_records_file_is_none(tmp_path):
    file = evaluation(tmp_path)
    (file.parent / "z.jsonl").mkdir()
    assert len(se_hpo.load_evaluations(file.parent)) == 4


def test_a_line_still_being_written_is_left_out(tmp_path):
    file = write(tmp_path / "a.jsonl", make_record(0), make_record(1))
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.warns(UnreadableWarning, match="not a whole JSON line"):
        assert se_hpo.load_evaluations(file)["pair"].tolist() == [0]


def test_values_of_newer_versions_are_no_obstacle(tmp_path):
    file = write(tmp_path / "a.jsonl", make_record(extra_column=5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(se_hpo.load_evaluations(file)) == 1


@pytest.mark.parametrize("name", ["nowhere", "empty", "empty/evaluations"])
def test_a_folder_without_evaluations_is_refused_in_one_line(tmp_path, name):
    (tmp_path / "empty/evaluations").mkdir(parents=True)
    with pytest.raises(UserError, match=r"se_hpo\.evaluate") as error:
        se_hpo.load_evaluations(tmp_path / name)
    assert "\n" not in str(error.value)


def test_reading_imports_no_torch(tmp_path):
    file = evaluation(tmp_path)
    code = (
        f"import sys, se_hpo; frame = se_hpo.load_evaluations({str(file)!r}); "
        "print(len(frame), *({'torch', 'ConfigSpace'} & set(sys.modules)))"
    )
    done = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert done.split() == ["4"]
