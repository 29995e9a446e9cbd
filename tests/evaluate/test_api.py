"""`se_hpo.evaluate.run`: the command from a script, a notebook or a thread."""

import asyncio
import threading
from pathlib import Path

import pytest

import se_hpo
from se_hpo.errors import UserError
from tests.helpers.fake_sets import make_sets
from tests.helpers.programs import example, script, surroundings

FLAGS = {"agents": ["ddqn"], "num_agents": 2, "fixed_steps": 200}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The documented example, run as a script, in the folder that it asks for."""
    folder = tmp_path_factory.mktemp("script")
    make_sets(folder / "results" / "RUN", n=1)
    text = example("evaluate.md", "se_hpo.evaluate.run") + "print(len(frame))"
    return folder, script(folder, text)


@pytest.fixture
def run_folder(made, monkeypatch):
    monkeypatch.chdir(made[0])
    return "results/RUN"


def test_the_documented_example_is_a_script_without_a_guard(made):
    said, errors = made[1]
    head, *rows, count = said.strip().splitlines()
    assert head.split()[0] == "agents" and len(rows) == 4
    assert count == "6", "2 agents on 3 environments"
    assert errors == ""


def test_the_same_call_trains_nothing_and_leaves_no_trace(run_folder, capfd):
    before, folder = surroundings(), Path(run_folder, "evaluations").absolute()
    file = folder / "fixed-200-0.jsonl"
    records = file.read_bytes()
    evaluation = se_hpo.evaluate.run(envs=[run_folder], **FLAGS)
    assert file.read_bytes() == records
    assert surroundings() == before
    assert capfd.readouterr() == ("", "")
    assert (evaluation.records, evaluation.folder) == (file, folder)
    assert repr(evaluation) == f"<Evaluation of 6 agents in {file}>"
    frame = se_hpo.load_evaluations(run_folder)
    assert evaluation.frame().equals(frame)
    means = evaluation.summary()
    assert means["agents"].tolist() == [2, 2, 2]
    real = frame[frame["train_env"] == "real"]
    assert means.loc[("ddqn", "real"), "score"] == real["score"].mean()


def test_a_terminal_has_a_table_and_without_progress_has_none(
    run_folder, capfd, monkeypatch
):
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    se_hpo.evaluate.run(envs=[run_folder], progress=False, **FLAGS)
    assert capfd.readouterr() == ("", "")
    se_hpo.evaluate.run(envs=[run_folder], **FLAGS)
    assert "6 of 6 agents" in capfd.readouterr().err


CELL = """
import se_hpo
evaluation = se_hpo.evaluate.run(
    envs=root, train_envs="real", num_agents=3, fixed_steps=100, threads=2, out=out
)
"""


def test_it_works_in_a_cell_of_a_notebook_whose_loop_runs(run_folder, tmp_path):
    names = {"__name__": "__main__", "root": run_folder, "out": tmp_path / "a.jsonl"}

    async def cell():
        exec(compile(CELL, "<cell>", "exec"), names)

    asyncio.run(cell())
    assert len(names["evaluation"].frame()) == 3


def test_it_works_in_a_thread(run_folder, tmp_path):
    names = {"root": run_folder, "out": str(tmp_path / "a.jsonl")}
    thread = threading.Thread(target=lambda: exec(CELL, names))
    thread.start()
    thread.join()
    assert len(names["evaluation"].frame()) == 3


def test_the_callback_gets_every_record_and_what_it_raises_ends_the_call(
    run_folder, tmp_path
):
    class EnoughError(Exception):
        pass

    told, flags = [], {**FLAGS, "out": tmp_path / "a.jsonl", "threads": 1}

    def stop(record):
        told.append(record)
        if len(told) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        se_hpo.evaluate.run(envs=run_folder, callback=stop, **flags)
    assert len(se_hpo.load_evaluations(tmp_path / "a.jsonl")) == 2
    evaluation = se_hpo.evaluate.run(envs=run_folder, callback=stop, **flags)
    frame = evaluation.frame()
    assert [record["score"] for record in told] == frame["score"].tolist()
    assert len(told) == 6


def test_a_plan_trains_and_writes_nothing(run_folder, tmp_path):
    out = tmp_path / "a.jsonl"
    evaluation = se_hpo.evaluate.run(envs=run_folder, plan=True, out=out, **FLAGS)
    assert len(evaluation.own_agents()) == 6
    assert evaluation.frame().empty
    assert evaluation.summary().empty
    assert not any(tmp_path.iterdir())
    with pytest.raises(UserError, match="num_agents 2 -> 3"):
        se_hpo.evaluate.run(envs=run_folder, plan=True, **{**FLAGS, "num_agents": 3})


def test_a_flag_of_few_names_or_none_takes_both(run_folder, tmp_path):
    for value, expected in (("default", "default"), (None, "varied")):
        flags = {**FLAGS, "hyperparameters": value, "out": tmp_path / "a.jsonl"}
        plan = se_hpo.evaluate.run(envs=run_folder, plan=True, **flags).plan
        assert plan.rules.how.variation == expected


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"num_agent": 1}, "unknown flag 'num_agent': did you mean 'num_agents'"),
        ({"num_agents": "1"}, "num_agents = '1': must be of type int"),
        ({"fixed_steps": 1.5}, "fixed_steps = 1.5: must be of type int"),
        ({"agents": [1]}, r"agents\[0\] = 1: must be of type str"),
        ({"engine": "tensorflow"}, "engine = 'tensorflow': must be one of auto, na"),
        ({"set": {"ddqn.tauu": 1}}, "tauu"),
        ({"hyperparameters": "vary"}, "hyperparameters = 'vary': must be one of def"),
        ({"shard": "3/2"}, "--shard 3/2"),
        ({"envs": ["nowhere"]}, "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_ends_no_program(run_folder, flags, line):
    with pytest.raises(UserError, match=line) as error:
        se_hpo.evaluate.run(**{"envs": run_folder, **flags})
    assert "\n" not in str(error.value)
