"""What a reader can point at: spots lie where the picture shows their points."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from se_hpo.figures import spots_of, style
from se_hpo.figures.loss_axis import loss_axis
from se_hpo.figures.spots import Mark


def test_a_spot_lies_where_the_picture_has_its_point() -> None:
    with style.drawing(height=3.0) as figure:
        axes = figure.subplots()
        axes.set(xlim=(1, 100), ylim=(0, 1), xscale="log", title="room above")
        axes.plot([30.0], [0.7], "s", color="#FF0000", markersize=4)
    png = style.png_bytes(figure)
    spots = spots_of(figure, [Mark(axes, [30.0], [0.7], "a", "words")])
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    red = (picture[..., 0] > 200) & (picture[..., 1:].max(axis=2) < 60)
    y, x = np.argwhere(red).mean(axis=0) * 1000 / picture.shape[1]
    assert spots[0].points[0] == pytest.approx((x, y), abs=2.0)
    assert spots[0].height == pytest.approx(1000 * 3.0 / style.WIDTH)
    assert (spots[0].key, spots[0].text) == ("a", "words")


def test_points_that_are_nowhere_are_left_out() -> None:
    with style.drawing(height=3.0) as figure:
        axes = figure.subplots()
    marks = [
        Mark(axes, [0.0, 1.0, 2.0], [np.nan, 1.0, 2.0], "line", ""),
        Mark(axes, [np.nan], [1.0], "lost", ""),
    ]
    spots = spots_of(figure, marks)
    assert [spot.key for spot in spots] == ["line"]
    assert len(spots[0].points) == 2 and spots[0].path.count("L") == 1


@pytest.mark.parametrize(
    ("losses", "is_gain", "is_log"),
    [
        ([0.01, 0.02, 0.2, 1.0], False, True),  # crowded near 0
        ([0.535, 0.86, 0.95, 0.99, 1.0], True, True),  # crowded near 1
        ([0.2, 0.3, 0.4], False, False),
        ([0.6, 0.7, 0.8], True, False),
        ([-5.0, 3.0, 900.0], False, False),  # somebody's own objective
        ([1.0, 1.0], True, False),
        ([0.0, 0.0, 0.0], False, False),
    ],
)
def test_the_axis_of_losses_shows_where_they_are(
    losses: list[float], is_gain: bool, is_log: bool
) -> None:
    values = pd.Series(losses)
    axis = loss_axis(values)
    assert (axis.is_gain, axis.least > 0) == (is_gain, is_log)
    assert ("log scale" in axis.label) == is_log
    drawn, unit = axis.drawn(values), axis.unit(values)
    assert np.isfinite(drawn).all() and (not is_log or (drawn > 0).all())
    assert unit.between(0, 1).all()
    assert unit.idxmax() == values.idxmin() or values.nunique() == 1
