"""The command: what it records, however it is split, interrupted or damaged."""

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

import se_hpo
from se_hpo.agents import AGENTS, kind_of
from se_hpo.agents.ddqn_config import DDQNConfig
from se_hpo.errors import UserError
from se_hpo.evaluate import evaluation_files, evaluation_run
from se_hpo.evaluate.__main__ import main
from se_hpo.evaluate.evaluation import resolve
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.results.evaluations import record_key
from se_hpo.training import native_engine
from se_hpo.training.inner_loop import load_engine
from se_hpo.training.process_pool import Completed
from tests.helpers.engine_jobs import needs_engine
from tests.helpers.fake_sets import make_set, make_sets

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


class PoolInThisProcess:
    """Trains one agent after the other, with the native engine if it is there."""

    fail_after: int | None = None

    def __init__(self, n_processes, load):
        self.train = load_engine("auto", with_torch=False)

    def completed(self, jobs):
        for position, job in enumerate(jobs):
            if position == self.fail_after:
                raise KeyboardInterrupt
            yield Completed(position, self.train(job), 0.5)

    def close(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(evaluation_run, "ProcessPool", PoolInThisProcess)
    monkeypatch.setattr(PoolInThisProcess, "fail_after", None)
    return monkeypatch


def options(root, **changes):
    values = {"num_agents": 3, "test_episodes": 2, "fixed_steps": 200, "quiet": True}
    return EvaluateOptions(envs=(Path(root),), **{**values, **changes})


def command(root, *flags):
    flags = map(str, ("--envs", root, "--test-episodes", 2, *flags))
    return [sys.executable, "-m", "se_hpo.evaluate", *flags]


def run_command(root, *flags):
    return subprocess.run(
        command(root, *flags), capture_output=True, text=True, timeout=120, env=ENV
    )


def records(folder):
    """Every record, but for its time, as text: equal means equal bytes."""
    lines = [
        line
        for file in sorted(Path(folder).glob("*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    return sorted(
        json.dumps({**json.loads(line), "seconds": 0}) for line in lines if line
    )


def test_every_agent_of_every_setting_is_recorded_and_paired(tmp_path, quick, capsys):
    run = make_sets(tmp_path / "run")
    main(options(run.root, fixed_steps=None, agents=("ddqn",), quiet=False))
    frame = se_hpo.load_evaluations(run.root)
    assert frame.groupby("train_env").size().to_dict() == dict.fromkeys(
        ("real", "se_fixed", "se_varied"), 6
    )
    shared = ["agent_seed", "hp.lr", "hp.batch_size", "hp.hidden_size"]
    assert (frame.groupby("pair")[shared].nunique() == 1).all(axis=None)
    assert (frame.groupby("train_env")["agent_seed"].nunique() == 6).all()
    on_se = frame[frame["train_env"] != "real"]
    assert (on_se["pair"] // 3 == on_se["se"]).all()
    assert (on_se["se_solved"] == (on_se["se"] == 0)).all()
    assert (on_se["env_steps"] <= 300).all(), "the cap of the sets"
    assert frame["test_returns"].map(len).eq(2).all()
    assert (frame["score"] == frame["test_returns"].map(sum) / 2).all()
    out = capsys.readouterr().out
    assert "2 of 2 SEs finished, 1 solved" in out
    assert "se_hpo.load_evaluations" in out
    assert "real" in out and "se_varied" in out


def test_the_same_command_again_trains_nothing(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root))
    file = run.evaluations / "fixed-200-0.jsonl"
    before = file.read_bytes()
    quick.setattr(PoolInThisProcess, "fail_after", 0)
    main(options(run.root))
    assert file.read_bytes() == before


def test_what_was_finished_stays_and_the_rest_follows(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root, out=tmp_path / "whole/a.jsonl"))
    quick.setattr(PoolInThisProcess, "fail_after", 7)
    with pytest.raises(KeyboardInterrupt):
        main(options(run.root))
    assert len(records(run.evaluations)) == 7
    quick.setattr(PoolInThisProcess, "fail_after", None)
    main(options(run.root))
    assert records(run.evaluations) == records(tmp_path / "whole")


def test_two_shards_are_one_run(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root, out=tmp_path / "whole/a.jsonl"))
    for shard in ("1/2", "2/2"):
        main(options(run.root, shard=shard))
    evaluation_files = sorted(file.name for file in run.evaluations.glob("*.jsonl"))
    assert evaluation_files == [f"fixed-200-0.shard-{i}-of-2.jsonl" for i in (1, 2)]
    assert all((run.evaluations / name).stat().st_size for name in evaluation_files)
    assert records(run.evaluations) == records(tmp_path / "whole")


def test_an_unsharded_run_takes_what_the_shards_have(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root, shard="1/2"))
    main(options(run.root))
    frame = se_hpo.load_evaluations(run.root)
    assert len(frame) == 18
    assert frame["record_file"].nunique() == 2


def test_a_torn_last_line_is_closed_named_and_trained_again(tmp_path, quick, caplog):
    run = make_sets(tmp_path / "run")
    main(options(run.root))
    whole = records(run.evaluations)
    file = run.evaluations / "fixed-200-0.jsonl"
    torn = file.read_bytes()[:-30]
    file.write_bytes(torn)
    main(options(run.root))
    assert "fixed-200-0.jsonl:18" in caplog.text
    assert file.read_bytes().startswith(torn + b"\n")
    lines = file.read_text().splitlines()
    assert len(lines) == 19
    file.write_text("\n".join(lines[:17] + lines[18:]) + "\n")
    assert records(run.evaluations) == whole


def test_agents_and_sets_may_be_added_later(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.ses / "varied"))
    main(options(run.root))
    main(options(run.root, agents=("dueling_ddqn",)))
    main(options(run.root, train_envs=("real",), agents=("ddqn", "dueling_ddqn")))
    frame = se_hpo.load_evaluations(run.root)
    assert (frame.groupby(["agent", "train_env"]).size() == 6).all()
    assert len(frame) == 2 * 3 * 6
    header = json.loads((run.evaluations / "fixed-200-0.json").read_text())
    assert set(header["settings"]["agents"]) == {"ddqn", "dueling_ddqn"}
    assert set(header["settings"]["sets"]) == {"fixed", "varied"}
    assert len(header["attempts"]) == 4  # the commands, for the report
    assert all(attempt["command"] for attempt in header["attempts"])


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"num_agents": 4}, "num_agents 3 -> 4"),
        ({"test_episodes": 5}, "test_episodes 2 -> 5"),
        ({"seed": 1}, "seed 0 -> 1"),
        ({"fixed_steps": 9}, "fixed_steps 200 -> 9"),
        ({"fixed_steps": None}, "fixed_steps 200 -> null"),
        pytest.param(
            {"engine": "torch"},
            'agents.ddqn.engine "native" -> "torch"',
            marks=needs_engine,
        ),
        ({"agent_space": ("ddqn=vary_ddqn",)}, '-> "from the space vary_ddqn"'),
        ({"set": ("ddqn.tau=0.5",)}, "agents.ddqn.base.tau 0.01 -> 0.5"),
    ],
)
@pytest.mark.parametrize("how", [{}, {"shard": "2/2"}, {"plan": True}])
def test_other_settings_are_refused_and_nothing_is_written(
    tmp_path, quick, changes, line, how
):
    run = make_sets(tmp_path / "run")
    out = run.evaluations / "a.jsonl"
    main(options(run.root, out=out))
    before = {path: path.read_bytes() for path in run.evaluations.iterdir()}
    with pytest.raises(UserError) as error:
        main(options(run.root, out=out, **how, **changes))
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in run.evaluations.iterdir()} == before


def test_an_se_that_changed_is_refused(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root))
    source = run.ses / "fixed/001.safetensors"
    (run.ses / "varied/001.safetensors").write_bytes(source.read_bytes())
    with pytest.raises(UserError, match=r"sets\.varied\.ses\.1"):
        main(options(run.root))


def foreign_file(file):
    file.write_text("my notes\n")


def damaged_header(file):
    file.touch()
    file.with_suffix(".json").write_text('{"format": 1')


def foreign_header(file):
    file.touch()
    file.with_suffix(".json").write_text('["format"]')


@pytest.mark.parametrize("make", [foreign_file, damaged_header, foreign_header])
def test_a_file_of_something_else_is_never_touched(tmp_path, quick, make):
    run = make_sets(tmp_path / "run")
    make(file := tmp_path / "notes.jsonl")
    before = {p: p.read_bytes() for p in tmp_path.glob("notes*")}
    with pytest.raises(UserError, match=r"notes\.json, which says") as error:
        main(options(run.root, out=file))
    assert "\n" not in str(error.value)
    assert {p: p.read_bytes() for p in tmp_path.glob("notes*")} == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("package.json", {"name": "mine"}),
        ("run.json", {"format": 1, "settings": {"space": "nes_cartpole"}}),
        ("list.json", []),
    ],
)
@pytest.mark.parametrize("how", [{}, {"plan": True}])
def test_a_json_of_something_else_is_never_overwritten(
    tmp_path, quick, name, content, how
):
    run = make_sets(tmp_path / "run")
    file = tmp_path / name
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match="is not of an evaluation") as error:
        main(options(run.root, out=file.with_suffix(".jsonl"), **how))
    assert "\n" not in str(error.value)
    assert json.loads(file.read_text()) == content
    assert {path.name for path in tmp_path.iterdir()} == {"run", name}


def test_a_set_is_never_overwritten(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    folder = run.ses / "varied"
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for stem in ("set", "000"):
        with pytest.raises(UserError, match="is not of an evaluation"):
            main(options(run.root, out=folder / f"{stem}.jsonl"))
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_lock_file_of_something_else_is_never_removed(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    lock = tmp_path / "poetry.lock"
    lock.write_text("# This file is generated by Poetry\n")
    with pytest.raises(UserError, match="holds something else"):
        main(options(run.root, out=tmp_path / "poetry.jsonl"))
    assert lock.read_text() == "# This file is generated by Poetry\n"
    assert {path.name for path in tmp_path.iterdir()} == {"run", "poetry.lock"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"envs": ()}, "--envs"),
        ({"agents": ("dqn",)}, "did you mean"),
        ({"train_envs": ("fake",)}, "unknown train_env"),
        ({"shard": "3/2"}, "--shard 3/2"),
        ({"threads": -1}, "--threads -1"),
        ({"num_agents": 0}, "--num-agents 0"),
        ({"out": Path("notes.txt")}, "ends in .jsonl"),
        ({"out": Path("a.shard-1-of-2.jsonl")}, "ends in .jsonl"),
        ({"engine": "tensorflow"}, "engine"),
    ],
)
def test_bad_flags_are_refused_in_one_line_before_anything_is_written(
    tmp_path, quick, monkeypatch, changes, line
):
    run = make_sets(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as error:
        main(replace(options(run.root), **changes))
    assert line in str(error.value)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_only_solved_uses_solved_ses_and_their_pairs(tmp_path, quick):
    run = make_sets(tmp_path / "run", solved=(1,))
    main(options(run.root, only_solved=True))
    frame = se_hpo.load_evaluations(run.root)
    assert set(frame["se"].dropna()) == {1}
    assert set(frame["pair"]) == {3, 4, 5}


def test_the_table_is_of_the_agents_that_were_asked_for(tmp_path, quick, capsys):
    run = make_sets(tmp_path / "run", solved=(1,))
    main(options(run.root))
    capsys.readouterr()
    main(options(run.root, only_solved=True))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    counts = {row[1]: row[2] for row in rows if row[:1] == ["ddqn"]}
    assert counts == {"real": "3", "se_varied": "3", "se_fixed": "3"}


def loaded(out):
    """The frame that the last line of a command's output shows the means of."""
    python, flag, code = shlex.split(out.splitlines()[-1])
    # The interpreter that runs, unless it is what a shell calls python.
    assert flag == "-c"
    assert python == "python" or Path(python).samefile(sys.executable)
    names: dict[str, object] = {}
    frame, _ = code.split(".groupby(")
    exec(frame.replace("print(", "frame = (") + ")", names)
    return names["frame"]


@pytest.mark.parametrize("name", ["sp ace ü'q", 'a$HOME`b`"c', ":cat:", "back\\n!"])
def test_the_next_command_is_quoted_for_the_shell(tmp_path, quick, capsys, name):
    run = make_sets(tmp_path / name, n=1)
    main(options(run.root, num_agents=1))
    assert len(loaded(capsys.readouterr().out)) == 3


@pytest.mark.parametrize("shards", [("1/1",), ("1/2", "2/2"), ("1/2", "2/2", None)])
def test_the_next_command_loads_what_was_recorded(tmp_path, quick, capsys, shards):
    run = make_sets(tmp_path / "run")
    for shard in shards:
        main(options(run.root, out=tmp_path / "mine/a.jsonl", shard=shard))
    assert len(loaded(capsys.readouterr().out)) == 18


def test_the_plan_counts_and_writes_nothing(tmp_path, quick, capsys):
    run = make_sets(tmp_path / "run")
    main(options(run.root, plan=True, agents=("ddqn", "dueling_ddqn")))
    assert "dueling_ddqn" in capsys.readouterr().out
    assert not run.evaluations.exists()
    quick.setattr(PoolInThisProcess, "fail_after", 7)
    with pytest.raises(KeyboardInterrupt):
        main(options(run.root))
    before = sorted(run.evaluations.iterdir())
    capsys.readouterr()
    main(options(run.root, plan=True, num_agents=3))
    out = capsys.readouterr().out
    left = [int(line.split("│")[-2]) for line in out.splitlines() if "│ ddqn" in line]
    assert sum(left) == 18 - 7
    assert sorted(run.evaluations.iterdir()) == before


def test_another_process_at_the_same_records_is_refused(tmp_path, quick):
    run = make_sets(tmp_path / "run")
    main(options(run.root))
    lock = resolve(options(run.root)).files.lock
    before = {path: path.read_bytes() for path in run.evaluations.iterdir()}
    with lock, pytest.raises(UserError, match="in use by an evaluation with pid"):
        main(options(run.root, agents=("dueling_ddqn",)))
    assert {p: p.read_bytes() for p in run.evaluations.iterdir()} == before
    main(options(run.root))
    assert not list(run.evaluations.glob("*.lock"))


@pytest.mark.parametrize("shard", [None, "2/2"])
def test_of_two_that_begin_at_once_only_one_says_what_the_records_are_of(
    tmp_path, quick, shard
):
    """The other one comes between the first one's look and its writing."""
    run = make_sets(tmp_path / "run")
    out, write_json, errors = (
        run.evaluations / "a.jsonl",
        evaluation_files.write_json,
        [],
    )
    other = options(run.root, out=out, seed=2, shard=shard)
    evaluation = resolve(other)

    def begin_other():
        try:
            evaluation_run.run_evaluation(evaluation, quiet=True)
        except UserError as error:
            errors.append(str(error))

    thread = threading.Thread(target=begin_other)

    def meanwhile(path, data):
        if not thread.ident:
            thread.start()
            thread.join(0.5)  # it may have to wait for its turn
        write_json(path, data)

    quick.setattr(evaluation_files, "write_json", meanwhile)
    main(options(run.root, out=out, seed=1))
    thread.join(60)
    assert len(errors) == 1 and ("in use" in errors[0] or "seed 1 -> 2" in errors[0])
    headers = [json.loads(p.read_text()) for p in run.evaluations.glob("*.json")]
    assert [header["settings"]["seed"] for header in headers] == [1]


def test_records_of_a_renamed_set_are_named(tmp_path, quick, caplog):
    run = make_sets(tmp_path / "run", n=1)
    main(options(run.root))
    (run.ses / "varied").rename(run.ses / "other")
    with caplog.at_level("INFO", "se_hpo"):
        main(options(run.root, quiet=False))
    assert f"3 records are of sets that {run.root} has no more (varied)" in caplog.text


def test_ses_for_other_tasks_are_evaluated_on_theirs(tmp_path, quick):
    make_set(tmp_path / "run/ses/varied", task="Acrobot-v1", n=1)
    main(options(tmp_path / "run", num_agents=1))
    frame = se_hpo.load_evaluations(tmp_path / "run")
    assert set(frame["task"]) == {"Acrobot-v1"}
    assert frame["score"].between(-500, 0).all()


# From here on as a user types it.


def test_both_engines_and_all_agents_run_from_the_command_line(tmp_path):
    make_set(tmp_path / "run/ses/varied", n=1)
    flags = ["--agents", "ddqn", "dueling_ddqn", "td3_discrete", "--num-agents", 1]
    flags += ["--fixed-steps", 250, "--threads", 2]
    for name in ("auto", "torch"):
        out = tmp_path / f"{name}.jsonl"
        done = run_command(tmp_path / "run", *flags, "--engine", name, "--out", out)
        assert done.returncode == 0, done.stderr
        assert "agents/s" in done.stdout
        assert "WARNING" not in done.stderr
    auto, torch = (
        se_hpo.load_evaluations(tmp_path / f"{name}.jsonl").sort_values(
            ["agent", "train_env"], ignore_index=True
        )
        for name in ("auto", "torch")
    )
    assert auto["agent"].tolist() == torch["agent"].tolist()
    assert auto["agent_seed"].tolist() == torch["agent_seed"].tolist()
    assert auto["hp.lr"].tolist() == torch["hp.lr"].tolist()
    for frame in (auto, torch):
        assert len(frame) == 6
        assert set(frame["stop_reason"]) == {"max_env_steps"}
        assert set(frame["env_steps"]) == {250}
        assert (frame["seconds"] > 0).all()
    assert set(torch["engine"]) == {"torch"}
    expected = "native" if native_engine.available() else "torch"
    assert auto["engine"][auto["agent"] == "ddqn"].eq(expected).all()


@pytest.fixture
def start():
    """Starts the command in a process group that does not outlive the test."""
    processes = []

    def run(root, *flags):
        process = subprocess.Popen(
            command(root, *flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENV,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_for_lines(file, n, process):
    deadline = time.monotonic() + 150
    while not file.exists() or file.read_bytes().count(b"\n") < n:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group_is_gone(process):
    """Whether no process is left of those that it started."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)]
)
def test_killed_or_interrupted_and_continued_each_agent_is_recorded_once(
    tmp_path, quick, start, number, code
):
    run = make_sets(tmp_path / "run")
    steps = 30_000 if native_engine.available() else 600
    flags = ["--num-agents", 6, "--fixed-steps", steps, "--threads", 2]
    process = start(run.root, *flags)
    file = run.evaluations / f"fixed-{steps}-0.jsonl"
    wait_for_lines(file, 3, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert group_is_gone(process)
    if number == signal.SIGINT:
        assert errors.strip().endswith("the same command goes on from here")
    done = file.read_text().splitlines()
    assert 3 <= len(done) < 36
    main(options(run.root, num_agents=6, fixed_steps=steps))
    keys = [record_key(json.loads(line)) for line in file.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 36
    out = tmp_path / "whole/a.jsonl"
    main(options(run.root, num_agents=6, fixed_steps=steps, out=out))
    assert records(run.evaluations) == records(out.parent)


def test_a_killed_training_process_ends_it_in_one_line(tmp_path, quick, start):
    run = make_sets(tmp_path / "run")
    steps = 30_000 if native_engine.available() else 600
    process = start(run.root, "--fixed-steps", steps, "--threads", 1, "--quiet")
    wait_for_lines(run.evaluations / f"fixed-{steps}-0.jsonl", 1, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in map(int, children.read_text().split()):
        if b"pool_process" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(child, signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors.splitlines()[-1] == (
        "error: a training process died (exit code -9), perhaps out of memory: use "
        "fewer threads; the same command goes on from here"
    )
    assert "Traceback" not in errors
    assert not list(run.evaluations.glob("*.lock"))


def test_a_display_that_fails_says_so_once_and_ends_nothing(tmp_path, quick, capsys):
    def fails(*_):
        raise OSError(5, "Input/output error")

    run = make_sets(tmp_path / "run").root
    quick.setattr(evaluation_run.Progress, "add", fails)
    assert main(options(run, quiet=False, train_envs=("se_varied",))) == 0
    assert len(se_hpo.load_evaluations(run)) == 6
    assert capsys.readouterr().err.count("Input/output error") == 1


def test_the_help_names_every_agent_there_is(monkeypatch, capsys):
    monkeypatch.setitem(AGENTS, "my_agent", kind_of(DDQNConfig()))
    with pytest.raises(SystemExit):
        tyro.cli(EvaluateOptions, args=["--help"])
    text = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert f"Algorithms, of {', '.join(AGENTS)}." in text
    assert "my_agent" in text
