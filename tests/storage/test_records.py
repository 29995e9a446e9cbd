"""Records survive JSON, and only builtin types leave."""

import json

import numpy as np
import pytest

from se_hpo.storage.json_records import record
from se_hpo.storage.records import EvaluationRecord, Status, to_builtin


def make(**values):
    base = {"trial": "000-0-000", "bracket": 0, "rung": 0, "budget": 3.0}
    return EvaluationRecord(
        **base, status=Status.FINISHED, loss=0.5, reason="budget", **values
    )


def test_a_record_survives_json():
    original = make(generations_to_solve=4)
    data = json.loads(json.dumps(original.to_dict()))
    assert record(EvaluationRecord, data) == original


def test_keys_of_a_newer_version_are_dropped():
    data = {**make().to_dict(), "new": 1}
    assert record(EvaluationRecord, data) == make()


def test_a_record_of_the_first_versions_had_an_empty_extra():
    data = {**make().to_dict(), "extra": {}}
    assert record(EvaluationRecord, data) == make()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.str_("tanh"), "tanh"),
        (np.array([[1.0, np.nan]]), [[1.0, None]]),
        ((1, (2, 3)), [1, [2, 3]]),
        (float("inf"), None),
        (Status.FAILED, "failed"),
        ({1: None}, {"1": None}),
    ],
)
def test_values_become_builtin(value, expected):
    result = to_builtin(value)
    assert result == expected
    assert type(result) is type(expected)


def test_what_json_cannot_hold_is_refused_by_name():
    with pytest.raises(TypeError, match="complex"):
        to_builtin({"x": 1j})
