"""Scripts, flags and refusals of `python -m se_hpo.slurm`, without a cluster."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from se_hpo.errors import UserError
from se_hpo.machine import slurm_queue
from se_hpo.optimize.options import Options
from se_hpo.slurm import bash
from se_hpo.slurm.__main__ import main
from se_hpo.slurm.options import ShardOptions, SlurmOptions
from se_hpo.slurm.scripts import Resources, seconds_of
from se_hpo.slurm.shard_jobs import launch_shards
from se_hpo.slurm.slurm_jobs import (
    Launch,
    new_launch,
    read_launches,
    submitting,
    write_launch,
)
from se_hpo.slurm.slurm_status import job_table
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.flags import joined
from tests.helpers.fake_run import add_configuration, add_result, make_run

BASE = {
    "space": "smoke", "n_workers": 3, "partition": "cpu", "time": "1-00:00",
    "cpus_per_task": 2, "setup": "module load gcc", "seed": 3, "max_budget": 9,
    "sbatch": ("--account=x --mem 4G",), "quiet": True, "dry_run": True,
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    """The scripts of a dry run, by name."""
    run = tmp_path / "my run"
    assert main(SlurmOptions(**BASE, run=run, nic="ib0")) == 0
    return {path.stem: path.read_text() for path in (run / "slurm").glob("*.sbatch")}


def directives(script):
    return [x.removeprefix("#SBATCH ") for x in script.splitlines() if "#SBATCH" in x]


def command(script):
    """The last command of a script, as the shell sees its words."""
    begin = script.index("run /")
    text = script[begin:].replace(" \\\n", " ").splitlines()[0]
    echo = ["bash", "-c", "run() { printf '%s\\n' \"$@\"; }; " + text]
    return subprocess.check_output(echo, text=True, env={}).splitlines()


def test_a_dry_run_writes_scripts_and_nothing_else(written, tmp_path):
    assert set(written) == {"master", "workers", "cleanup"}
    run = tmp_path / "my run"
    assert not (run / "run.json").exists()
    assert (run / "logs").is_dir(), "SLURM does not make it"
    (launch,) = read_launches(run / "slurm" / "jobs.json")
    assert launch.ids == {}
    assert launch.n == 3


def test_scripts_are_valid_shell(written):
    for script in written.values():
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        if shutil.which("shellcheck"):
            check = ["shellcheck", "-s", "bash", "-e", "SC2086", "-"]
            subprocess.run(check, input=script, text=True, check=True)


@pytest.mark.parametrize(("goes_on", "starts"), [(False, 5), (True, 9)])
def test_a_worker_that_dies_is_not_started_for_ever_unless_the_run_goes_on(
    tmp_path, goes_on, starts
):
    (tmp_path / "slurm").mkdir()
    result = "echo x >>results.json;" if goes_on else ""
    begin = f"slurm={tmp_path}/slurm; ended=/dev/null; leaving=; n=0\n"
    begin += f"run() {{ echo ran; {result} ((++n < 9)) && code=137 || code=0; }}\n"
    text = begin + bash.WORKER.replace("@indented@", "")
    done = subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.splitlines().count("ran") == starts
    assert done.stderr == ""


def test_scripts_ask_for_what_was_asked(written):
    for name, cpus in (("master", 1), ("workers", 2)):
        asked = directives(written[name])
        assert {"--partition=cpu", "--time=1-00:00", "--requeue"} <= set(asked)
        assert f"--cpus-per-task={cpus}" in asked
        assert "--signal=B:USR1@60" in asked
        assert asked[-2:] == ["--account=x", "--mem 4G"], "the user has the last word"
        assert "\nmodule load gcc\n" in written[name]
    assert "--array=0-2" in directives(written["workers"])


def test_the_master_gets_the_flags_of_optimize(written, tmp_path):
    words = command(written["master"])
    assert words[0] == sys.executable
    rest = words[words.index("--role") :]
    assert rest == [
        *("--role", "master", "--run", str(tmp_path / "my run"), "--threads", "1"),
        *("--space", "smoke", "--seed", "3", "--max-budget", "9", "--nic", "ib0"),
        "--quiet",
    ]


def test_workers_wait_for_this_launch_s_master_on_the_same_interface(written):
    words = command(written["workers"])
    name = words[words.index("--master-job") + 1]
    assert f"--job-name={name}" in directives(written["master"])
    assert words[words.index("--nic") + 1] == "ib0"
    assert "--wait" in words
    worker = name.replace("-master", "-worker")
    assert f"--job-name={worker}" in directives(written["workers"])
    for ends_workers in ("master", "cleanup"):
        assert f"--name={worker}\n" in written[ends_workers]


def test_every_flag_of_optimize_is_passed_on_or_has_another_meaning_here():
    odd = {
        "space": "s", "optimizer": "random", "min_budget": 1, "max_budget": 2,
        "eta": 2.0, "n_brackets": 1, "brackets": "aggressive", "seed": 1,
        "random_fraction": 0.5, "random_start": True, "engine": "torch",
        "start_from": Path("other"), "start_best": 2, "on": Path("zoo:CartPole-v0"),
        "prior": Path("other"),
        "loss": "clipped", "prefer_cheap": True, "model": "kde", "tensorboard": True,
        "nic": "ib0", "max_failures": 1, "confirm": 1, "quiet": True, "verbose": True,
    }  # fmt: skip
    here = {"run", "n_workers", "threads", "role", "host", "overwrite"}
    local = {"plan", "list_spaces", "describe"}
    assert set(Options.__dataclass_fields__) == set(odd) | here | local
    flags = SlurmOptions(**odd).master_flags()
    assert {"--" + name.replace("_", "-") for name in odd} <= set(flags)
    assert not SlurmOptions().master_flags()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": "tomorrow"}, "--time tomorrow: write minutes"),
        ({"time": "1-"}, "--time 1-"),
        ({"cpus_per_task": 0}, "--cpus-per-task 0"),
        ({"n_workers": 0}, "--n-workers 0"),
        ({"sbatch": ("account",)}, "begins with -"),
        ({"sbatch": ("--comment='x",)}, "--sbatch"),
        ({"space": None}, "--list-spaces"),
        ({"space": "smok"}, "did you mean 'smoke'"),
        ({"role": "worker"}, "--role worker"),
        ({"host": "node1"}, "--nic"),
        ({"overwrite": True}, "leave out --overwrite"),
        ({"status": True, "stop": True}, "give one of them"),
        ({"status": True, "run": None}, "--run"),
        ({"status": True}, "was not launched on SLURM"),
        ({"min_budget": 100}, "min budget 100 is above"),
    ],
)
def test_wrong_flags_are_one_line_and_write_no_script(tmp_path, changes, message):
    options = SlurmOptions(**{**BASE, "run": tmp_path / "run", **changes})
    with pytest.raises(UserError) as error:
        main(options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("*.sbatch"))


def test_without_slurm_the_message_says_where_to_go(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    options = SlurmOptions(**{**BASE, "dry_run": False}, run=tmp_path / "run")
    with pytest.raises(UserError, match=r"no sbatch found: .* login node"):
        main(options)
    assert not (tmp_path / "run").exists()


def test_a_foreign_folder_and_another_run_are_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds no run"):
        main(SlurmOptions(**BASE, run=tmp_path))
    assert not list(tmp_path.rglob("*.sbatch"))


def test_two_submissions_at_once_are_refused(tmp_path):
    paths = RunPaths(tmp_path / "run")
    with submitting(paths), pytest.raises(UserError, match="submitting right now"):
        main(SlurmOptions(**BASE, run=tmp_path / "run"))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"launches": [{"nam": 1}]}', "null"])
def test_damaged_job_ids_are_one_clear_line(tmp_path, text):
    path = tmp_path / "run" / "slurm" / "jobs.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(UserError, match=r"jobs.json is damaged .* squeue --me"):
        main(SlurmOptions(run=tmp_path / "run", status=True))


def test_launches_of_runs_with_one_name_have_different_job_names(tmp_path):
    names = {new_launch(tmp_path / x / "run", "optimize", 1).name for x in "ab"}
    assert len(names) == 2


def test_names_of_jobs_bear_any_folder_name(tmp_path):
    name = new_launch(tmp_path / "a, b\"c'$(x)%j", "optimize", 1).name
    assert name.replace("-", "").replace("_", "").replace(".", "").isalnum()


def as_sbatch_reads(line):
    """The words of an #SBATCH line, with sbatch's quotes, backslashes and comments."""
    words, word, quote, escaped, begun = [], "", "", False, False
    for c in line:
        if escaped:
            word, escaped = word + c, False
        elif c == "\\":
            escaped = begun = True
        elif quote:
            word, quote = (word, "") if c == quote else (word + c, quote)
        elif c in "\"'":
            quote, begun = c, True
        elif c == "#":
            break
        elif c.isspace():
            words, word, begun = words + [word] * begun, "", False
        else:
            word, begun = word + c, True
    return words + [word] * begun


ODD = ["run#1", "it's", 'so "called"', "50%", "a=b, c;d", "x @id@ y", "ümläut", "$HOME"]


@pytest.mark.parametrize("name", ODD)
def test_sbatch_and_bash_read_every_path_as_it_is(tmp_path, monkeypatch, name):
    here = tmp_path / f"from {name}"
    here.mkdir()
    monkeypatch.chdir(here)
    more = f"--comment={shlex.quote(name)} -C {shlex.quote(name)}"
    asked = {"partition": name, "sbatch": (more,)}
    assert main(SlurmOptions(**{**BASE, **asked}, run=Path(name) / "run")) == 0
    folder = here / name / "run"
    for path in (folder / "slurm").glob("*.sbatch"):
        script = path.read_text()
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        read = [as_sbatch_reads(line) for line in directives(script)]
        assert [f"--chdir={here}"] in read
        assert [f"--partition={name}"] in read
        assert read[-2:] == [[f"--comment={name}"], ["-C", name]]
        (output,) = [w[0] for w in read if w[0].startswith("--output=")]
        before = f"--output={folder}/logs/".replace("%", "%%")
        assert output.removeprefix(before).count("/") == 0 < output.count("%")
        if path.stem != "cleanup":
            assert str(folder) in command(script)
            line = next(x for x in script.splitlines() if x.startswith("slurm="))
            told = f'{line.partition(" #")[0]}; printf %s "$slurm"'
            assert subprocess.check_output(["bash", "-c", told]).decode() == str(
                folder / "slurm"
            )


@pytest.mark.parametrize("name", ["a\nb", "a\\b", "a\tb", "a\udce4b"])
def test_what_sbatch_cannot_read_is_refused_by_its_name(tmp_path, name):
    with pytest.raises(UserError, match=r"choose another") as error:
        main(SlurmOptions(**BASE, run=tmp_path / name))
    assert repr(name[1]) in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["partition", "sbatch"])
def test_a_value_with_a_line_break_is_refused(tmp_path, flag):
    value = {"partition": "a\nb", "sbatch": ("--comment='a\nb'",)}[flag]
    with pytest.raises(UserError, match=r"'\\n'"):
        main(SlurmOptions(**{**BASE, flag: value}, run=tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_sets_with_odd_names_have_jobs_that_squeue_finds(tmp_path):
    options, names = ShardOptions(shards=2, dry_run=True), set()
    for name in ("a,b", "a_b", "a b#1%"):
        rest = [*TRAIN, "--out", str(tmp_path / "run" / "ses" / name)]
        paths, made = launch_shards("train", options, rest)
        names |= set(made.job_names())
        script = (paths.slurm / f"{made.kind}.sbatch").read_text()
        assert str(tmp_path / "run" / "ses" / name) in command(script)
    assert len(names) == 3
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1", 60), ("2:30", 150), ("1:00:00", 3600), ("1-1", 90000), ("0-0:1:1", 61)],
)
def test_time_limits_are_read_as_slurm_reads_them(text, seconds):
    assert seconds_of(text) == seconds


def test_a_short_job_is_warned_a_third_of_its_time_before_the_end(tmp_path):
    main(SlurmOptions(**{**BASE, "time": "1"}, run=tmp_path))
    master = (tmp_path / "slurm" / "master.sbatch").read_text()
    assert "--signal=B:USR1@20" in directives(master)


def test_values_that_begin_with_dashes_need_no_equals_sign():
    words = ["--sbatch", "--mem=4G", "--space", "smoke", "--setup", "-x", "--dry-run"]
    assert joined(words) == [
        *("--sbatch=--mem=4G", "--space", "smoke", "--setup=-x", "--dry-run")
    ]


def test_how_a_job_ended_is_told_by_its_script_where_there_is_no_accounting(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "/nowhere")
    (tmp_path / "7").write_text("0\n")
    (tmp_path / "8_1").write_text("137\n")
    assert slurm_queue.final_state("7", tmp_path) == "COMPLETED"
    assert slurm_queue.final_state("8_1", tmp_path) == "FAILED (exit code 137)"
    assert slurm_queue.final_state("9", tmp_path) == "ENDED"


def program(folder, name, says):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)


def test_accounting_has_the_word_where_there_is_one(tmp_path, monkeypatch):
    (tmp_path / "7").write_text("0\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "sacct", "echo OUT_OF_MEMORY")
    assert slurm_queue.final_state("7", tmp_path) == "OUT_OF_MEMORY"
    program(tmp_path, "sacct", "echo 'accounting storage is disabled' >&2; exit 1")
    assert slurm_queue.final_state("7", tmp_path) == "COMPLETED"


def test_jobs_that_the_user_has_submitted_are_in_the_status_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "squeue", "exit 0")
    paths = RunPaths(tmp_path / "run")
    (paths.slurm / "ended").mkdir(parents=True)
    for name, code in (("5_0", 0), ("12", 143), ("9_1", 0)):
        (paths.slurm / "ended" / name).write_text(f"{code}\n")
    launch = Launch("name", "optimize", 1, {"worker": ["5"]})
    columns = [list(column.cells) for column in job_table(paths, [launch]).columns]
    assert columns[0] == ["worker", "by hand", "by hand"]
    assert columns[1] == ["5_0", "9_1", "12"]
    assert columns[2] == ["COMPLETED", "COMPLETED", "FAILED (exit code 143)"]


def test_the_status_shows_what_it_can_where_squeue_does_not_answer(
    tmp_path, monkeypatch, capsys
):
    run = make_run(tmp_path / "run")
    add_configuration(run, (0, 0, 0))
    add_result(run, (0, 0, 0), 1.0, 0.25, 1000.0)
    write_launch(run.jobs, Launch("name", "optimize", 1))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program(tmp_path, "squeue", "echo 'slurm_load_jobs error: timed out' >&2; exit 1")
    with pytest.raises(UserError, match="squeue does not answer"):
        main(SlurmOptions(run=run.root, status=True))
    assert "0.2500" in capsys.readouterr().out


def test_a_worker_does_not_take_a_silent_slurm_for_a_dead_master(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert not slurm_queue.MasterJob("x", every=0).is_over()


# -- train and evaluate ---------------------------------------------------------------

TRAIN = ["--config", "paper-cartpole", "--num-envs", "4", "--vary-hp"]


def test_train_becomes_an_array_of_its_shards(tmp_path):
    rest = [*TRAIN, "--out", str(tmp_path / "run" / "ses" / "varied")]
    options = ShardOptions(partition="cpu", shards=3, dry_run=True)
    _, made = launch_shards("train", options, rest)
    script = (tmp_path / "run" / "slurm" / "train-varied.sbatch").read_text()
    assert "--array=1-3" in directives(script)
    assert "--requeue" in directives(script)
    monkey = script.replace("${SLURM_ARRAY_TASK_ID}", "2")
    words = command(monkey)
    assert words[:3] == [sys.executable, "-m", "se_hpo.train"]
    assert words[3:] == [*rest, "--shard", "2/3"]
    assert isinstance(made, Launch)


@pytest.mark.parametrize(
    ("options", "rest", "message"),
    [
        ({}, ["--config", "paper-cartpol"], "did you mean"),
        ({}, [*TRAIN, "--shard", "1/2"], "--shards"),
        ({"shards": 0}, TRAIN, "--shards 0"),
        ({"time": "x"}, TRAIN, "--time x"),
    ],
)
def test_wrong_flags_of_train_are_refused_before_anything_is_written(
    tmp_path, monkeypatch, options, rest, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        launch_shards("train", ShardOptions(dry_run=True, **options), rest)
    assert message in str(error.value)
    assert not list(tmp_path.iterdir())


def test_resources_that_nobody_asked_for_are_left_to_the_cluster(tmp_path):
    main(SlurmOptions(space="smoke", run=tmp_path, dry_run=True))
    asked = " ".join(directives((tmp_path / "slurm" / "workers.sbatch").read_text()))
    assert "--partition" not in asked
    assert "--time" not in asked
    assert Resources() == SlurmOptions().resources()


def test_the_ids_of_jobs_are_json(tmp_path):
    main(SlurmOptions(**BASE, run=tmp_path))
    data = json.loads((tmp_path / "slurm" / "jobs.json").read_text())
    assert data["format"] == 1
    assert data["launches"][0]["kind"] == "optimize"
