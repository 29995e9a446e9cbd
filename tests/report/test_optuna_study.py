"""A run as a study of Optuna: the same trials, values, ranges and states."""

from __future__ import annotations

from pathlib import Path

import pytest

import se_hpo
from se_hpo.errors import UserError
from se_hpo.storage.paths import RunPaths
from se_hpo.storage.records import Status
from tests.helpers.fake_run import (
    CONFIGURATION,
    add_configuration,
    add_result,
    make_run,
)

optuna = pytest.importorskip("optuna")

TOP, DROPPED, FAILED = (0, 0, 0), (0, 0, 1), (0, 0, 2)


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    paths = make_run(tmp_path / "search")
    for config_id in (TOP, DROPPED, FAILED):
        add_configuration(paths, config_id)
    add_result(paths, TOP, 1.0, 0.6, 1000.0)
    add_result(paths, DROPPED, 1.0, 0.7, 1010.0)
    add_result(
        paths, FAILED, 1.0, 1.0, 1020.0, status=Status.FAILED, reason="failed: x"
    )
    add_result(paths, TOP, 3.0, 0.2, 1030.0)
    return paths


@pytest.fixture
def storage():
    return optuna.storages.InMemoryStorage()


def by_name(study):
    return {trial.user_attrs["trial"]: trial for trial in study.trials}


def test_a_trial_has_its_last_loss_and_those_of_lower_budgets(run, storage):
    study = se_hpo.report.to_optuna(run.root, storage)
    top = by_name(study)["000-0-000"]
    assert study.study_name == "search" and len(study.trials) == 3
    assert (top.value, top.intermediate_values) == (0.2, {1: 0.6, 3: 0.2})
    assert study.best_trial.number == top.number
    assert top.user_attrs["env_steps_task"] == 300


def test_who_was_not_promoted_is_pruned_and_who_raised_has_failed(run, storage):
    states = {
        n: t.state.name
        for n, t in by_name(se_hpo.report.to_optuna(run.root, storage)).items()
    }
    assert states == {
        "000-0-000": "COMPLETE",
        "000-0-001": "PRUNED",
        "000-0-002": "FAIL",
    }


def test_hyperparameters_have_their_values_and_declared_ranges(run, storage):
    top = by_name(se_hpo.report.to_optuna(run.root, storage))["000-0-000"]
    assert top.params == CONFIGURATION
    for name, value in top.params.items():
        assert top.distributions[name]._contains(
            top.distributions[name].to_internal_repr(value)
        )


def test_two_objectives_are_two_directions_and_a_front(run, storage):
    both = ("score_final", "env_steps_task")
    study = se_hpo.report.to_optuna(run.root, storage, "both", both)
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == list(both)
    assert len(study.trials) == 4 and study.best_trials


def test_a_study_that_is_there_is_not_touched(run, storage):
    se_hpo.report.to_optuna(run.root, storage)
    with pytest.raises(UserError, match="a study 'search' in this storage: choose"):
        se_hpo.report.to_optuna(run.root, storage)
    assert len(se_hpo.report.to_optuna(run.root, storage, "other").trials) == 3


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        (("los",), "no column of numbers 'los'"),
        (("trial",), "no column of numbers 'trial'"),
        ("loss", "name columns, as"),
        ((), "name columns, as"),
    ],
)
def test_objectives_that_are_none_are_one_line(run, storage, objectives, said):
    with pytest.raises(UserError, match=said):
        se_hpo.report.to_optuna(run.root, storage, objectives=objectives)
    assert not optuna.get_all_study_names(storage)


def test_a_folder_that_is_no_run_is_refused(tmp_path, storage):
    with pytest.raises(UserError, match="run"):
        se_hpo.report.to_optuna(tmp_path, storage)
