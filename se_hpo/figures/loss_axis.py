"""An axis of losses on which one can see where they lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

_CROWDED = 4.0
"""Losses that span so many times the smallest have a logarithmic axis."""


@dataclass(frozen=True)
class LossAxis:
    """How losses are drawn: as they are, logarithmic, or as 1 - loss.

    Most configurations of a hard search have a loss just below 1, good ones of an easy
    search have one near 0: either crowds at an end of a plain axis.
    """

    is_gain: bool
    """1 - loss is drawn: higher is better."""
    least: float
    """Above 0, of what is drawn; 0 for a plain axis."""

    @property
    def label(self) -> str:
        """Of the axis, with its direction."""
        what = "1 - loss (higher" if self.is_gain else "loss (lower"
        return f"{what} is better{', log scale' * bool(self.least)})"

    def drawn(self, losses: pd.Series) -> pd.Series:
        """What is drawn of losses; what is 0 lies at the foot of a logarithmic axis."""
        values = 1 - losses if self.is_gain else losses
        return values.clip(lower=self.least / 2) if self.least else values

    def unit(self, losses: pd.Series) -> pd.Series:
        """Places from 0, the worst, to 1, the best."""
        values = self.drawn(losses)
        values = np.log(values) if self.least else values
        span = float(values.max() - values.min()) or 1.0
        places = (values - values.min()) / span
        return places if self.is_gain else 1 - places

    def set_up(self, axes: Axes) -> None:
        """Scale, ticks and label of the vertical axis."""
        axes.set_ylabel(self.label)
        if not self.least:
            axes.margins(y=0.06)
            return
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def loss_axis(losses: pd.Series) -> LossAxis:
    """The axis on which these losses are least crowded."""
    values = losses.dropna()
    if values.empty or values.min() < 0 or values.max() > 1:
        return LossAxis(False, 0.0)
    is_gain = bool(values.median() > 0.5)
    drawn = 1 - values if is_gain else values
    above = drawn[drawn > 1e-9]
    crowded = len(above) > 1 and above.max() > _CROWDED * above.min()
    return LossAxis(is_gain, float(above.min()) if crowded else 0.0)
