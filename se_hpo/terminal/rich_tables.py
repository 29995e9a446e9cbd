"""Tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text


def table(
    title: str | None,
    columns: Iterable[str],
    rows: Iterable[Iterable[str | Text]],
    **options: Any,
) -> Table:
    """A table with its title at the left.

    Args:
        title: above it.
        columns: their names; `>name` stands at the right, and `name~` may wrap.
        rows: a cell per column.
        options: of `rich.table.Table`.
    """
    left = {"title_justify": "left", "title_style": "bold"}
    made = Table(title=title, **{**left, **options})
    for column in columns:
        justify: Any = "right" if column.startswith(">") else "left"
        name, no_wrap = column.strip(">~"), not column.endswith("~")
        made.add_column(name, justify=justify, no_wrap=no_wrap)
    for row in rows:
        made.add_row(*row)
    return made
