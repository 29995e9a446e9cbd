"""The command as a user types it: outcome, continuation, interruption, bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import se_hpo
from se_hpo.__main__ import COMMANDS
from se_hpo.errors import UserError
from se_hpo.optimize.__main__ import main
from se_hpo.optimize.display import RunDisplay
from se_hpo.optimize.options import Options
from tests.helpers.places import ROOT

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
DECIDED = ["trial", "budget", "status", "loss", "reason", "score_best", "env_steps_se"]


def command(*flags):
    return [sys.executable, "-m", "se_hpo.optimize", *map(str, flags)]


def optimize(*flags, cwd=None, timeout=150):
    return subprocess.run(
        command(*flags),
        capture_output=True,
        text=True,
        timeout=timeout,
        env=ENV,
        cwd=cwd,
    )


def decided(run):
    """What the seed decides of a run: everything but times and places."""
    frame = se_hpo.load_trials(run)
    columns = DECIDED + [c for c in frame.columns if c.startswith("config.")]
    return frame[[*columns, "model_based"]]


def space_file(tmp_path, text):
    path = tmp_path / "own.py"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole smoke run, and what the command printed."""
    run = tmp_path_factory.mktemp("runs") / "smoke"
    return run, optimize("--space", "smoke", "--run", run, "--n-brackets", 16)


def test_smoke_ends_with_a_table_and_the_next_command(finished):
    run, done = finished
    assert done.returncode == 0, done.stderr
    assert "Best trials" in done.stdout
    assert f"se_hpo.load_trials('{run}')" in done.stdout
    assert done.stderr.count(" budget ") == 48, "one line per evaluation"
    assert "WARNING" not in done.stderr
    assert "ERROR" not in done.stderr
    for log in (run / "logs").iterdir():
        assert "WARNING" not in log.read_text()


def test_its_outcome_loads_into_pandas_and_the_model_was_used(finished):
    run, _ = finished
    frame = se_hpo.load_trials(run)
    assert len(frame) == 48
    assert (frame.status == "finished").all()
    assert frame.loss.between(0, 1).all()
    assert frame.model_based.sum() > 3, "BOHB's model proposed some of them"
    kinds = {str(frame[c].dtype) for c in frame if c.startswith("config.")}
    assert len(kinds) >= 3, "categorical, integer and float columns"
    generations = se_hpo.load_generations(run)
    assert len(generations) == 8 * (2 * 1 + 3) + 8 * 2 * 3
    best = se_hpo.load_incumbent(run)
    assert best.loss == frame[frame.budget == 3].loss.min()
    assert best.checkpoint.exists()


def test_hpbandster_reads_the_folder(finished):
    from hpbandster.core.result import logged_results_to_HBS_result

    run, _ = finished
    result = logged_results_to_HBS_result(str(run))
    assert len(result.get_all_runs()) == 48
    assert result.get_incumbent_id() is not None


def test_the_same_command_again_adds_nothing(finished):
    run, _ = finished
    before = (run / "results.json").read_bytes()
    again = optimize("--space", "smoke", "--run", run, "--n-brackets", 16)
    assert again.returncode == 0
    assert (run / "results.json").read_bytes() == before
    assert len(json.loads((run / "run.json").read_text())["attempts"]) == 2


def test_other_settings_in_the_same_folder_are_refused_with_the_difference(finished):
    run, _ = finished
    with pytest.raises(UserError, match=r"max_budget 3 -> 9.*--overwrite"):
        main(Options(space="smoke", run=run, max_budget=9))


@pytest.mark.parametrize("damaged", [(0, 20), (47,)], ids=["first_and_some", "last"])
def test_damaged_journal_lines_are_computed_again_and_the_rest_used(
    tmp_path, finished, damaged
):
    run = tmp_path / "damaged"
    shutil.copytree(finished[0], run)
    lines = (run / "results.json").read_bytes().splitlines(keepends=True)
    lost = [json.loads(lines[k])[:2] for k in damaged]
    for k in damaged:
        lines[k] = b'{"half\n'
    (run / "results.json").write_bytes(b"".join(lines))
    again = optimize("--space", "smoke", "--run", run, "--n-brackets", 16)
    assert again.returncode == 0, again.stderr
    for k in damaged:
        assert f"line {k + 1} is damaged" in again.stderr
    after = decided(run).sort_values(["trial", "budget"], ignore_index=True)
    before = decided(finished[0]).sort_values(["trial", "budget"], ignore_index=True)
    pd.testing.assert_frame_equal(after, before)
    added = (run / "results.json").read_bytes().splitlines()[-len(damaged) :]
    assert sorted(json.loads(line)[:2] for line in added) == sorted(lost)


def wait_for_results(run, lines, timeout=60):
    deadline = time.monotonic() + timeout
    results = Path(run) / "results.json"
    while time.monotonic() < deadline:
        if results.exists() and results.read_bytes().count(b"\n") >= lines:
            return
        time.sleep(0.02)
    raise AssertionError(f"{results} has no {lines} lines after {timeout} s")


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_an_interrupted_run_ends_within_five_seconds_and_continues_the_same(
    tmp_path, finished, number, code
):
    flags = ("--space", "smoke", "--run", tmp_path / "cut", "--n-brackets", 16)
    with subprocess.Popen(
        command(*flags), stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV
    ) as process:
        wait_for_results(tmp_path / "cut", 4)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=5)
    assert process.returncode == code
    assert b"the same command goes on" in stderr
    assert b"Traceback" not in stderr
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "cut")], capture_output=True)
    assert not left.stdout, "no process is left"
    assert optimize(*flags).returncode == 0
    pd.testing.assert_frame_equal(decided(tmp_path / "cut"), decided(finished[0]))


def test_kill_9_of_master_and_worker_changes_nothing(tmp_path, finished):
    run = tmp_path / "killed"
    flags = ("--space", "smoke", "--run", run, "--n-brackets", 16)
    for lines in (3, 12):
        with subprocess.Popen(
            command(*flags), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env=ENV,
        ) as process:  # fmt: skip
            wait_for_results(run, lines)
            subprocess.run(["pkill", "-9", "-f", f"se_hpo.worker --run {run}"])
            wait_for_results(run, lines + 4)
            process.kill()
    assert optimize(*flags).returncode == 0
    pd.testing.assert_frame_equal(decided(run), decided(finished[0]))


def test_several_workers_give_each_trial_the_same_loss(tmp_path, finished):
    run = tmp_path / "two"
    done = optimize("--space", "smoke", "--run", run, "--n-workers", 2)
    assert done.returncode == 0, done.stderr
    one, two = decided(finished[0]), decided(run)
    both = two.merge(one, on=["trial", "budget"], suffixes=("", "_one"))
    same = both[both["config.ddqn.lr"] == both["config.ddqn.lr_one"]]
    assert len(same) >= 4, "the first bracket has the same configurations"
    assert (same.loss == same.loss_one).all()


def test_master_and_worker_can_be_started_apart(tmp_path):
    run = tmp_path / "apart"
    flags = ("--space", "smoke", "--run", run, "--role")
    with subprocess.Popen(
        command(*flags, "master"), env=ENV, stderr=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as master:  # fmt: skip
        while not (run / "run.json").exists():
            time.sleep(0.05)
            assert master.poll() is None
        worker = optimize("--role", "worker", "--run", run, "--threads", 1)
        stdout, _ = master.communicate(timeout=20)
    assert (worker.returncode, master.returncode) == (0, 0), worker.stderr
    assert b"Best trials" in stdout


def test_confirm_reports_how_optimistic_the_winner_was(tmp_path):
    run = tmp_path / "confirmed"
    done = optimize(
        "--space",
        "smoke",
        "--run",
        run,
        "--max-budget",
        1,
        "--n-brackets",
        3,
        "--confirm",
        2,
    )
    assert done.returncode == 0, done.stderr
    assert "On fresh seeds" in done.stdout
    rows = json.loads((run / "confirm" / "confirmation.json").read_text())
    tried = [len(row["fresh_losses"]) for row in rows]
    assert tried == [6, 6, 3]
    for row in rows:
        mean = sum(row["fresh_losses"]) / len(row["fresh_losses"])
        assert row["optimism"] == pytest.approx(mean - row["loss"])
    assert se_hpo.load_incumbent(run).trial == rows[0]["trial"]


@pytest.mark.parametrize("optimizer", ["hyperband", "random"])
def test_other_optimizers_never_ask_the_model(tmp_path, optimizer):
    run = tmp_path / optimizer
    done = optimize("--space", "smoke", "--run", run, "--optimizer", optimizer)
    assert done.returncode == 0, done.stderr
    frame = se_hpo.load_trials(run)
    assert not frame.model_based.any()
    assert (frame.budget == 3).all() == (optimizer == "random")


def test_plan_prints_the_cost_and_writes_nothing(tmp_path):
    done = optimize("--space", "smoke", "--plan", "--n-workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "10 trials, 12 evaluations, 22 generations" in done.stdout
    assert "expected wall time with 2 worker(s)" in done.stdout
    assert not list(tmp_path.iterdir())


def test_describe_and_list_print_tables(capsys):
    assert main(Options(list_spaces=True)) == 0
    assert main(Options(describe="nes_cartpole")) == 0
    out = capsys.readouterr().out
    assert "nes_acrobot" in out
    assert "ddqn.one_minus_gamma" in out


SPACE = """
from ConfigSpace import ConfigurationSpace
META = {meta}
def space(seed=None):
    return ConfigurationSpace({{"{name}": (0.1, 1.0)}}, seed=seed)
"""
META = {
    "objective": "nes", "task": "CartPole-v0", "agent": "ddqn",
    "min_budget": 1, "max_budget": 3, "eta": 3, "base": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "--list-spaces"),
        ({"space": "nes_cartpol"}, "did you mean 'nes_cartpole'"),
        ({"space": "smoke", "min_budget": 9}, "min budget 9 is above max budget 3"),
        ({"space": "smoke", "eta": 1.0}, "eta = 1"),
        ({"space": "smoke", "min_budget": 0}, "min budget = 0"),
        ({"space": "smoke", "n_brackets": 0}, "0 brackets"),
        ({"space": "smoke", "n_workers": 0}, "--n-workers 0"),
        ({"space": "smoke", "threads": -1}, "--threads -1"),
        ({"space": "smoke", "random_fraction": 1.5}, "--random-fraction 1.5"),
        ({"space": "smoke", "host": "no.such.host.invalid"}, "host"),
        ({"space": "smoke", "seed": -1}, "--seed -1"),
        ({"space": "smoke", "seed": 2**32}, "--seed 4294967296"),
        ({"space": "smoke", "confirm": -1}, "--confirm -1"),
        ({"space": "smoke", "max_failures": -1}, "--max-failures -1"),
        ({"space": "smoke", "host": "0.0.0.0"}, "--host"),
        ({"space": ""}, "--list-spaces"),
        ({"describe": ""}, "--list-spaces"),
        ({"space": "/tmp"}, "is a folder"),
        ({"role": "worker"}, "--run DIR"),
        ({"role": "worker", "run": Path(), "n_workers": 2}, "one worker"),
    ],
)
def test_bad_flags_are_one_line_and_write_nothing(
    tmp_path, monkeypatch, changes, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        main(replace(Options(quiet=True), **changes))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.rglob("run.json"))


@pytest.mark.parametrize(
    ("meta", "name", "message"),
    [
        ({"task": "CartPole-v7"}, "nes.step_size", "CartPole-v7"),
        ({"task": "MountainCarContinuous-v0"}, "nes.step_size", "agents for it: td3"),
        ({"agent": "a3c"}, "nes.step_size", "a3c"),
        ({}, "nes.step_sise", "nes.step_size"),
        ({"base": {"nes.populations": 3}}, "nes.step_size", "nes.population"),
    ],
)
def test_a_space_that_fits_nothing_is_one_line(tmp_path, meta, name, message):
    path = space_file(tmp_path, SPACE.format(meta={**META, **meta}, name=name))
    with pytest.raises(UserError) as error:
        main(Options(space=path, run=tmp_path / "run"))
    assert message in str(error.value)
    assert path in str(error.value)
    assert not (tmp_path / "run").exists()


def test_errors_end_with_exit_code_2_and_one_line_on_stderr(tmp_path):
    for flags in (("--space", "nes_cartpol"), ("--role", "worker", "--run", tmp_path)):
        done = optimize(*flags, cwd=tmp_path)
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert done.stderr.startswith("error: ")
    assert optimize("--no-such-flag").returncode == 2
    assert not list(tmp_path.iterdir())


def test_a_user_s_own_space_by_path_runs(tmp_path):
    smoke = ROOT / "spaces" / "smoke.py"
    path = space_file(tmp_path, smoke.read_text())
    flags = ("--space", path, "--max-budget", 1, "--n-brackets", 2)
    done = optimize(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(se_hpo.load_trials(tmp_path / "results" / "own-0")) == 2


def test_a_display_that_fails_says_so_once_and_ends_nothing(
    tmp_path, monkeypatch, capsys
):
    def fails(*_):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(RunDisplay, "update", fails)
    monkeypatch.setattr("se_hpo.optimize.display.evaluation_line", fails)
    assert main(Options(space="smoke", run=tmp_path / "run", n_brackets=2)) == 0
    assert len(se_hpo.load_trials(tmp_path / "run")) == 6
    assert capsys.readouterr().err.count("Stale file handle") == 1


def test_a_run_json_of_another_version_is_one_line_for_a_worker(tmp_path):
    (tmp_path / "run.json").write_text('{"settings": {"space": "smoke"}}')
    with pytest.raises(UserError, match=r"run\.json does not say what is tuned") as e:
        main(Options(role="worker", run=tmp_path))
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("name", "number", "module"),
    [
        *((name, signal.SIGTERM, "tyro") for name in (*COMMANDS, "train.worker")),
        *(
            ("train", number, "gymnasium")
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        ),
    ],
)
def test_a_signal_while_a_command_still_starts_ends_it_in_order(
    tmp_path, name, number, module
):
    """Told at the moment at which a heavy import begins."""
    (tmp_path / f"{module}.py").write_text(
        f"import os, time\nos.kill(os.getpid(), {int(number)})\ntime.sleep(60)"
    )
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", f"se_hpo.{name}"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**ENV, "PYTHONPATH": paths},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (128 + number, "")
