"""The HTML of the report: one file, with everything in it."""

from __future__ import annotations

import base64
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined

from se_hpo.report.tables import Table
from se_hpo.report.tiles import Headline

if TYPE_CHECKING:
    from se_hpo.figures.spots import Spot


@dataclass(frozen=True)
class Image:
    """A figure in the report."""

    name: str
    title: str
    caption: str
    png: bytes
    spots: Sequence[Spot] = ()
    """What a pointer finds in it."""

    @property
    def source(self) -> str:
        """The picture itself as the address of the picture."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Section:
    """A part of the report; left out where it is empty."""

    anchor: str
    title: str
    images: Sequence[Image] = ()
    tables: Sequence[Table] = ()
    empty: str = ""
    """Shown instead where there is nothing."""


@dataclass(frozen=True)
class Page:
    """All that the report says."""

    title: str
    subtitle: str
    headline: Headline
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    missing: Sequence[str]
    written: str
    version: str
    figures: str
    """Where the figures lie as files."""


def render(page: Page) -> str:
    """The whole file; every text is escaped."""
    folder = importlib.resources.files("se_hpo.report")
    template, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("report.html.j2", "report.css", "report.js")
    )
    blocks: Any = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "keep_trailing_newline": True,
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, **blocks)
    values = {"page": page, "style": style, "script": script}
    return environment.from_string(template).render(values)
