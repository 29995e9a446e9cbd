"""The Pareto front of what was spent and what was reached, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from se_hpo.analysis import pareto_front
from se_hpo.errors import UserError
from se_hpo.results.columns import TRIAL_COLUMNS, tidy


def trials(*points: tuple, **changes: object) -> pd.DataFrame:
    """Of (steps on the task, final score), one trial each."""
    rows = [
        {
            "run": "r",
            "trial": f"000-0-{i:03}",
            "budget": 1.0,
            "status": "finished",
            "loss": 0.5,
            "reason": "budget",
            "env_steps_task": steps,
            "env_steps_se": 10 - steps,
            "score_final": score,
            "finished": 1000.0 + i,
        }
        | changes
        for i, (steps, score) in enumerate(points)
    ]
    return tidy(rows, TRIAL_COLUMNS)


def front(frame: pd.DataFrame, **how: str) -> list[int]:
    """Numbers of the trials on the front, by cost."""
    found = pareto_front(frame, **how)
    return [int(name[-3:]) for name in found.loc[found["on_front"], "trial"]]


def test_who_is_beaten_in_both_is_not_on_the_front() -> None:
    assert front(trials((1, 5.0), (2, 4.0), (3, 9.0), (4, 9.5), (5, 1.0))) == [0, 2, 3]


def test_of_equal_cost_the_better_and_of_equal_value_the_cheaper() -> None:
    assert front(trials((1, 5.0), (1, 6.0))) == [1]
    assert front(trials((2, 5.0), (1, 5.0))) == [1]


def test_twins_are_both_on_it() -> None:
    assert front(trials((1, 5.0), (1, 5.0), (2, 5.0), (2, 7.0), (2, 7.0))) == [
        0,
        1,
        3,
        4,
    ]


def test_rows_are_by_cost_and_all_there() -> None:
    found = pareto_front(trials((3, 1.0), (1, 2.0)))
    assert found["env_steps_task"].tolist() == [1, 3]
    assert found["on_front"].tolist() == [True, False]


def test_of_a_loss_less_is_better() -> None:
    frame = trials((1, 5.0), (2, 5.0), (3, 5.0)).assign(loss=[0.5, 0.6, 0.4])
    assert front(frame, value="loss") == [0, 2]


def test_failed_and_unscored_evaluations_are_left_out() -> None:
    assert not len(pareto_front(trials((1, 5.0), status="failed")))
    assert not len(pareto_front(trials((1, None))))
    assert not len(pareto_front(trials()))


def test_it_agrees_with_the_definition_on_random_points() -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for _ in range(20):
        points = [(int(c), float(v)) for c, v in rng.integers(0, 6, (15, 2))]
        better = [
            any(c <= a and v >= b and (c, v) != (a, b) for c, v in points)
            for a, b in points
        ]
        assert sorted(front(trials(*points))) == [
            i for i, b in enumerate(better) if not b
        ]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"cost": "loss", "value": "loss"}, "both 'loss': a front needs two"),
        ({"cost": "env_steps"}, "no column 'env_steps': .*env_steps_se"),
    ],
)
def test_what_makes_no_front_is_one_line(how: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        pareto_front(trials((1, 5.0)), **how)
