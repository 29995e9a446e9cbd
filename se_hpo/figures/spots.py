"""What a reader can point at in a figure: where it is in the picture, and what it says.

The picture stays an image; the report lays invisible points and lines over it, which
answer a pointer. Without scripts, or on paper, nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Mark:
    """A point or a line of a figure, in the coordinates of its axes."""

    axes: Axes
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    key: str
    """What it is of: marks of one key light up together, in all figures."""
    text: str
    """Shown at the pointer; may have several lines."""


@dataclass(frozen=True)
class Spot:
    """A mark in the picture: thousandths of its width, from the top left."""

    points: list[tuple[float, float]]
    key: str
    text: str
    height: float
    """Of the whole picture, in the same unit."""

    @property
    def path(self) -> str:
        """As SVG has it."""
        return "M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in self.points)


def spots_of(figure: Figure, marks: Iterable[Mark]) -> list[Spot]:
    """Where marks are, in a figure that has been laid out; others are left out."""
    width, height = figure.bbox.size
    found = []
    for mark in marks:
        data = np.column_stack([mark.x, mark.y]).astype(float)
        pixels = mark.axes.transData.transform(data)
        places = np.column_stack([pixels[:, 0], height - pixels[:, 1]]) * 1000 / width
        points = [(float(x), float(y)) for x, y in places[np.isfinite(places).all(1)]]
        if points:
            found.append(Spot(points, mark.key, mark.text, 1000 * height / width))
    return found
