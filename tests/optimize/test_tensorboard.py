"""TensorBoard reads back what a run was; without it the flag says what to install."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.optimize.tensorboard import TensorBoardWriter
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import EvaluationRecord, Status

RECORD = EvaluationRecord(
    "000-0-000", 0, 0, 1.0, Status.FINISHED, 0.5, "budget",
    env_steps_se=100, env_steps_task=10, cpu_seconds=2.0,
)  # fmt: skip


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    events = reader.EventAccumulator(str(folder)).Reload()
    tags = events.Tags()["scalars"]
    return {t: [(e.step, e.value) for e in events.Scalars(t)] for t in tags}


def test_losses_scores_and_costs_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with TensorBoardWriter(tmp_path, [RECORD]) as events:
        # Promoted: its 200 steps are those of both budgets.
        events.evaluation(replace(RECORD, budget=3.0, loss=0.75, env_steps_se=200))
        other = replace(RECORD, trial="000-0-001")
        events.evaluation(replace(other, status=Status.FAILED, loss=1.0))
        events.generation({"trial": "000-0-000", "generation": 1, "center_score": 9.5})
    found = read(tmp_path)
    assert found["loss/budget_3"] == [(2, 0.75)]
    assert found["loss/incumbent"] == [(2, 0.75), (3, 0.75)]
    assert found["cost/env_steps_se"] == [(2, 200.0), (3, 300.0)]
    assert found["score/000-0-000"] == [(1, 9.5)]  # generations count from 1
    assert "loss/budget_1" not in found  # of an earlier attempt: written then


def test_a_run_writes_what_its_frames_hold(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    run = se_hpo.optimize.run(
        "smoke", run=tmp_path / "run", n_brackets=1, tensorboard=True, progress=False
    )
    found = read(RunPaths(run.folder).tensorboard)
    trials = run.trials()
    of_one = trials[trials["budget"] == 1]["loss"].tolist()
    assert [loss for _, loss in found["loss/budget_1"]] == pytest.approx(of_one)
    scores = [found[name] for name in found if name.startswith("score/")]
    assert len(scores) == trials["trial"].nunique()
    assert {points[0][0] for points in scores} == {1}  # generations count from 1
    last = trials.groupby("trial")["env_steps_task"].max().sum()
    assert found["cost/env_steps_task"][-1][1] == last


def test_without_tensorboard_the_flag_names_the_extra(monkeypatch, tmp_path) -> None:
    module = "tensorboard.summary.writer.event_file_writer"
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        TensorBoardWriter(tmp_path, [])
