"""How all figures look: one palette, one size of type, one way to be saved.

Colours are Okabe and Ito's, told apart also by colour-blind readers. Type is sized so
that a figure shrunk to 400 pixels can still be read. Nothing global is left changed:
figures are made and saved without pyplot, with settings that hold only meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from se_hpo.names import TRAIN_ENVS
from se_hpo.registries import AGENTS
from se_hpo.storage.files import write_atomic

WIDTH = 5.8  # inches
_DPI = 200

INK = "#222222"
GREY = "#767676"
FAINT = "#C8C8C8"
HIGHLIGHT = "#D55E00"
SEQUENTIAL = "viridis"

TRAIN_ENV_COLORS = dict(
    zip(TRAIN_ENVS, ("#4D4D4D", "#0072B2", "#E69F00", "#CC79A7"), strict=True)
)
"""The same colour in every figure."""

_RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # text stays text in the PDF
    "svg.hashsalt": "se_hpo",
}


@dataclass(frozen=True)
class Picture:
    """A figure, what it says, and the numbers it was drawn from."""

    name: str
    """Stem of its files."""
    title: str
    caption: str
    """How to read it, in plain words."""
    figure: Figure
    frames: dict[str, pd.DataFrame]
    """What was drawn: key "" becomes `<name>.csv`, key "x" `<name>-x.csv`."""


@contextmanager
def house_style() -> Iterator[None]:
    """The settings of all figures; make and save them inside."""
    with matplotlib.rc_context(_RC):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure, in inches, that lays itself out."""
    return Figure(figsize=(width, height), layout="constrained")


def png_bytes(figure: Figure) -> bytes:
    """The figure as PNG; the same bytes for the same figure."""
    return _saved(figure, "png", {"Software": None})


def pdf_bytes(figure: Figure) -> bytes:
    """The figure as PDF, without the date."""
    return _saved(figure, "pdf", {"CreationDate": None, "Producer": None})


def write_picture(picture: Picture, folder: Path) -> bytes:
    """Write PNG, PDF and CSV files, each whole or not at all; returns the PNG."""
    png = png_bytes(picture.figure)
    write_atomic(folder / f"{picture.name}.png", png)
    write_atomic(folder / f"{picture.name}.pdf", pdf_bytes(picture.figure))
    for suffix, frame in picture.frames.items():
        stem = f"{picture.name}-{suffix}" if suffix else picture.name
        text = frame.to_csv(index=False, lineterminator="\n")
        write_atomic(folder / f"{stem}.csv", text)
    return png


def _saved(figure: Figure, kind: str, metadata: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with house_style():
        if figure.get_layout_engine() is not None:
            # Laying out again would move things a little: once, for all files alike.
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        figure.savefig(buffer, format=kind, dpi=_DPI, metadata=metadata)
    return buffer.getvalue()


def train_envs_in(values: Iterable[str]) -> list[str]:
    """The train_envs that occur, known ones in their order, others after them."""
    return _ordered(values, TRAIN_ENVS)


def agents_in(values: Iterable[str]) -> list[str]:
    """The agents that occur, known ones in their order, others after them."""
    return _ordered(values, AGENTS)


def _ordered(values: Iterable[str], known: Iterable[str]) -> list[str]:
    found = set(values)
    order = [name for name in known if name in found]
    return order + sorted(found - set(order))


def train_env_color(train_env: str) -> str:
    """The colour of a train_env; one that is not known is drawn in green."""
    return TRAIN_ENV_COLORS.get(train_env, "#009E73")


def count(value: float) -> str:
    """A number of steps, episodes or the like, short enough for a label.

    >>> count(6819.4), count(250), count(1_899_018), count(12.5), count(float("nan"))
    ('6,819', '250', '1.90 M', '12.5', '-')
    """
    if not np.isfinite(value):
        return "-"
    if abs(value) >= 1e6:
        return f"{value / 1e6:.2f} M"
    if abs(value) < 100 and value != round(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def threshold(axes: Axes, value: float, text: str) -> None:
    """A dashed horizontal line with its name at the left end, where curves are low."""
    axes.axhline(value, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    axes.annotate(
        text,
        (0, value),
        xycoords=("axes fraction", "data"),
        xytext=(2, 2),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=8.5,
        color=GREY,
    )


def panel_grid(figure: Figure, n: int, columns: int) -> list[Axes]:
    """Axes for `n` panels, `columns` a row, that share their scales."""
    rows = -(-n // columns)
    grid = figure.subplots(
        rows, min(columns, n), squeeze=False, sharex=True, sharey=True
    )
    axes = list(grid.flat)
    for spare in axes[n:]:
        spare.remove()
    for above in axes[max(0, n - min(columns, n)) : n]:
        above.tick_params(labelbottom=True)
    return axes[:n]
