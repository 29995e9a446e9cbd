"""What the readers make of a run's folder: whole, empty, growing and damaged."""

import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hpbandster.core.result import logged_results_to_HBS_result

import se_hpo
from se_hpo.analysis import incumbent_trajectory
from se_hpo.errors import UserError
from se_hpo.results.columns import GENERATION_COLUMNS, TRIAL_COLUMNS
from se_hpo.results.lines import UnreadableWarning
from se_hpo.results.master_status import STATUS_MAX_AGE
from se_hpo.results.ranking import ranked
from se_hpo.results.trials import load_generations, load_incumbent, load_trials
from se_hpo.storage.files import append_json_line, write_json
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from tests.helpers.fake_run import (
    CONFIGURATION,
    add_configuration,
    add_generation,
    add_result,
    generation_line,
    make_run,
    write_many,
)
from tests.helpers.places import ROOT

A, B, C = (0, 0, 0), (0, 0, 1), (0, 0, 2)
CONFIG_DTYPES = {
    "config.nes.step_size": "float64",
    "config.se.hidden_size": "Int64",
    "config.nes.sampling": "string",
    "config.nes.vary_agents": "boolean",
    "config.nes.weight_decay": "float64",
    "config.ddqn.batch_size": "Int64",
}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    """Three trials; the second is promoted, the third fails."""
    paths = make_run(tmp_path / "myrun")
    add_configuration(paths, A)
    add_configuration(paths, B, model_based=True, **{"ddqn.batch_size": 64})
    add_configuration(paths, C)
    add_result(paths, B, 1.0, 0.5, 1030.0)
    add_result(paths, A, 1.0, 0.7, 1020.0)
    add_result(
        paths, C, 1.0, 1.0, 1040.0, status=Status.FAILED, reason="failed", error="Tb"
    )
    add_result(paths, B, 3.0, 0.6, 1050.0, rung=1, generations_to_solve=2)
    return paths


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def test_trials_are_one_row_per_evaluation_by_finish(run: RunPaths) -> None:
    frame = load_trials(run.root)
    assert frame["trial"].tolist() == ["000-0-000", "000-0-001", "000-0-002", B_NAME]
    assert frame["budget"].tolist() == [1.0, 1.0, 1.0, 3.0]
    assert frame["loss"].tolist() == [0.7, 0.5, 1.0, 0.6]
    assert frame["status"].tolist() == ["finished", "finished", "failed", "finished"]
    assert frame["run"].unique().tolist() == ["myrun"]
    assert frame["model_based"].tolist() == [False, True, False, True]
    assert frame["rung"].tolist() == [0, 0, 0, 1]
    assert frame["generations_to_solve"].tolist() == [pd.NA, pd.NA, pd.NA, 2]
    assert frame["seed"].tolist() == [2**62 + 1] * 4  # not rounded through a float
    assert frame["error"].tolist() == [pd.NA, pd.NA, "Tb", pd.NA]
    assert frame["config.nes.step_size"].tolist() == [0.5] * 4
    assert frame["config.ddqn.batch_size"].tolist() == [pd.NA, 64, pd.NA, 64]
    assert frame["finished"][0] == pd.Timestamp(1020, unit="s", tz="UTC")
    assert frame["submitted"][0] == pd.Timestamp(1009, unit="s", tz="UTC")


B_NAME = "000-0-001"


def test_columns_and_dtypes_are_the_same_with_and_without_rows(
    run: RunPaths, tmp_path: Path
) -> None:
    empty = load_trials(make_run(tmp_path / "empty").root)
    assert len(empty) == 0
    assert dtypes(empty) == TRIAL_COLUMNS | CONFIG_DTYPES
    assert dtypes(load_trials(run.root)) == TRIAL_COLUMNS | CONFIG_DTYPES
    assert list(empty) == list(load_trials(run.root))
    generations = load_generations(tmp_path / "empty")
    assert len(generations) == 0 and dtypes(generations) == GENERATION_COLUMNS


def test_docs_describe_every_column_with_its_dtype() -> None:
    page = (ROOT / "docs" / "results.md").read_text()
    for name, dtype in (TRIAL_COLUMNS | GENERATION_COLUMNS).items():
        shown = "stop_reasons.<reason>" if name.startswith("stop_reasons.") else name
        assert f"| `{shown}` | `{dtype}` |" in page


def test_hyperparameters_the_space_does_not_declare_get_their_own_dtype(
    run: RunPaths,
) -> None:
    run.configspace.unlink()
    add_configuration(run, (1, 0, 0), strange="yes")
    add_result(run, (1, 0, 0), 1.0, 0.1, 2000.0)
    frame = load_trials(run.root)
    assert str(frame["config.strange"].dtype) == "string"
    assert str(frame["config.se.hidden_size"].dtype) == "Int64"
    assert frame["config.strange"].tolist()[:1] == [pd.NA]


def test_a_declared_dtype_gives_way_to_a_value_it_cannot_hold(run: RunPaths) -> None:
    add_configuration(run, (1, 0, 0), **{"se.hidden_size": 7.5})
    add_result(run, (1, 0, 0), 1.0, 0.1, 2000.0)
    assert load_trials(run.root)["config.se.hidden_size"].tolist()[-1] == 7.5


def test_the_last_line_of_an_evaluation_counts(run: RunPaths) -> None:
    add_result(run, A, 9.0, 0.5, 2000.0)
    assert load_trials(run.root).iloc[-1]["loss"] == 0.5
    add_result(run, A, 9.0, 0.25, 2100.0)
    again = load_trials(run.root)
    assert again.iloc[-1]["loss"] == 0.25
    assert len(again) == 5


@pytest.mark.parametrize(
    "torn",
    ['[[0, 0, 2], 1.0, {"submit', "null", "[]", '{"a": 1}', "[[0,0],1,{},{},null]"],
)
@pytest.mark.parametrize("name", ["results.json", "configs.json"])
def test_unreadable_lines_are_named_and_the_rest_is_used(
    run: RunPaths, torn: str, name: str
) -> None:
    before = load_trials(run.root)
    path = run.root / name
    n_lines = path.read_text().count("\n")
    with path.open("a") as file:
        file.write(torn)
    with pytest.warns(UnreadableWarning, match=f"{name}:{n_lines + 1}: "):
        after = load_trials(run.root)
    pd.testing.assert_frame_equal(after, before)


def test_a_torn_line_in_the_middle_costs_only_itself(run: RunPaths) -> None:
    lines = run.results.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1][:40] + b"\xff\n"
    run.results.write_bytes(b"".join(lines))
    with pytest.warns(UnreadableWarning, match=r"results\.json:2: "):
        assert len(load_trials(run.root)) == 3


def test_a_result_without_its_configuration_line_is_kept(run: RunPaths) -> None:
    run.configs.unlink()
    frame = load_trials(run.root)
    assert len(frame) == 4
    assert frame["model_based"].isna().all()
    assert frame["config.nes.step_size"].isna().all()
    assert dtypes(frame) == TRIAL_COLUMNS | CONFIG_DTYPES


TIMES = {"submitted": 1.0, "started": 2.0, "finished": 3.0}


def foreign_run(folder: Path, *results: tuple) -> Path:
    """A folder that hpbandster itself wrote: (id, budget, result, exception) each."""
    ids = dict.fromkeys(config_id for config_id, *_ in results)
    configs = [[c, {"x": 1.5}, {"model_based_pick": False}] for c in ids]
    lines = [[c, b, TIMES, result, error] for c, b, result, error in results]
    for name, rows in (("configs.json", configs), ("results.json", lines)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_every_row_that_hpbandster_wrote_loads_whatever_its_info(
    tmp_path: Path,
) -> None:
    folder = foreign_run(
        tmp_path,
        (A, 1.0, {"loss": 0.5, "info": "text"}, None),
        (B, 1.0, {"loss": 0.4, "info": 0.8}, None),
        (C, 1.0, {"loss": 0.3, "info": {"accuracy": 0.9, "status": "ok"}}, None),
        (A, 3.0, None, "Traceback"),
        (B, 3.0, {"loss": 0.25}, None),
        (
            C,
            9.0,
            {"loss": 0.2, "info": {"host": "h", "seed": "x", "big": 10**30}},
            None,
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = load_trials(folder)
    assert frame["status"].tolist() == [*["finished"] * 3, "failed", *["finished"] * 2]
    assert frame["loss"].tolist() == [0.5, 0.4, 0.3, 1.0, 0.25, 0.2]
    assert frame["rung"].tolist() == [0, 0, 0, 1, 1, 2]
    assert frame["error"].tolist()[3] == "Traceback"
    assert frame["config.x"].tolist() == [1.5] * 6
    assert frame["info"].tolist()[:2] == ["text", 0.8]
    assert frame["info.accuracy"].tolist()[2] == 0.9
    assert frame["info.status"].tolist()[2] == "ok"
    assert frame["host"].tolist()[5] == "h"
    assert frame["info.seed"].tolist()[5] == "x"
    assert frame["info.big"].tolist()[5] == 10**30
    assert load_incumbent(folder).budget == 9.0


def test_a_numeric_info_is_a_column_of_numbers(tmp_path: Path) -> None:
    rows = [((0, 0, k), 1.0, {"loss": 0.5, "info": k / 4}, None) for k in range(3)]
    frame = load_trials(foreign_run(tmp_path, *rows))
    assert str(frame["info"].dtype) == "float64"
    assert frame["info"].tolist() == [0.0, 0.25, 0.5]


def test_rungs_are_counted_within_their_bracket(tmp_path: Path) -> None:
    budgets = {0: [1.0, 3.0, 9.0], 1: [3.0, 9.0], 2: [9.0]}
    rows = [
        ((bracket, 0, 0), budget, {"loss": 0.5, "info": {}}, None)
        for bracket, each in budgets.items()
        for budget in each
    ]
    frame = load_trials(foreign_run(tmp_path, *rows))
    assert frame["rung"].tolist() == [0, 1, 2, 0, 1, 0]


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), None])
def test_a_loss_that_is_no_number_is_a_row_and_never_the_incumbent(
    tmp_path: Path, loss: float | None
) -> None:
    folder = foreign_run(
        tmp_path,
        (A, 1.0, {"loss": 0.5, "info": {}}, None),
        (B, 3.0, {"loss": loss, "info": {}}, None),
    )
    frame = load_trials(folder)
    assert frame["status"].tolist() == ["finished", "finished"]
    assert not np.isfinite(frame["loss"][1])
    assert load_incumbent(folder).trial == "000-0-000"
    assert incumbent_trajectory(frame)["incumbent"].tolist()[-1] == "000-0-000"
    assert ranked(frame)["trial"].tolist() == ["000-0-000"]


def test_what_a_worker_of_ones_own_returned_is_info_and_its_status(
    tmp_path: Path,
) -> None:
    info = {"status": "failed", "reason": "failed: x", "error": "T", "state": "CRASHED"}
    folder = foreign_run(tmp_path, (A, 1.0, {"loss": 1.0, "info": info}, None))
    frame = load_trials(folder)
    row = frame.iloc[0]
    assert (row["status"], row["reason"], row["error"]) == ("failed", "failed: x", "T")
    assert not [name for name in frame if str(name).startswith("info")]


def test_hpbandsters_own_reader_reads_the_same_files(run: RunPaths) -> None:
    result = logged_results_to_HBS_result(str(run.root))
    assert result.get_incumbent_id() == B
    assert result.get_id2config_mapping()[A]["config"] == CONFIGURATION
    frame = load_trials(run.root)
    for theirs in result.get_all_runs():
        name = "{:03d}-{}-{:03d}".format(*theirs.config_id)
        ours = frame[(frame["trial"] == name) & (frame["budget"] == theirs.budget)]
        assert ours["loss"].tolist() == [theirs.loss]
    assert len(frame) == len(result.get_all_runs())


def write_status(run: RunPaths, *entries: tuple) -> None:
    running = [
        {
            "config_id": list(c),
            "budget": b,
            "worker": "w1",
            "pid": 77,
            "host": "h",
            "since": 1060.0,
        }
        for c, b in entries
    ]
    write_json(run.status, {"running": running})


def test_running_evaluations_come_last_and_only_when_asked_for(run: RunPaths) -> None:
    add_generation(run, A, 0, [20.0, 40.0])
    add_generation(run, A, 1, [60.0, 80.0])
    write_status(run, (A, 3.0), (B, 3.0))  # B has just finished: the file is behind
    assert len(load_trials(run.root)) == 4
    frame = load_trials(run.root, running=True)
    assert dtypes(frame) == TRIAL_COLUMNS | CONFIG_DTYPES
    row = frame.iloc[-1]
    assert len(frame) == 5
    assert (row["trial"], row["status"], row["rung"]) == ("000-0-000", "running", 1)
    assert (row["worker"], row["host"], row["generations"]) == ("77", "h", 2)
    assert (row["score_final"], row["score_best"]) == (70.0, 80.0)
    assert (row["env_steps_se"], row["env_steps_task"]) == (1000, 200)
    assert np.isnan(row["loss"]) and row["finished"] is pd.NaT
    assert row["config.nes.step_size"] == 0.5


def test_a_dead_masters_status_says_nothing(run: RunPaths) -> None:
    write_status(run, (A, 3.0))
    old = time.time() - STATUS_MAX_AGE - 5
    os.utime(run.status, (old, old))
    assert len(load_trials(run.root, running=True)) == 4


@pytest.mark.parametrize(
    "text", ['{"running": [{"budget": 1}]}', '{"runn', "[]", '{"running": null}']
)
def test_a_damaged_status_costs_only_the_running_rows(run: RunPaths, text: str) -> None:
    run.status.write_text(text)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(load_trials(run.root, running=True)) == 4
    assert [str(run.status) in str(w.message) for w in caught] in ([True], [])
    assert caught or text == "[]"


def test_ten_thousand_evaluations_load(tmp_path: Path) -> None:
    paths = make_run(tmp_path / "big")
    write_many(paths, 10_000)
    started = time.perf_counter()
    frame = load_trials(paths.root)
    print(f"10,000 evaluations loaded in {time.perf_counter() - started:.2f} s")  # noqa: T201
    assert len(frame) == 10_000
    assert frame["finished"].is_monotonic_increasing


def test_generations_are_one_row_each_with_their_statistics(run: RunPaths) -> None:
    add_generation(run, A, 0, [20.0, 40.0])
    add_generation(run, B, 0, [190.0, 200.0])
    add_generation(run, B, 1, [100.0])
    frame = load_generations(run.root)
    assert dtypes(frame) == GENERATION_COLUMNS
    assert frame["trial"].tolist() == ["000-0-000", B_NAME, B_NAME]
    assert frame["generation"].tolist() == [1, 1, 2]  # files count from 0
    assert frame["center_score"].tolist() == [30.0, 195.0, 100.0]
    assert frame["center_std"][0] == pytest.approx(np.sqrt(200.0))
    assert np.isnan(frame["center_std"][2])  # one center evaluation has no spread
    assert frame["member_score_mean"].tolist() == [25.0] * 3
    assert frame["member_score_max"].tolist() == [40.0] * 3
    assert frame["solved"].tolist() == [False, True, False]
    assert frame["stop_reasons.plateau"].tolist() == [5] * 3
    assert frame["stop_reasons.solved"].tolist() == [0] * 3
    assert frame["wall_seconds"].tolist() == [1.5] * 3
    assert frame["cpu_seconds"].tolist() == [3.0] * 3


def test_generations_of_chosen_trials(run: RunPaths) -> None:
    for config_id in (A, B, C):
        add_generation(run, config_id, 0, [20.0])
    assert load_generations(run.root, B_NAME)["trial"].tolist() == [B_NAME]
    best = load_trials(run.root).nsmallest(2, "loss")["trial"]  # B twice
    assert load_generations(run.root, best)["trial"].tolist() == [B_NAME]
    with pytest.raises(UserError, match="no trial '000-0-00l': did you mean"):
        load_generations(run.root, ["000-0-00l"])


def test_generations_with_unusual_lines(run: RunPaths) -> None:
    trial = run.trial(A)
    write_json(trial.config, {"task": "MyTask-v0"})
    single = generation_line(0, [1.0, 2.0], member_scores=[[5.0], [7.0]])
    append_json_line(trial.generations, single | {"initial_scores": [1.0, 2.0]})
    append_json_line(trial.generations, generation_line(1, [3.0]))
    append_json_line(trial.generations, generation_line(1, [4.0]))  # written again
    with trial.generations.open("a") as file:
        file.write('{"generation":2,"center_sc')
    with pytest.warns(UnreadableWarning, match=r"generations\.jsonl:4: not a whole"):
        frame = load_generations(run.root)
    assert frame["member_score_max"].tolist() == [7.0, 40.0]
    assert frame["center_score"].tolist() == [1.5, 4.0]
    assert frame["solved"].isna().all()  # no measured task: nobody knows here
    assert frame["wall_seconds"].isna().all()
    assert dtypes(frame) == GENERATION_COLUMNS


def test_incumbent_is_the_best_at_the_largest_budget(run: RunPaths) -> None:
    best = load_incumbent(run.root)  # not the lower loss at the smaller budget
    assert (best.trial, best.budget, best.loss) == (B_NAME, 3.0, 0.6)
    assert best.configuration == CONFIGURATION | {"ddqn.batch_size": 64}
    assert best.record.generations_to_solve == 2
    assert best.checkpoint is None
    run.trial(B).root.mkdir(parents=True)
    run.trial(B).best_se.touch()
    assert load_incumbent(run.root).checkpoint == run.trial(B).best_se


def test_incumbent_ignores_what_did_not_finish_and_the_first_wins_a_tie(
    run: RunPaths,
) -> None:
    add_result(run, C, 9.0, 0.0, 3000.0, status=Status.FAILED, reason="failed")
    add_result(run, A, 3.0, 0.6, 3100.0)
    assert load_incumbent(run.root).trial == B_NAME


def test_incumbent_of_a_run_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished evaluation yet"):
        load_incumbent(make_run(tmp_path / "new").root)


@pytest.mark.parametrize("load", [load_trials, load_generations, load_incumbent])
def test_a_folder_that_is_no_run_is_refused_with_the_mend(load, run: RunPaths) -> None:
    with pytest.raises(UserError, match=r"does not exist: did you mean 'myrun'\?"):
        load(run.root.parent / "myrum")
    with pytest.raises(UserError, match=r"is no run: name one in it: .*/myrun"):
        load(str(run.root.parent))
    (run.root / "empty").mkdir()
    with pytest.raises(UserError, match="is no run: name a folder that"):
        load(run.root / "empty")


def test_the_package_exports_the_readers_lazily() -> None:
    assert se_hpo.load_trials is load_trials
    assert se_hpo.load_generations is load_generations
    assert se_hpo.load_incumbent is load_incumbent
    assert {"load_trials", "load_generations", "load_incumbent"} <= set(dir(se_hpo))
    with pytest.raises(AttributeError, match="no attribute 'load_trails'"):
        _ = se_hpo.load_trails
