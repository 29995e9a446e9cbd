"""Values are checked by their annotations; what does not belong is named."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import pytest

from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.errors import UserError
from se_hpo.storage.files import parse_json
from se_hpo.storage.json_records import RecordError, checked, parsed, record

DEEP: Any = 0
for _ in range(60):
    DEEP = [DEEP]


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    n: int


@dataclass(frozen=True)
class Outer:
    x: float
    inner: Inner
    color: Color = Color.RED
    kind: Literal["a", "b"] = "a"
    ids: tuple[int, int] = (0, 0)
    names: list[str] = field(default_factory=list)
    by_name: dict[str, Inner] = field(default_factory=dict)
    maybe: int | None = None
    scalar: bool | int | float | str | None = None


GOOD = {"x": 1, "inner": {"n": 2}}


def test_a_whole_record_comes_back_in_its_types() -> None:
    data = {
        **GOOD,
        "color": "red",
        "kind": "b",
        "ids": [1, 2],
        "names": ["p"],
        "by_name": {"q": {"n": 3}},
        "maybe": None,
        "scalar": 0.5,
        "of a newer version": DEEP,
    }
    found = record(Outer, data)
    assert found == Outer(
        1.0, Inner(2), Color.RED, "b", (1, 2), ["p"], {"q": Inner(3)}, None, 0.5
    )
    assert type(found.x) is float and found.color is Color.RED
    assert record(Outer, {"x": 1, "inner": Inner(2)}) == record(Outer, GOOD)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": "1"}, "x = '1': must be of type float"),
        ({"x": True}, "x = True: must be of type float"),
        ({"x": math.nan}, "x = nan: must be a finite number"),
        ({"x": 10**400}, "x has 401 digits: must fit into 64 bits"),
        ({"inner": {"n": 2.0}}, r"inner.n = 2.0: must be of type int"),
        ({"inner": {"n": 2**63}}, "inner.n has 19 digits"),
        ({"inner": {}}, "inner.n is missing"),
        ({"inner": [1]}, "inner must be a mapping of names to values"),
        ({"color": "blue"}, "color = 'blue': must be one of red"),
        ({"color": []}, r"color = \[\]: must be one of red"),
        ({"kind": {}}, "kind = {}: must be one of a, b"),
        ({"ids": [1]}, r"ids = \[1\]: must be a list of 2"),
        ({"ids": [1, None]}, r"ids\[1\] = None: must be of type int"),
        ({"names": "p"}, "names = 'p': must be of type list"),
        ({"by_name": {"q": 3}}, "by_name.q must be a mapping"),
        ({"maybe": "x"}, "maybe = 'x': must be of type int"),
        ({"scalar": []}, r"scalar = \[\]"),
    ],
)
def test_what_does_not_belong_is_refused_by_its_name(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecordError, match=message) as refused:
        record(Outer, GOOD | change)
    assert "\n" not in str(refused.value)


def test_unknown_keys_are_refused_where_they_must_be_known() -> None:
    with pytest.raises(RecordError, match=r"'at.inne': did you mean 'inner'"):
        record(Outer, {**GOOD, "inne": 1}, unknown="refuse", at="at")


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(RecordError, match="must be a mapping"):
        record(Outer, data)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 101 + "]" * 101, "[" * 100_000, '"\\ud800"', b"\xff", "1 2"]
)
def test_a_text_that_is_no_json_of_ours_is_refused(text: str | bytes) -> None:
    with pytest.raises(RecordError, match="not JSON"):
        parsed(text)


def test_whole_characters_and_many_flat_brackets_are_json() -> None:
    assert parse_json(json.dumps("😀")) == "😀"
    flat = [[1]] * 1000
    assert parse_json(json.dumps(flat)) == flat


def test_long_values_are_shortened_in_messages() -> None:
    with pytest.raises(RecordError) as refused:
        checked(int, "x" * 10_000, "n")
    assert len(str(refused.value)) < 120


def test_a_config_of_a_newer_version_is_refused() -> None:
    data = RunConfig().to_dict()
    assert run_config_from_dict(data) == RunConfig()
    data["nes"]["momentum"] = 0.5
    with pytest.raises(UserError, match=r"unknown key 'nes\.momentum'"):
        run_config_from_dict(data)
