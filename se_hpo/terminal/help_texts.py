"""What `--help` says of a flag: its field's docstring as whole sentences.

And a default only where there is one to tell: an int that may be left out is `INT`, not
`{None}|INT`, and no flag says `(default: None)`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, get_type_hints

import docstring_parser
import tyro

from se_hpo.text import short_number

OptionsT = TypeVar("OptionsT")
_INTERNAL = "internal"


def with_help(options: type[OptionsT]) -> type[OptionsT]:
    """The same options with the help that tyro is to show.

    >>> @dataclasses.dataclass
    ... class Options:
    ...     seed: int | None = None
    ...     '''Seed of all
    ...     runs.'''
    >>> tyro.cli(with_help(Options), args=["--seed", "3"]).seed
    3
    """
    docs = _docstrings(options)
    kinds = get_type_hints(options, include_extras=True)
    shown = {
        f.name: Annotated[kinds[f.name], *_shown_as(f, docs.get(f.name))]
        for f in dataclasses.fields(options)  # type: ignore[arg-type]
    }
    same = {"__doc__": options.__doc__, "__module__": options.__module__}
    made = type(options.__name__, (options,), {**same, "__annotations__": shown})
    frozen = options.__dataclass_params__.frozen  # type: ignore[attr-defined]
    return dataclasses.dataclass(frozen=frozen)(made)


def internal(default: Any) -> Any:
    """A field whose flag is for the commands that start this one: no help names it."""
    return dataclasses.field(default=default, metadata={_INTERNAL: True})


def without_internal(
    options: type, words: Sequence[str]
) -> tuple[list[str], dict[str, Any]]:
    """The command line without `--name value` of internal fields, and their values."""
    rest, values = list(words), {}
    for f in dataclasses.fields(options):
        flag = f"--{f.name.replace('_', '-')}"
        if _INTERNAL in f.metadata and flag in rest[:-1]:
            place = rest.index(flag)
            text = rest[place + 1]
            values[f.name] = int(text) if isinstance(f.default, int) else text
            del rest[place : place + 2]
    return rest, values


def _docstrings(options: type) -> dict[str, str]:
    found = {}
    for each in reversed(options.__mro__[:-1]):
        for doc in docstring_parser.parse_from_object(each).params:
            found[doc.arg_name] = " ".join((doc.description or "").split())
    return found


def _shown_as(field: dataclasses.Field[Any], doc: str | None) -> tuple[Any, ...]:
    if _INTERNAL in field.metadata:
        return (tyro.conf.Suppress,)
    hint = "" if _says_nothing(field.default, doc or "") else None  # None: tyro's own
    if isinstance(field.default, float):
        hint = f"(default: {short_number(field.default)})"
    return (tyro.conf.arg(help=doc, help_behavior_hint=hint),)


def _says_nothing(default: object, doc: str) -> bool:
    """Whether a default is none, or that of a switch, or in the docstring already."""
    nothing = default is None or isinstance(default, bool) or default in ("", ())
    return nothing or "Default:" in doc or "default:" in doc
