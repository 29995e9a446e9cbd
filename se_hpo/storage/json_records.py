"""From JSON (or YAML) to checked values: the one place where types are looked at.

The types come from annotations. A number must be finite, an integer fit into 64 bits,
as in a frame; what does not belong there is refused by its name.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import reprlib
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from se_hpo.errors import UserError, did_you_mean
from se_hpo.storage.files import parse_json

T = TypeVar("T")
UNIONS = (UnionType, Union)
"""`X | None` is of the first, and of the second where X is a `Literal`."""

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


class RecordError(UserError):
    """A value is not what belongs there; says which one, and what is wrong."""


def read_record(path: Path, cls: type[T]) -> T | None:
    """The checked contents of a JSON file; None if there is none.

    Raises:
        RecordError: it holds something else; does not name the file.
        OSError: it cannot be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    return record(cls, parsed(text))


def parsed(text: str | bytes) -> Any:
    """What a text holds as JSON.

    Raises:
        RecordError: it is no JSON.
    """
    try:
        return parse_json(text)
    except ValueError as error:
        raise RecordError(f"not JSON ({error})") from None


def record(
    cls: type[T],
    data: Any,
    *,
    unknown: Literal["drop", "refuse"] = "drop",
    at: str = "",
) -> T:
    """A dataclass from a mapping; a field without a default must be there.

    Values that are of their type already are taken. `unknown` says what becomes of keys
    that are no fields (of a newer version, say), `at` where `data` lies in its file.

    Raises:
        RecordError: something is missing, unknown, or of another type.
        UserError: the class's own checks.

    >>> @dataclasses.dataclass
    ... class Point:
    ...     x: float
    ...     y: int | None = None
    >>> record(Point, {"x": 1, "z": "newer"})
    Point(x=1.0, y=None)
    >>> record(Point, {"x": 1e999})
    Traceback (most recent call last):
    se_hpo.storage.json_records.RecordError: x = inf: must be a finite number
    """
    kind: Any = cls
    fields, mapping = _fields(kind), _mapping(data, at or "it")
    for key in mapping if unknown == "refuse" else ():
        if key not in list(fields):  # it may be anything, even unhashable
            hint = did_you_mean(str(key), fields)
            raise RecordError(f"unknown key {_join(at, str(key))!r}: {hint}")
    values = {}
    if "train_env" in fields and "setting" in mapping:
        mapping.setdefault("train_env", mapping.pop("setting"))  # its earlier name
    for name, (kind, needed) in fields.items():
        if name in mapping:
            values[name] = checked(kind, mapping[name], _join(at, name))
        elif needed:
            raise RecordError(f"{_join(at, name)} is missing")
    return cls(**values)


def checked(kind: Any, value: Any, name: str = "it") -> Any:
    """A value of a kind: a type, `X | None`, `list[X]`, `tuple[X, Y]`, `dict[str, X]`.

    Raises:
        RecordError: it is of another kind.

    >>> checked(tuple[int, list[float]], [1, [2, 0.5]])
    (1, [2.0, 0.5])
    >>> checked(int, 10**30, "seed")
    Traceback (most recent call last):
    se_hpo.storage.json_records.RecordError: seed has 31 digits: must fit into 64 bits
    """
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in UNIONS:
        return _one_of(args, value, name)
    if origin is list:
        items = enumerate(_typed(list, value, name))
        return [checked(args[0], item, f"{name}[{i}]") for i, item in items]
    if origin is tuple and args[-1] is Ellipsis:
        values = value if type(value) is tuple else _typed(list, value, name)
        return tuple(checked(args[0], x, f"{name}[{i}]") for i, x in enumerate(values))
    if origin is tuple:
        if len(_typed(list, value, name)) != len(args):
            raise _refused(name, value, f"a list of {len(args)}")
        items = enumerate(zip(args, value, strict=True))
        return tuple(checked(k, item, f"{name}[{i}]") for i, (k, item) in items)
    if dict in (kind, origin):
        inner, entries = args[1] if args else Any, _mapping(value, name).items()
        return {key: checked(inner, v, _join(name, key)) for key, v in entries}
    return _scalar(kind, value, name)


def _scalar(kind: Any, value: Any, name: str) -> Any:
    if kind in (int, float) and type(value) is int and not fits(value):
        raise RecordError(
            f"{name} has {len(str(abs(value)))} digits: must fit into 64 bits"
        )
    if kind is float:
        return _number(value, name)
    if get_origin(kind) is Literal or issubclass(kind, enum.Enum):
        return _one_name(kind, value, name)
    if hasattr(kind, "__dataclass_fields__"):
        return value if isinstance(value, kind) else record(kind, value, at=name)
    return _typed(kind, value, name)


def _one_name(kind: Any, value: Any, name: str) -> Any:
    """A value of a `Literal` or an enumeration."""
    known = list(get_args(kind) or kind)
    if value not in known:
        raise _refused(name, value, f"one of {', '.join(map(str, known))}")
    return known[known.index(value)]


def fits(value: int) -> bool:
    """A frame holds no integer of more than 64 bits."""
    return -(2**63) <= value < 2**63


def _number(value: Any, name: str) -> float:
    if type(value) not in (int, float):
        raise _refused(name, value, "of type float")
    if not math.isfinite(value):
        raise _refused(name, value, "a finite number")
    return float(value)


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    """The first kind that fits; the last kind that is not None says why none does."""
    if value is None and NoneType in kinds:
        return None
    *others, last = [kind for kind in kinds if kind is not NoneType]
    for kind in others:
        try:
            return checked(kind, value, name)
        except RecordError:
            continue
    return checked(last, value, name)


def _typed(kind: type, value: Any, name: str) -> Any:
    if type(value) is not kind:
        raise _refused(name, value, f"of type {kind.__name__}")
    return value


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(
            f"{name} must be a mapping of names to values, not {_SHORT.repr(value)}"
        )
    return dict(value)


def _refused(name: str, value: Any, what: str) -> RecordError:
    return RecordError(f"{name} = {_SHORT.repr(value)}: must be {what}")


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at and at != "it" else name


@functools.cache
def _fields(cls: Any) -> dict[str, tuple[Any, bool]]:
    """Every field that a dataclass is made with: its kind, and whether it is needed."""
    hints, unset = get_type_hints(cls), dataclasses.MISSING
    return {
        f.name: (hints[f.name], f.default is unset and f.default_factory is unset)
        for f in dataclasses.fields(cls)
        if f.init
    }
