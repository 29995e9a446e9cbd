"""Functions that no setting of the generator was chosen by: `bench_bohb.py` only."""

from __future__ import annotations

import functools

import numpy as np
from bohb_problems import MAX_BUDGET, Problem, Values, noisy
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    Integer,
    OrdinalHyperparameter,
)


def _branin_space() -> ConfigurationSpace:
    cs = ConfigurationSpace()
    cs.add(Float("x", (-5.0, 10.0)), Float("y", (0.0, 15.0)))
    cs.add([Float(f"idle{i}", (0.0, 1.0)) for i in range(4)])
    return cs


def _branin(values: Values, b: float) -> float:
    x, y = values["x"], values["y"]
    bowl = (y - b * x * x + 5 / np.pi * x - 6) ** 2
    return float(bowl + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)


def _branin_regret(values: Values) -> float:
    return float(np.log1p(max(_branin(values, 5.1 / (4 * np.pi**2)) - 0.397887, 0.0)))


def _branin_observe(values: Values, budget: float, rng: np.random.Generator) -> float:
    """Low budgets bend the valley, as in Kandasamy et al. (2017), and are noisy."""
    b = 5.1 / (4 * np.pi**2) - 0.02 * (1 - budget / MAX_BUDGET)
    noise = 0.05 * (MAX_BUDGET / budget) ** 0.5 * rng.normal()
    return float(np.log1p(max(_branin(values, b), 0.0)) + noise)


_PIPELINE = {"tree": 0.1, "kernel": 0.0}


def _pipeline_space() -> ConfigurationSpace:
    """A learner with branches two levels deep, beside what hardly matters."""
    cs = ConfigurationSpace()
    learner = Categorical("learner", list(_PIPELINE))
    boosted = Categorical("boosted", [True, False])
    kernel = Categorical("kernel", ["rbf", "poly", "linear"])
    gamma, degree = Float("gamma", (1e-4, 1e2), log=True), Integer("degree", (2, 6))
    depth, rate = Integer("depth", (1, 20)), Float("rate", (1e-3, 1.0), log=True)
    penalty = Float("penalty", (1e-3, 1e3), log=True)
    scale = OrdinalHyperparameter("scale", ["none", "mean", "unit", "rank"])
    cs.add(learner, boosted, kernel, gamma, degree, depth, rate, penalty, scale)
    cs.add([Float(f"minor{i}", (0.0, 1.0)) for i in range(8)])
    cs.add(
        EqualsCondition(boosted, learner, "tree"),
        EqualsCondition(depth, learner, "tree"),
        EqualsCondition(rate, boosted, True),
        EqualsCondition(kernel, learner, "kernel"),
        EqualsCondition(penalty, learner, "kernel"),
        EqualsCondition(gamma, kernel, "rbf"),
        EqualsCondition(degree, kernel, "poly"),
    )
    return cs


def _pipeline_regret(values: Values) -> float:
    loss = _PIPELINE[values["learner"]]
    if values["learner"] == "tree":
        loss += ((values["depth"] - 6) / 15) ** 2 + 0.1 * (not values["boosted"])
        loss += np.log10(values.get("rate", 0.05) / 0.05) ** 2 / 9
    else:
        loss += {"rbf": 0.0, "poly": 0.15, "linear": 0.25}[values["kernel"]]
        loss += np.log10(values["penalty"] / 30) ** 2 / 9
        loss += np.log10(values.get("gamma", 0.05) / 0.05) ** 2 / 9
        loss += 0.02 * abs(values.get("degree", 3) - 3)
    loss += {"none": 0.1, "mean": 0.03, "unit": 0.0, "rank": 0.05}[values["scale"]]
    return float(loss + sum((values[f"minor{i}"] - 0.5) ** 2 for i in range(8)) / 20)


HOLD_OUT = (
    Problem("Branin + 4 idle, bias", _branin_space, _branin_regret, _branin_observe),
    Problem(
        "pipeline, two levels",
        _pipeline_space,
        _pipeline_regret,
        functools.partial(noisy, _pipeline_regret, 0.03),
    ),
)
