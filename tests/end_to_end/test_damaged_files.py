"""Every reader of a run's files survives any file: named, left out, or one line."""

from __future__ import annotations

import json
import math
import shutil
import stat
import warnings
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

import se_hpo
from se_hpo.bohb.journal import Journal
from se_hpo.bohb.status import MasterStatus
from se_hpo.bohb.wire.credentials import (
    NotReady,
    credentials_now,
    read_credentials,
    write_credentials,
)
from se_hpo.config.run import RunConfig
from se_hpo.doctor import run_state
from se_hpo.errors import UserError
from se_hpo.evaluate.evaluation_files import EvaluationFiles
from se_hpo.optimize.objectives.objective import Objective
from se_hpo.report import report_file
from se_hpo.report.analyses import analyse
from se_hpo.report.run_data import read_run as read_all
from se_hpo.results.curve_reader import CurveReader
from se_hpo.results.lines import UnreadableWarning
from se_hpo.results.run_settings import read_run, settings_from_dict
from se_hpo.slurm import slurm_status
from se_hpo.slurm.slurm_jobs import Launch, read_launches, write_launch
from se_hpo.storage.files import write_json
from se_hpo.storage.json_records import record
from se_hpo.storage.lock import lock_holder
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from se_hpo.train.recipes import load_recipe
from tests.helpers.fakes import FakeInnerLoop
from tests.helpers.full_run import make_full_run

DEEP: Any = 0
for _ in range(60):
    DEEP = [DEEP]

STRANGE = [
    *(None, True, "", "text", -1, 0, 2.5, 10**30, -(10**400), math.inf, math.nan),
    *(1e308, [], {}, [[]], {"a": 1}, DEEP, "1e400"),
]
RAW = [b"", b"\0\0", b"null", b"[]", b"3", b"\xff\xfe", b"[" * 5000, b'{"a":']


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """Where something can be damaged: everywhere in a JSON value."""
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [path, *(p for key, v in items for p in places(v, (*path, key)))]


def changed(value: Any, path: tuple, change: Callable[[Any, Any], None]) -> Any:
    value = json.loads(json.dumps(value))
    owner = value
    for key in path[:-1]:
        owner = owner[key]
    change(owner, path[-1])
    return value


@st.composite
def damage(draw: st.DrawFn, text: bytes) -> bytes:
    """A file with one thing wrong in it: a value, a key, a cut, or rubbish."""
    lines = text.decode().split("\n") if b"\n{" in text or b"\n[" in text else []
    whole = not lines or lines[0] in "{["
    k = 0 if whole else draw(st.integers(0, len(lines) - 2))
    value = json.loads(text if whole else lines[k])
    how = draw(st.sampled_from(["value", "value", "value", "delete", "cut", "raw"]))
    if how == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if how == "raw":
        new = draw(st.sampled_from(RAW))
    else:
        path = draw(st.sampled_from([p for p in places(value) if p] or [()]))
        strange = draw(st.sampled_from(STRANGE))
        if not path:
            value = strange
        elif how == "delete":
            value = changed(value, path, lambda owner, key: owner.pop(key))
        else:
            value = changed(value, path, lambda o, key: o.__setitem__(key, strange))
        new = json.dumps(value).replace('"1e400"', "1e400").encode()
    if whole:
        return new
    return b"\n".join(
        [*(x.encode() for x in lines[:k]), new, *(x.encode() for x in lines[k + 1 :])]
    )


def trials(run: RunPaths) -> None:
    frame = se_hpo.load_trials(run.root, running=True)
    assert frame["loss"].isin([*LOSSES, 1.0]).sum() >= len(frame) - 2  # not invented
    se_hpo.load_generations(run.root)
    se_hpo.load_incumbent(run.root)


LOSSES: list[float] = []


def sets(run: RunPaths) -> None:
    se_hpo.load_ses(run.root)
    se_hpo.load_se_generations(run.root)


def evaluations(run: RunPaths) -> None:
    se_hpo.load_evaluations(run.root)
    EvaluationFiles(run.evaluations / "paper-0.jsonl").finished()
    EvaluationFiles(run.evaluations / "paper-0.jsonl").check(HEADER["settings"])


HEADER: dict[str, Any] = {
    "format": 1,
    "settings": {
        "num_agents": 1,
        "agents": {"ddqn": {"lr": 0.1}},
        "sets": {"varied": {"setting": "se_varied", "ses": {"0": "a", "1": "b"}}},
    },
    "wanted": ["real", "se_varied"],
}


def whole_report(run: RunPaths) -> None:
    data = read_all(run.root)
    report_file._page(data, analyse(data), {})


def cluster_status(run: RunPaths) -> None:
    slurm_status.read_status(run)
    found = slurm_status.read_status(run)
    if found is not None:
        console = Console(file=StringIO(), width=200)
        slurm_status._show_status(run, found, console)
        slurm_status._show_status(run, replace(found, state="stopped"), console)
        console.print(slurm_status.worker_table(found))


def credentials(run: RunPaths) -> None:
    run.credentials.chmod(stat.S_IRUSR | stat.S_IWUSR)
    try:
        found = read_credentials(run.credentials)
    except NotReady:
        return
    assert type(found.port) is int and type(found.key) is str


def journal(run: RunPaths) -> None:
    found = Journal(run.configs, run.results)
    assert found.n_proposals >= len(found.configs)
    for entry in found.results.values():
        assert math.isfinite(entry.result["loss"]) and math.isfinite(entry.budget)
    again = Journal(run.configs, run.results).results
    assert list(map(vars, again.values())) == list(map(vars, found.results.values()))
    assert again.keys() == found.results.keys()


def run_json(run: RunPaths) -> None:
    settings_from_dict(read_run(run)["settings"]).bracket_list(1)


def evaluate(run: RunPaths) -> None:
    """A promoted trial goes on, whatever happened to its files."""
    objective = Objective("nes", "CartPole-v0", "ddqn", NES, run_seed=3)
    done = objective.evaluate((7, 0, 0), {}, 2.0, run, FakeInnerLoop())
    assert done.status is Status.FINISHED and 0 <= done.loss <= 1
    done = objective.evaluate((7, 0, 0), {}, 3.0, run, FakeInnerLoop())
    assert done.status is Status.FINISHED and 0 <= done.loss <= 1


def agents(run: RunPaths) -> None:
    objective = Objective("agent", "CartPole-v0", "ddqn", {}, run_seed=3)
    done = objective.evaluate((8, 0, 0), {}, 3.0, run, FakeInnerLoop())
    assert done.status is Status.FINISHED


NES = {
    "nes.population": 2,
    "nes.n_center_evaluations": 2,
    "nes.stop_when_solved": False,
    "se.hidden_size": 2,
}
LAUNCH = Launch("se_hpo-x", "optimize", 2, {"master": ["1"]}, 1.0, "h", ["a"])
STATUS = {
    "state": "running",
    "time": 1e9,
    "started": 1e9,
    "finished": 3,
    "planned": 9,
    "failed": 0,
    "lost": 1,
    "waiting": 0,
    "running": [
        {
            "trial": "000-0-000",
            "config_id": [0, 0, 0],
            "budget": 27.0,
            "worker": "w",
            "host": "h",
            "pid": 7,
            "since": 1e9,
        }
    ],
    "workers": [{"worker": "w", "host": "h", "pid": 7, "trial": "000-0-000"}],
    "brackets": [
        {
            "bracket": 0,
            "finished": False,
            "rungs": [{"budget": 1.0, "done": 3, "planned": 9}],
        }
    ],
}
SETTINGS = {
    "space": "s",
    "objective": "nes",
    "task": "CartPole-v0",
    "agent": "ddqn",
    "base": {"nes.population": 2},
    "seed": 0,
    "optimizer": "bohb",
    "min_budget": 1,
    "max_budget": 9,
    "eta": 3.0,
    "brackets": "all",
    "random_fraction": 0.3,
    "random_start": True,
    "engine": "torch",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with every file that a reader reads."""
    run = make_full_run(tmp_path_factory.mktemp("fuzz") / "run", 2, 1)
    write_json(run.run, json.loads(run.run.read_text()) | {"settings": SETTINGS})
    write_json(run.status, STATUS)
    write_launch(run.jobs, LAUNCH)
    write_credentials(run.credentials, credentials_now("r", "127.0.0.1", 1, "aa"))
    run.lock.write_text('{"host": "h", "pid": 1, "started": 2, "beat": 3.5}\n')
    row = {"trial": "000-0-000", "budget": 9.0, "loss": 0.5}
    write_json(run.confirmation, [row | {"fresh_losses": [0.5], "optimism": 0.0}])
    (run.root / "recipe.yaml").write_text(json.dumps(RunConfig().to_dict()))
    LOSSES[:] = se_hpo.load_trials(run.root)["loss"].tolist()
    write_json(run.evaluations / "paper-0.json", HEADER)
    nes = Objective("nes", "CartPole-v0", "ddqn", NES, run_seed=3)
    nes.evaluate((7, 0, 0), {}, 2.0, run, FakeInnerLoop())
    agent = Objective("agent", "CartPole-v0", "ddqn", {}, run_seed=3)
    agent.evaluate((8, 0, 0), {}, 2.0, run, FakeInnerLoop())
    return run.root


READERS: dict[str, tuple[Callable[[RunPaths], object], str]] = {
    "trials, results": (trials, "results.json"),
    "trials, configs": (trials, "configs.json"),
    "trials, space": (trials, "configspace.json"),
    "trials, status": (trials, "status.json"),
    "trials, generations": (trials, "trials/000-0-000/generations.jsonl"),
    "trials, timing": (trials, "trials/000-0-000/timing.jsonl"),
    "trials, config": (trials, "trials/000-0-000/config.json"),
    "sets, set": (sets, "ses/varied/set.json"),
    "sets, outcome": (sets, "ses/varied/000.json"),
    "sets, generations": (sets, "ses/varied/runs/000/generations.jsonl"),
    "evaluations, records": (evaluations, "evaluations/paper-0.jsonl"),
    "evaluations, header": (evaluations, "evaluations/paper-0.json"),
    "journal, results": (journal, "results.json"),
    "journal, configs": (journal, "configs.json"),
    "run": (run_json, "run.json"),
    "status": (cluster_status, "status.json"),
    "status, run": (cluster_status, "run.json"),
    "status, results": (cluster_status, "results.json"),
    "launches": (lambda run: read_launches(run.jobs), "slurm/jobs.json"),
    "credentials": (credentials, "credentials.json"),
    "lock": (lambda run: lock_holder(run.lock, 0.0), "master.lock"),
    "recipe": (lambda run: load_recipe(run.root / "recipe.yaml"), "recipe.yaml"),
    "curve": (
        lambda run: CurveReader(run.trial((0, 0, 0)).generations).read(),
        "trials/000-0-000/generations.jsonl",
    ),
    "promoted, record": (evaluate, "trials/007-0-000/record-2.json"),
    "promoted, generations": (evaluate, "trials/007-0-000/generations.jsonl"),
    "promoted, timing": (evaluate, "trials/007-0-000/timing.jsonl"),
    "agents": (agents, "trials/008-0-000/agents.jsonl"),
    "doctor, run": (lambda run: list(run_state.progress(run, False)), "run.json"),
    "doctor, credentials": (
        lambda run: list(run_state.credentials(run, False)),
        "credentials.json",
    ),
    "doctor, set": (lambda run: list(run_state.sets(run)), "ses/varied/set.json"),
    "doctor, files": (lambda run: list(run_state.files(run, False)), "results.json"),
}
WRITING = (journal, evaluate, agents)
"""Readers that write, too."""
REPORTED = (
    "run.json",
    "configspace.json",
    "status.json",
    "results.json",
    "confirm/confirmation.json",
    "ses/varied/set.json",
    "evaluations/paper-0.json",
    "evaluations/paper-0.jsonl",
)
FUZZ = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
}


def survives(
    whole: Path, read: Callable[[RunPaths], object], name: str, data: st.DataObject
) -> None:
    """A damaged file is named and left out, or refused in one line."""
    path = whole / name
    good = path.read_bytes()
    copy = whole.parent / "copy"
    if read in WRITING or not copy.exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(whole, copy)
    (copy / name).write_bytes(data.draw(damage(good)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            read(RunPaths(copy))
        except UserError as refused:
            assert "\n" not in str(refused)
    (copy / name).write_bytes(good)
    for warning in caught:
        assert issubclass(warning.category, UnreadableWarning), warning
        assert str(copy) in str(warning.message)


@pytest.mark.parametrize("reader", READERS)
@settings(max_examples=30, **FUZZ)
@given(data=st.data())
def test_a_reader_names_any_damage_and_goes_on(
    whole: Path, reader: str, data: st.DataObject
) -> None:
    survives(whole, *READERS[reader], data)


@pytest.mark.parametrize("name", REPORTED)
@settings(max_examples=4, **FUZZ)
@given(data=st.data())
def test_a_report_names_any_damage_and_goes_on(
    whole: Path, name: str, data: st.DataObject
) -> None:
    survives(whole, whole_report, name, data)


def test_the_file_that_a_master_writes_is_what_readers_expect() -> None:
    assert record(MasterStatus, STATUS).running[0].trial == "000-0-000"
    assert yaml.safe_load(json.dumps(STATUS)) == STATUS
