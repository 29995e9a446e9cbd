"""Learning curves and maps of rewards as pictures: what is drawn where."""

import numpy as np
import pandas as pd
import pytest

from se_hpo import analysis
from se_hpo.figures import draw_learning_curves, draw_reward_maps
from se_hpo.figures.curve_panels import panels
from se_hpo.figures.style import png_bytes
from tests.helpers.curve_frames import curve_frames

SOLVED = {None: 800, "additive_potential": 200, "exclusive": 500}


@pytest.fixture(scope="module")
def means():
    parts = []
    for agent, variation in (("dueling_ddqn", "default"), ("ddqn", "varied")):
        parts.append(curve_frames(SOLVED, agent=agent, variation=variation)[1])
    parts.append(curve_frames(SOLVED, agent="ddqn")[1])
    real = (("real", None),)
    parts.append(curve_frames({None: 600}, arms=real, agent="ddqn+eps_min=0.3")[1])
    return analysis.mean_curves(pd.concat(parts), n_resamples=20)


def test_rows_are_default_varied_and_another_agent_with_baselines_beside(means):
    found = panels(means)
    titles = ["DDQN, default HPs", "DDQN, varied HPs", "Dueling DDQN, default HPs"]
    assert [title for title, _ in found] == titles
    agents = [set(rows["agent"]) for _, rows in found]
    assert agents == [{"ddqn", "ddqn+eps_min=0.3"}, {"ddqn"}, {"dueling_ddqn"}]


def test_every_arm_is_drawn_and_named_once(means):
    picture = draw_learning_curves(means, {"CartPole-v0": 195.0})
    (legend,) = picture.figure.legends
    named = [text.get_text() for text in legend.get_texts()]
    assert sorted(named) == sorted(
        [
            *("the agent alone", "with eps_min=0.3", "additive potential"),
            *("exclusive", "exclusive, random"),
        ]
    )
    first = picture.figure.axes[0]
    assert len(first.lines) == 5 + 1, "and the threshold"
    assert png_bytes(picture.figure).startswith(b"\x89PNG")


def test_fixed_and_varied_networks_of_a_kind_are_told_apart():
    arms = (("real", None), ("rn_fixed", "additive"), ("rn_varied", "additive"))
    _, curves = curve_frames({None: 800, "additive": 100}, arms=arms)
    picture = draw_learning_curves(analysis.mean_curves(curves, n_resamples=9), {})
    named = [text.get_text() for text in picture.figure.legends[0].get_texts()]
    assert {"additive, fixed", "additive, varied"} <= set(named)


def test_matched_and_textbook_values_are_columns_with_one_scale_each(means):
    other = means.assign(agent_values="textbook", max_env_steps=2000)
    both = pd.concat([means, other])
    picture = draw_learning_curves(both, {"CartPole-v0": None})
    assert len(picture.figure.axes) == 6
    assert [axes.get_xlim()[1] for axes in picture.figure.axes[:2]] == [1000, 2000]


def test_nothing_is_drawn_of_nothing():
    assert draw_learning_curves(pd.DataFrame(), {}) is None
    assert draw_reward_maps(pd.DataFrame()) is None


@pytest.mark.parametrize("cell", ["", "SO.G"])
def test_maps_have_a_row_per_set_and_signs_of_the_map(cell):
    rows = [
        {"task": "T", "se_set": name, "train_env": "rn_fixed", "kind": "additive"}
        | {"what": what, "n": 3, "x": i % 2, "y": i // 2, "x_name": "x", "y_name": "y"}
        | {"value": float(i), "cell": cell[i : i + 1]}
        for name in ("a", "b")
        for what in ("best", "mean")
        for i in range(4)
    ]
    picture = draw_reward_maps(pd.DataFrame(rows))
    maps = [axes for axes in picture.figure.axes if axes.get_title(loc="left")]
    assert len(maps) == 4
    signs = [text.get_text() for text in maps[0].texts]
    assert signs == (["S", "x", "", "G"] if cell else [])
    assert np.asarray(png_bytes(picture.figure)[:4] == b"\x89PNG").all()
