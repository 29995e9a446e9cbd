"""What a search space holds, as rows and as a table for the terminal."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ConfigSpace import ConfigurationSpace
from rich.table import Table
from rich.text import Text

from se_hpo.registries import budget_unit
from se_hpo.search_spaces.loading import Space, extremes


class Row(NamedTuple):
    """One hyperparameter, as `--describe` shows it."""

    name: str
    type: str
    """`float`, `integer`, `categorical`, `ordinal` or `constant`."""
    values: str
    """Range or choices."""
    log: bool
    default: str
    condition: str
    """When it is active; empty for always."""
    comment: str
    """The comment above it in the file."""


def describe(space: Space) -> list[Row]:
    """One row per hyperparameter, in the order of the file."""
    built = space.configuration_space()
    comments = _comments(space.path)
    order = {name: i for i, name in enumerate(comments)}
    names = sorted(built, key=lambda name: (order.get(name, len(order)), name))
    return [_row(built, name, comments.get(name, "")) for name in names]


def space_table(space: Space) -> Table:
    """The table that `--describe` prints."""
    title = (
        f"{space.name}: {space.summary}\n"
        f"{space.objective} on {space.task} with {space.agent}, {_budgets(space)}"
    )
    base = ", ".join(f"{name} = {value}" for name, value in space.base.items())
    table = Table(title=title, caption=f"fixed: {base}" if base else None)
    table.add_column("hyperparameter", no_wrap=True)
    for column in ("values", "default", "comment"):
        table.add_column(column, overflow="fold")
    for row in describe(space):
        values = f"{row.type}: {row.values}" + (", log" if row.log else "")
        condition = f"Only if {row.condition}. " if row.condition else ""
        cells = (row.name, values, row.default, condition + row.comment)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def spaces_table(spaces: Iterable[Space]) -> Table:
    """The table that `--list-spaces` prints."""
    table = Table()
    table.add_column("space", no_wrap=True)
    for column in ("budgets", "what it is"):
        table.add_column(column, overflow="fold")
    for space in spaces:
        table.add_row(Text(space.name), Text(_budgets(space)), Text(space.summary))
    return table


def _budgets(space: Space) -> str:
    unit = budget_unit(space.objective)
    return f"{space.min_budget} to {space.max_budget} {unit}, eta {space.eta:g}"


def _row(built: ConfigurationSpace, name: str, comment: str) -> Row:
    hp = built[name]
    kind = type(hp).__name__.removesuffix("Hyperparameter").lower()
    kind = next((k for k in ("float", "integer") if k in kind), kind)
    values = extremes(hp)
    if kind in ("float", "integer"):
        shown = f"{values[0]:g} .. {values[1]:g}"
    else:
        shown = ", ".join(map(str, values))
    when = [
        str(condition).replace(f"{name} | ", "")
        for condition in built.parent_conditions_of[name]
    ]
    log = bool(getattr(hp, "log", False))
    default = str(hp.default_value)
    return Row(name, kind, shown, log, default, " and ".join(when), comment)


def _comments(path: Path) -> dict[str, str]:
    """Names in the file's strings, each with the comment lines right above it."""
    found: dict[str, str] = {}
    for name, comment in _commented_strings(path.read_text(encoding="utf-8")):
        found.setdefault(name, comment)
    return found


def _commented_strings(source: str) -> Iterator[tuple[str, str]]:
    pending: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            pending.append(token.string.lstrip("# "))
        elif token.type == tokenize.STRING and len(token.string) > 2:
            name = token.string.strip("\"'")
            if pending or "." in name:
                yield name, " ".join(pending)
            pending = []
