"""Numbers that a reader takes home, and what stands around them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from se_hpo.report.tables import Table


@dataclass(frozen=True)
class Tile:
    """A number with its name above and what it means beneath."""

    name: str
    value: str
    unit: str
    """Behind the number; may be empty."""
    meaning: str

    @property
    def is_number(self) -> bool:
        """Else it is words, shown smaller."""
        return any(letter.isdigit() for letter in self.value)


@dataclass(frozen=True)
class Headline:
    """What a reader takes from the report without scrolling."""

    verdict: str
    tiles: list[Tile]
    table: Table | None
    """A row per agent, without intervals."""
    further: list[str]
    """Sentences beneath."""


def amount(value: float) -> str:
    """A number of steps, in three digits or all.

    >>> amount(2_368_321), amount(10_853.7), amount(231.6), amount(4.25)
    ('2.37 million', '10,854', '232', '4.25')
    """
    if not math.isfinite(value):
        return "an unknown number of"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g} million"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def share(value: float) -> str:
    """A share in whole percent, never rounded to all.

    >>> share(0.908), share(0.9996), share(1.0), share(-0.56)
    ('91', 'more than 99', '100', '-56')
    """
    if 0.995 <= value < 1.0:
        return "more than 99"
    return f"{100 * value:.0f}"
