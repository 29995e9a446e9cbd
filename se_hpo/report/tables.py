"""Frames as tables of text: cells as a reader wants them, and keys to sort by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

_LONG = 28  # characters


@dataclass(frozen=True)
class Cell:
    """What is shown, and what the column is sorted by."""

    text: str
    key: float | str
    interval: str = ""
    """Shown beneath, smaller."""

    @property
    def is_long(self) -> bool:
        """It may be broken into lines."""
        return len(self.text) > _LONG

    @property
    def js_key(self) -> str:
        """The key as JavaScript reads it."""
        if isinstance(self.key, str):
            return self.key
        return "-Infinity" if self.key == -math.inf else repr(float(self.key))


@dataclass(frozen=True)
class Column:
    """A column of a table, made from a row of a frame."""

    label: str
    make: Callable[[Mapping[str, Any]], Cell]
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table of the report."""

    title: str
    columns: list[Column]
    rows: list[list[Cell]]
    caption: str = ""
    notes: tuple[str, ...] = ()
    """Why numbers are missing or weak; shown under the table."""
    folded: bool = False
    """Long tables open on demand."""


def make_table(
    title: str,
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    caption: str = "",
    folded: bool = False,
) -> Table | None:
    """A table of a frame's rows; None where it has none. Its `note`s go underneath."""
    if frame.empty:
        return None
    rows = rows_of(frame)
    cells = [[column.make(row) for column in columns] for row in rows]
    return Table(title, list(columns), cells, caption, tuple(_notes(rows)), folded)


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a frame by the names of its columns."""
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def _notes(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each note once, with the rows it is of."""
    of: dict[str, list[str]] = {}
    for row in rows:
        note = row.get("note")
        if isinstance(note, str) and note:
            parts = (row.get(k) for k in ("agent", "train_env", "hyperparameter"))
            name = " ".join(str(part) for part in parts if part is not None)
            of.setdefault(note, []).append(name)
    return [
        f"{', '.join(dict.fromkeys(filter(None, names)))}: {note}".removeprefix(": ")
        for note, names in of.items()
    ]


def text(
    name: str, label: str | None = None, words: Callable[[Any], str] | None = None
) -> Column:
    """A column of words: of what `words` makes of a value."""

    def make(row: Mapping[str, Any]) -> Cell:
        value = row.get(name)
        if is_missing(value):
            return Cell("-", "")
        plain = ("no", "yes")[value] if isinstance(value, bool) else str(value)
        shown = words(value) if words else plain
        return Cell(shown, shown)

    return Column(label or name.replace("_", " "), make, numeric=False)


def number(
    name: str,
    label: str | None = None,
    spec: str | Callable[[float], str] = ",.0f",
    *,
    interval: bool = False,
    scale: float = 1.0,
) -> Column:
    """A column of numbers, with the interval of `<name>_low`, `<name>_high`."""

    def shown(value: Any) -> str:
        scaled = float(value) * scale
        if callable(spec):
            return spec(scaled)
        whole = spec == ",.3g" and abs(scaled) >= 100  # no 1e+04
        return format(scaled, ",.0f" if whole else spec)

    def make(row: Mapping[str, Any]) -> Cell:
        value: Any = row.get(name)
        if is_missing(value):
            return Cell("-", -math.inf)
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if interval and not (is_missing(low) or is_missing(high)):
            ends = f"[{shown(low)}, {shown(high)}]"
            return Cell(shown(value), float(value), ends)
        return Cell(shown(value), float(value))

    return Column(label or name.replace("_", " "), make)


def texts(**labels: str) -> list[Column]:
    """Columns of words, by name."""
    return [text(name, label) for name, label in labels.items()]


def numbers(
    spec: str | Callable[[float], str] = ",.0f", interval: bool = False, **labels: str
) -> list[Column]:
    """Columns of numbers of one kind, by name."""
    return [number(n, label, spec, interval=interval) for n, label in labels.items()]


def is_missing(value: Any) -> bool:
    """None, NaN, NaT or pandas' NA."""
    return value is None or bool(pd.api.types.is_scalar(value) and pd.isna(value))


def list_words(words: Sequence[str]) -> str:
    """Words as in a sentence.

    >>> list_words(["a"]), list_words(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
