"""How all figures look: one palette, one size of type, one way to be saved.

Colours are Okabe and Ito's, told apart also by colour-blind readers. Type is sized so
that a figure shrunk to 400 pixels can still be read. Nothing global is left changed:
figures are made and saved without pyplot, with settings that hold only meanwhile.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from se_hpo.figures.spots import Mark
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

_COLORS = (
    *("#4D4D4D", "#0072B2", "#E69F00", "#CC79A7"),
    *("#56B4E9", "#D55E00", "#B8A0C8"),  # of reward networks
)
TRAIN_ENV_COLORS = dict(zip(TRAIN_ENVS, _COLORS, strict=True))
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
    marks: Sequence[Mark] = ()
    """What can be pointed at, in the report."""


@contextmanager
def house_style() -> Iterator[None]:
    """The settings of all figures; make and save them inside."""
    with matplotlib.rc_context(_RC):
        yield


@contextmanager
def drawing(height: float) -> Iterator[Figure]:
    """An empty figure of so many inches that lays itself out, in the house's style."""
    with house_style():
        yield Figure(figsize=(WIDTH, height), layout="constrained")


def png_bytes(figure: Figure) -> bytes:
    """The same bytes for the same figure."""
    return _saved(figure, "png", {"Software": None})


def pdf_bytes(figure: Figure) -> bytes:
    """Without the date."""
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
    return agents_in(values, TRAIN_ENVS)


def agents_in(values: Iterable[str], known: Iterable[str] = AGENTS) -> list[str]:
    """The agents that occur, known ones in their order, others after them."""
    found = set(values)
    order = [name for name in known if name in found]
    return order + sorted(found - set(order))


def train_env_color(train_env: str) -> str:
    """The colour of a train_env; one that is not known is drawn in green."""
    return TRAIN_ENV_COLORS.get(train_env, "#009E73")


def arms_in(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The pairs of `agent` and `train_env` that occur, in their order."""
    there = set(zip(table["agent"], table["train_env"], strict=True))
    order = product(agents_in(table["agent"]), train_envs_in(table["train_env"]))
    return [arm for arm in order if arm in there]


def n_words(sizes: pd.Series) -> str:
    """How many, where it may differ: `20`, or `10 to 20`."""
    least, most = sizes.min(), sizes.max()
    return f"{least}" if least == most else f"{least} to {most}"


def beside(
    axes: Axes, text: str, at: tuple[Any, Any], points: tuple[int, int], **more: Any
) -> None:
    """A text so many points from a place."""
    axes.annotate(text, at, xytext=points, textcoords="offset points", **more)


def threshold(axes: Axes, value: float, text: str) -> None:
    """A dashed horizontal line with its name at the left end, where curves are low."""
    axes.axhline(value, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    look = {"ha": "left", "va": "bottom", "fontsize": 8.5, "color": GREY}
    beside(axes, text, (0, value), (2, 2), xycoords=("axes fraction", "data"), **look)


def panel_grid(figure: Figure, n: int, columns: int) -> list[Axes]:
    """Axes for `n` panels, `columns` a row, that share their scales."""
    rows = -(-n // columns)
    shared: Any = {"sharex": True, "sharey": True}
    grid = figure.subplots(rows, min(columns, n), squeeze=False, **shared)
    axes = list(grid.flat)
    for empty in axes[n:]:
        empty.remove()
    for above in axes[max(0, n - min(columns, n)) : n]:
        above.tick_params(labelbottom=True)
    return axes[:n]
