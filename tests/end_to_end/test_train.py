"""The command as a user types it: outcome, continuation, shards, kills, bad input."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

import se_hpo
from se_hpo.envs.checkpoint import load_se
from se_hpo.errors import UserError
from se_hpo.results.se_set_settings import read_settings
from se_hpo.storage.files import write_json
from se_hpo.storage.lock import RunLock
from se_hpo.storage.paths import SESetPaths
from se_hpo.train import set_run
from se_hpo.train.__main__ import main
from se_hpo.train.options import TrainOptions
from se_hpo.train.request import resolve_request
from se_hpo.train.set_run import finished as finished_se
from se_hpo.train.supervisor import HELD, MOST_RESTARTS, SEWorkers
from tests.helpers.fake_run import add_configuration, add_result, make_run

ENV = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "250"}
RECIPE = """
task: CartPole-v0
generations: 25
agent: {batch_size: 16, hidden_size: 8, hidden_layers: 1, max_env_steps: 200,
        init_episodes: 1, test_episodes: 2}
se: {hidden_size: 4}
nes: {population: 2, n_center_evaluations: 2, n_initial: 2, stop_when_solved: false,
      score_transform: nes_unnormalized}
"""
TIMES = ("wall_seconds", "cpu_seconds", "host")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(RECIPE)
    return path


def command(*flags):
    return [sys.executable, "-m", "se_hpo.train", *map(str, flags)]


def train(*flags, cwd=None):
    return subprocess.run(
        command(*flags), capture_output=True, text=True, timeout=200, env=ENV, cwd=cwd
    )


def decided(folder):
    """What the seed decides of a set: the bytes of everything but times and places."""
    paths = SESetPaths(Path(folder))
    found = {}
    for path in sorted(paths.root.glob("runs/*/*")):
        if path.suffix in (".safetensors", ".jsonl") and path.name != "timing.jsonl":
            found[str(path.relative_to(paths.root))] = path.read_bytes()
    for path in sorted(paths.root.glob("*.safetensors")):
        found[path.name] = path.read_bytes()
    for path in sorted(paths.root.glob("[0-9]*.json")):
        data = json.loads(path.read_text())
        found[path.name] = {k: v for k, v in data.items() if k not in TIMES}
    return found


def copy(finished, folder):
    shutil.copytree(finished[0], folder)
    return SESetPaths(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, recipe):
    """A whole set of three SEs, and what the command printed."""
    folder = tmp_path_factory.mktemp("sets") / "whole"
    done = train("--config", recipe, "--num-envs", 3, "--out", folder)
    return folder, done


def test_it_ends_with_a_table_that_marks_the_unsolved_and_the_next_command(finished):
    folder, done = finished
    assert done.returncode == 0, done.stderr
    assert "0 of 3 solved the task" in done.stdout
    assert done.stdout.count(" no │") == 3
    assert f"se_hpo.load_ses('{folder}')" in done.stdout
    lines = [line for line in done.stderr.splitlines() if "not solved" in line]
    assert len(lines) == 3, "a line per SE"
    assert all("ETA" in line for line in lines)
    assert "3/3" in lines[-1]
    assert "WARNING" not in done.stderr


def test_the_next_commands_are_quoted_for_the_shell(tmp_path, finished, recipe, capsys):
    folder = copy(finished, tmp_path / "sp ace ü'q").root
    main(TrainOptions(config=str(recipe), num_envs=3, out=folder))
    look, evaluate = map(shlex.split, capsys.readouterr().out.splitlines()[-2:])
    names: dict[str, object] = {}
    exec(look[-1].replace("print(", "frame = ("), names)
    assert len(names["frame"]) == 3
    assert evaluate[1:5] == ["-m", "se_hpo.evaluate", "--envs", str(folder)]
    assert evaluate[5:] == ["--out", f"{folder}-agents.jsonl"]


def test_its_outcome_loads_into_pandas(finished):
    folder, _ = finished
    frame = se_hpo.load_ses(folder)
    assert frame.se.tolist() == [0, 1, 2]
    assert (frame.train_env == "se_fixed").all()
    assert (frame.generations == 25).all()
    assert (frame.trainings == 2 + 25 * (2 + 2 * 2)).all()
    assert not frame.solved.any()
    assert frame.seed.nunique() == 3
    for row in frame.itertuples():
        metadata = load_se(row.checkpoint, "CartPole-v0").metadata
        assert (metadata["index"], metadata["best_score"]) == (row.se, row.best_score)
    generations = se_hpo.load_se_generations(folder)
    assert len(generations) == 75
    best = generations.groupby("se").center_score.max()
    assert best.tolist() == frame.best_score.tolist()


def test_the_same_command_again_trains_nothing(finished, recipe):
    folder, _ = finished
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    again = train("--config", recipe, "--num-envs", 3, "--out", folder, "--quiet")
    assert again.returncode == 0
    assert again.stderr == ""
    changed = {p.name for p in before if p.stat().st_mtime_ns != before[p]}
    assert changed == {"set.json"}, "only the attempt was noted"
    assert len(json.loads((folder / "set.json").read_text())["attempts"]) >= 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generations": 24}, "generations 25 -> 24"),
        ({"seed": 1}, "seed 0 -> 1"),
        ({"vary_hp": True}, "nes.vary_agents false -> true.*setting"),
        ({"set": ("ddqn.lr=1e-2",)}, "agent.lr 0.001 -> 0.01"),
        ({"random_search": True, "trainings": 99}, "trainings null -> 99"),
    ],
)
def test_other_settings_in_the_same_folder_are_refused_with_the_difference(
    finished, recipe, changes, message
):
    before = decided(finished[0])
    options = TrainOptions(config=str(recipe), num_envs=3, out=finished[0])
    with pytest.raises(UserError, match=f"{message}.*--out"):
        main(replace(options, **changes))
    with pytest.raises(UserError, match=message):
        main(replace(options, **changes, plan=True))
    assert decided(finished[0]) == before


def test_a_set_grows_and_two_shards_at_once_make_what_one_command_makes(
    tmp_path, finished, recipe
):
    folder = tmp_path / "shards"
    flags = ("--config", recipe, "--out", folder, "--num-envs")
    shards = [
        subprocess.Popen(
            command(*flags, n, "--shard", f"{k}/2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENV,
            text=True,
        )
        for k, n in [(1, 3), (2, 2)]
    ]
    outputs = [shard.communicate(timeout=200) for shard in shards]
    assert [shard.returncode for shard in shards] == [0, 0], outputs
    assert "2/2" in outputs[0][1]
    assert "1/1" in outputs[1][1]
    assert decided(folder) == decided(finished[0])
    data = json.loads((folder / "set.json").read_text())
    assert (data["n_envs"], len(data["attempts"])) == (3, 2)


def test_with_more_generations_a_set_becomes_what_it_would_be_at_once(
    tmp_path, finished, recipe, capsys
):
    paths = copy(finished, tmp_path / "grown")
    solved = paths.outcome(2)
    solved.write_text(solved.read_text().replace('"budget"', '"solved"'))
    before = solved.read_bytes()
    flags = {"config": str(recipe), "num_envs": 3, "generations": 27}
    main(TrainOptions(**flags, out=paths.root, plan=True))
    assert "2 to train" in " ".join(capsys.readouterr().out.split())
    assert main(TrainOptions(**flags, out=paths.root, quiet=True)) == 0
    assert solved.read_bytes() == before, "what is solved needs no more"
    assert main(TrainOptions(**flags, out=tmp_path / "at_once", quiet=True)) == 0
    grown, at_once = decided(paths.root), decided(tmp_path / "at_once")
    for found in (grown, at_once):
        for name in [name for name in found if "002" in name]:
            del found[name]
    assert grown == at_once
    assert read_settings(paths).generations == 27
    frame = se_hpo.load_ses(paths.root)
    assert frame.generations.tolist() == [27, 27, 25]
    with pytest.raises(UserError, match="generations 27 -> 25"):
        main(TrainOptions(config=str(recipe), num_envs=3, out=paths.root))


def wait_for_generations(folder, index, n, timeout=60):
    deadline = time.monotonic() + timeout
    path = SESetPaths(Path(folder)).run(index).generations
    while time.monotonic() < deadline:
        if path.exists() and path.read_bytes().count(b"\n") >= n:
            return
        time.sleep(0.005)
    raise AssertionError(f"{path} has no {n} lines after {timeout} s")


def left_running(folder):
    return subprocess.run(["pgrep", "-f", str(folder)], capture_output=True).stdout


def test_kill_9_of_the_command_and_of_its_workers_changes_nothing(
    tmp_path, finished, recipe
):
    folder = tmp_path / "killed"
    flags = ("--config", recipe, "--num-envs", 3, "--out", folder, "--workers", 1)
    with subprocess.Popen(
        command(*flags), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=ENV
    ) as process:
        wait_for_generations(folder, 0, 2)
        process.kill()
    with subprocess.Popen(
        command(*flags), stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV
    ) as process:
        wait_for_generations(folder, 1, 2)
        subprocess.run(["pkill", "-9", "-f", f"se_training.worker --se-set {folder}"])
        _, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stderr
    assert decided(folder) == decided(finished[0])
    assert not left_running(folder)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_an_interrupted_command_leaves_nothing_running_and_continues_the_same(
    tmp_path, finished, recipe, number, code
):
    paths = copy(finished, tmp_path / "cut")
    for index in (1, 2):
        paths.outcome(index).unlink()
        shutil.rmtree(paths.run(index).root)
    flags = ("--config", recipe, "--num-envs", 3, "--out", paths.root)
    with subprocess.Popen(
        command(*flags), stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV
    ) as process:
        wait_for_generations(paths.root, 1, 1)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"the same command goes on" in stderr
    assert b"Traceback" not in stderr
    assert not left_running(paths.root)
    assert train(*flags).returncode == 0
    assert decided(paths.root) == decided(finished[0])


def test_damaged_files_are_set_aside_and_made_again(tmp_path, finished, recipe):
    paths = copy(finished, tmp_path / "damaged")
    paths.outcome(0).write_text('{"index": 0')
    whole = paths.checkpoint(1).read_bytes()
    paths.checkpoint(1).write_bytes(whole[:-10])
    paths.checkpoint(2).unlink()
    paths.run(2).state.write_bytes(b"")
    done = train("--config", recipe, "--num-envs", 3, "--out", paths.root)
    assert done.returncode == 0, done.stderr
    for name in ("000.json", "001.safetensors", "state.safetensors"):
        assert name in done.stderr
    now = decided(paths.root)
    assert {k: now[k] for k in decided(finished[0])} == decided(finished[0])


def test_an_se_that_another_process_is_at_is_left_to_it(tmp_path, finished, recipe):
    paths = copy(finished, tmp_path / "held")
    paths.outcome(1).unlink()
    with RunLock(paths.lock(1)):
        done = train("--config", recipe, "--num-envs", 3, "--out", paths.root)
    assert done.returncode == 1
    assert "SE 001: another process is at it" in done.stderr
    assert "not finished: another process is at it" in " ".join(done.stdout.split())
    assert not paths.outcome(1).exists()


def test_an_se_that_the_other_process_has_finished_meanwhile_is_finished(
    tmp_path, finished, recipe, monkeypatch
):
    paths = copy(finished, tmp_path / "held")
    outcome = paths.outcome(1).read_bytes()
    paths.outcome(1).unlink()

    class Held(SEWorkers):
        """Another process is at SE 1, and ends while we look."""

        def _start(self, index):
            paths.outcome(index).write_bytes(outcome)
            return subprocess.Popen(["sh", "-c", f"exit {HELD}"])

    monkeypatch.setattr(set_run, "SEWorkers", Held)
    options = TrainOptions(config=str(recipe), num_envs=3, out=paths.root, workers=1)
    assert set_run.train_set(resolve_request(options), quiet=True) == {}


def test_a_worker_that_keeps_dying_stops_no_other_se_and_the_code_is_1(
    tmp_path, finished, recipe
):
    blocked = copy(finished, tmp_path / "failed")
    blocked.outcome(1).unlink()
    shutil.rmtree(blocked.run(1).root)
    blocked.run(1).timing.mkdir(parents=True)  # cannot be written: no outcome
    blocked.outcome(2).unlink()
    flags = ("--config", recipe, "--num-envs", 3, "--out", blocked.root)
    done = train(*flags, "--workers", 1)
    assert done.returncode == 1
    assert done.stderr.count("process ended with code 1: again") == MOST_RESTARTS
    assert "its process ended 4 times with code 1" in " ".join(done.stdout.split())
    assert blocked.outcome(2).exists()
    assert not blocked.outcome(1).exists()


class Processes(SEWorkers):
    """Shell commands in place of training."""

    def __init__(self, paths, commands, n_parallel=2):
        super().__init__(paths, range(len(commands)), n_parallel, 1)
        self.commands = commands
        self.n_started = [0] * len(commands)

    def _start(self, index):
        self.n_started[index] += 1
        return subprocess.Popen(["sh", "-c", self.commands[index]])


def run_all(workers):
    ended = []
    with workers:
        while workers.busy:
            ended += workers.step()
            time.sleep(0.01)
    return sorted(ended)


def test_workers_that_die_are_started_again_only_so_often(tmp_path, caplog):
    paths = SESetPaths(tmp_path)
    once = f"test -e {tmp_path}/died || {{ touch {tmp_path}/died; kill -9 $$; }}"
    workers = Processes(paths, ["kill -9 $$", "true", once, "exit 2", f"exit {HELD}"])
    assert run_all(workers) == [1, 2]
    assert workers.n_started == [1 + MOST_RESTARTS, 1, 2, 1, 2]
    assert set(workers.lost) == {0, 3}
    assert "ended 4 times with code -9" in workers.lost[0]
    assert workers.held == [4]
    assert "SE 000: process ended with code -9: again" in caplog.text


def test_at_most_so_many_workers_run_at_a_time_and_all_are_stopped(tmp_path):
    workers = Processes(SESetPaths(tmp_path), ["sleep 600"] * 5, n_parallel=3)
    with workers:
        workers.step()
        processes = list(workers.running.values())
        assert (len(processes), len(workers.waiting)) == (3, 2)
    assert all(process.poll() is not None for process in processes)


def test_the_reason_of_bad_input_is_what_the_worker_said_last(tmp_path):
    paths = SESetPaths(tmp_path)
    paths.log(0).parent.mkdir(parents=True)
    paths.log(0).write_text("INFO something\nerror: the native engine is gone\n\n")
    workers = Processes(paths, ["exit 2"])
    run_all(workers)
    assert workers.lost[0].startswith("the native engine is gone (see ")


def make_bohb_run(folder, objective="nes"):
    run = make_run(folder)
    settings = {
        "space": "own", "objective": objective, "task": "Acrobot-v1", "agent": "ddqn",
        "base": {"ddqn.max_env_steps": 300}, "seed": 0, "optimizer": "bohb",
        "min_budget": 1, "max_budget": 9, "eta": 3.0, "brackets": "cycle",
        "random_fraction": 0.3, "random_start": False, "engine": "native",
    }  # fmt: skip
    write_json(run.run, {"settings": settings})
    for index, loss in enumerate([0.5, 0.2, 0.4]):
        config_id = (0, 0, index)
        values = {"nes.vary_agents": False, "se.hidden_size": 10 + index}
        add_configuration(run, config_id, **values)
        add_result(run, config_id, 9.0, loss, 100.0 + index)
    return run


def test_from_takes_the_best_configuration_of_a_run_or_the_trial_that_is_named(
    tmp_path,
):
    run = make_bohb_run(tmp_path / "run")
    best = resolve_request(TrainOptions(from_run=run.root, vary_hp=True))
    config = best.settings.config
    assert (config.task, config.se.hidden_size) == ("Acrobot-v1", 11)
    assert config.agent.max_env_steps == 300, "what the space fixes"
    assert config.nes.vary_agents
    assert best.settings.train_env == "se_varied"
    assert best.settings.generations == 50
    assert best.paths.root == run.ses / "varied"
    assert best.origin["trial"] == "000-0-001"
    assert (best.n_envs, best.indices) == (40, list(range(40)))
    other = resolve_request(TrainOptions(from_run=run.root, trial="000-0-002"))
    assert other.settings.config.se.hidden_size == 12
    assert (other.settings.train_env, other.paths.root) == (
        "se_fixed",
        run.ses / "fixed",
    )
    assert other.origin == {"run": str(run.root), "trial": "000-0-002"}


def test_values_on_the_command_line_replace_those_of_the_recipe(recipe):
    flags = ("nes.step_size=0.5", "ddqn.one_minus_gamma=0.1", "se.activation=prelu")
    options = TrainOptions(config=str(recipe), set=flags, seed=3, num_envs=9)
    request = resolve_request(replace(options, shard="3/4", generations=7))
    config = request.settings.config
    assert (config.nes.step_size, config.nes.population) == (0.5, 2)
    assert config.agent.gamma == pytest.approx(0.9)
    assert config.se.activation == "prelu"
    assert (request.settings.seed, request.settings.generations) == (3, 7)
    assert request.indices == [2, 6]
    assert request.paths.root == Path("results/tiny/ses/fixed")


def test_the_control_spends_what_a_finished_set_spent(finished, tmp_path):
    folder, _ = finished
    options = TrainOptions(random_search=True, like=folder)
    request = resolve_request(options)
    assert request.settings.train_env == "se_random"
    assert request.settings.trainings == 152
    assert request.settings.config == read_settings(SESetPaths(folder)).config
    assert request.n_envs == 3
    assert request.paths.root == folder.parent / "random"
    paths = copy(finished, tmp_path / "half")
    paths.outcome(0).unlink()
    with (
        pytest.warns(UserWarning, match="not finished: 000"),
        pytest.raises(UserError, match="2 of 3 SEs are finished"),
    ):
        resolve_request(replace(options, like=paths.root))


def test_the_control_spends_what_a_full_run_would_or_what_is_given(recipe):
    options = TrainOptions(config=str(recipe), random_search=True)
    assert resolve_request(options).settings.trainings == 2 + 25 * 6
    assert resolve_request(replace(options, trainings=50)).settings.trainings == 50


def test_a_random_search_runs_from_the_command_line(tmp_path, recipe):
    folder = tmp_path / "random"
    flags = ("--config", recipe, "--random-search", "--num-envs", 2, "--out", folder)
    done = train(*flags, "--trainings", 100)
    assert done.returncode == 0, done.stderr
    frame = se_hpo.load_ses(folder)
    assert (frame.train_env == "se_random").all()
    assert (frame.trainings == 100).all()
    assert load_se(frame.checkpoint[0]).metadata["train_env"] == "se_random"
    assert len(se_hpo.load_se_generations(folder)) == 0


def test_plan_prints_the_cost_and_writes_nothing(tmp_path, recipe, finished):
    done = train("--config", recipe, "--plan", "--workers", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "40 SEs, 40 to train, at most 152 agents each" in " ".join(
        done.stdout.split()
    )
    assert "expected wall time with 2 side by side" in done.stdout
    assert not list(tmp_path.iterdir())


def test_plan_counts_what_is_left(tmp_path, finished, recipe, capsys):
    paths = copy(finished, tmp_path / "half")
    paths.outcome(0).unlink()
    options = TrainOptions(config=str(recipe), num_envs=3, out=paths.root, plan=True)
    assert main(options) == 0
    assert "3 SEs, 1 to train" in " ".join(capsys.readouterr().out.split())


def test_an_se_that_failed_is_shown_and_the_code_is_1(
    tmp_path, finished, recipe, capsys, monkeypatch
):
    paths = copy(finished, tmp_path / "failed")
    outcome = json.loads(paths.outcome(1).read_text())
    outcome |= {"reason": "failed: ValueError: x", "best_score": None}
    write_json(paths.outcome(1), outcome)
    options = TrainOptions(config=str(recipe), num_envs=3, out=paths.root)
    request = resolve_request(options)
    assert [finished_se(request, k) is None for k in range(3)] == [False, True, False]
    monkeypatch.setattr("se_hpo.train.__main__.train_set", lambda *_, **__: {})
    assert main(options) == 1
    assert "failed:" in capsys.readouterr().out


def test_a_shard_without_ses_has_nothing_to_do(tmp_path, recipe, capsys):
    options = TrainOptions(config=str(recipe), num_envs=2, out=tmp_path / "set")
    assert main(replace(options, shard="5/8")) == 0
    assert "shard 5/8 of 2 SEs: nothing to do" in capsys.readouterr().out
    assert not (tmp_path / "set").exists()


def test_list_configs_names_the_shipped_recipes(capsys):
    assert main(TrainOptions(list_configs=True)) == 0
    assert "paper-cartpole-tuned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "--list-configs"),
        ({"config": "cartpol"}, "did you mean 'cartpole'"),
        ({"config": "cartpole", "from_run": Path("x")}, "one of the two"),
        ({"config": "cartpole", "trial": "000-0-000"}, "--trial needs --from"),
        ({"from_run": Path("no/such/run")}, "no/such/run does not exist"),
        ({"config": "cartpole", "shard": "3/2"}, r"--shard 3/2.*1/2 to 2/2"),
        ({"config": "cartpole", "shard": "0/2"}, r"--shard 0/2.*1/2 to 2/2"),
        ({"config": "cartpole", "num_envs": 0}, "--num-envs 0"),
        ({"config": "cartpole", "num_envs": 10**9}, "must be at most 100000"),
        ({"config": "cartpole", "set": ("nes.step_size=2020-13-99",)}, "type float"),
        ({"config": "cartpole", "generations": 0}, "--generations 0"),
        ({"config": "cartpole", "workers": -1}, "--workers -1"),
        ({"config": "cartpole", "seed": -1}, "--seed -1"),
        ({"config": "cartpole", "set": ("nes.step_size",)}, "give NAME=VALUE"),
        ({"config": "cartpole", "set": ("nes.stepsize=1",)}, "'nes.step_size'"),
        ({"config": "cartpole", "set": ("nes.step_size=x",)}, "type float"),
        ({"config": "cartpole", "set": ("a=1", "a=2")}, "--set a is given twice"),
        ({"config": "cartpole", "set": ("rn.kind=additive_info",)}, "without info"),
        (
            {"config": "cartpole", "set": ("ddqn.gamma=1", "ddqn.one_minus_gamma=0")},
            "so does another",
        ),
        ({"config": "cartpole", "trainings": 9}, "--trainings is for --random-search"),
        ({"config": "cartpole", "like": Path("x")}, "--like is for --random-search"),
        ({"random_search": True, "like": Path("no/set")}, "no/set does not exist"),
        (
            {"config": "cartpole", "random_search": True, "trainings": 9},
            "takes at least 16",
        ),
    ],
)
def test_wrong_flags_are_refused_in_one_line(flags, message):
    with pytest.raises(UserError, match=message) as refused:
        resolve_request(TrainOptions(**flags))
    assert "\n" not in str(refused.value)


def test_a_run_without_what_is_asked_for_is_refused(tmp_path):
    run = make_bohb_run(tmp_path / "run")
    with pytest.raises(UserError, match=r"no trial '000-0-02'.*'000-0-002'"):
        resolve_request(TrainOptions(from_run=run.root, trial="000-0-02"))
    agents = make_bohb_run(tmp_path / "agents", objective="agent")
    with pytest.raises(UserError, match="tuned agents without SEs"):
        resolve_request(TrainOptions(from_run=agents.root))
    empty = make_run(tmp_path / "empty")
    with pytest.raises(UserError, match="no finished evaluation"):
        resolve_request(TrainOptions(from_run=empty.root))
    write_json(run.run, {"settings": {}})
    with pytest.raises(UserError, match="does not say what was tuned"):
        resolve_request(TrainOptions(from_run=run.root))


def test_a_folder_with_other_files_is_left_alone(tmp_path, recipe):
    (tmp_path / "thesis.tex").write_text("precious")
    done = train("--config", recipe, "--out", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path} exists and holds no set of SEs")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_set_that_was_damaged_is_not_overwritten(tmp_path, finished, recipe):
    paths = copy(finished, tmp_path / "damaged")
    paths.set.write_text("{")
    options = TrainOptions(config=str(recipe), num_envs=3, out=paths.root)
    with pytest.raises(UserError, match=r"set\.json is damaged"):
        main(options)
    assert paths.set.read_text() == "{"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, recipe):
    (tmp_path / "out").write_text("")
    options = TrainOptions(config=str(recipe), out=tmp_path / "out")
    with pytest.raises(UserError, match="cannot write to"):
        main(options)


def test_a_display_that_fails_says_so_once_and_ends_nothing(
    tmp_path, recipe, monkeypatch, capsys
):
    def fails(*_):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(set_run.SetDisplay, "update", fails)
    monkeypatch.setattr(set_run, "read_outcome", fails)
    folder = tmp_path / "set"
    monkeypatch.setattr(set_run, "finished", lambda request, index: None)
    assert main(TrainOptions(config=str(recipe), num_envs=2, out=folder)) == 0
    assert len(se_hpo.load_ses(folder)) == 2
    assert capsys.readouterr().err.count("Stale file handle") == 1


def test_the_display_of_a_set_that_goes_on_counts_who_solved_the_task_before(
    tmp_path, finished, recipe, monkeypatch
):
    made = []

    class Display(set_run.SetDisplay):
        def __init__(self, *words, **options):
            super().__init__(*words, **options)
            made.append(self)

    monkeypatch.setattr(set_run, "SetDisplay", Display)
    paths = copy(finished, tmp_path / "set")
    data = json.loads(paths.outcome(1).read_text())
    write_json(paths.outcome(1), {**data, "solved": True})
    request = resolve_request(
        TrainOptions(config=str(recipe), num_envs=3, out=paths.root, workers=1)
    )
    assert set_run.train_set(request, quiet=True) == {}
    solved = sum(json.loads(paths.outcome(k).read_text())["solved"] for k in range(3))
    assert made[0].solved == solved >= 1
