"""Four noisy functions of a budget, on which `bench_bohb.py` compares generators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    Integer,
)

from se_hpo import seeding

MAX_BUDGET = 27

Values = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A noisy function whose bias and noise shrink with the budget."""

    name: str
    space: Callable[[], ConfigurationSpace]
    regret: Callable[[Values], float]
    """Without noise, at the top budget; the least possible is 0."""
    observe: Callable[[Values, float, np.random.Generator], float]
    """The loss that an evaluation with a budget sees."""


def _ones_space() -> ConfigurationSpace:
    cs = ConfigurationSpace()
    cs.add([Categorical(f"c{i}", [0, 1]) for i in range(8)])
    cs.add([Float(f"x{i}", (0.0, 1.0)) for i in range(8)])
    return cs


def _ones_regret(values: Values) -> float:
    return 1.0 - sum(values.values()) / 16


def _ones_observe(values: Values, budget: float, rng: np.random.Generator) -> float:
    """Each x is a probability, estimated from 9 samples per unit of budget."""
    samples = 9 * int(budget)
    ones = sum(values[f"c{i}"] for i in range(8))
    ones += sum(rng.binomial(samples, values[f"x{i}"]) / samples for i in range(8))
    return 1.0 - ones / 16


_HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _hartmann(values: Values, alpha: tuple[float, ...]) -> float:
    x = np.array([values[f"x{i}"] for i in range(6)])
    distances = (_HARTMANN_A * (x - _HARTMANN_P) ** 2).sum(axis=1)
    return float(-np.dot(alpha, np.exp(-distances)))


def _hartmann_regret(values: Values) -> float:
    return _hartmann(values, (1.0, 1.2, 3.0, 3.2)) + 3.32237


def _hartmann_observe(values: Values, budget: float, rng: np.random.Generator) -> float:
    """Low budgets see other heights of the four basins, and more noise."""
    bias = 0.5 * (1.0 - budget / MAX_BUDGET)
    heights = (1.0 + bias, 1.2 + bias, 3.0 - bias, 3.2 - 2 * bias)
    noise = 0.05 * (MAX_BUDGET / budget) ** 0.5
    return _hartmann(values, heights) + noise * rng.normal()


def _hartmann_space() -> ConfigurationSpace:
    cs = ConfigurationSpace()
    cs.add([Float(f"x{i}", (0.0, 1.0)) for i in range(6)])
    return cs


_BRANCHES = {"sgd": 0.15, "adam": 0.0, "lbfgs": 0.3}


def _mixed_space() -> ConfigurationSpace:
    """Three branches with three hyperparameters each, and four shared ones."""
    cs = ConfigurationSpace()
    branch = Categorical("branch", list(_BRANCHES))
    cs.add([branch, Float("lr", (1e-5, 1.0), log=True), Integer("layers", (1, 8))])
    cs.add([Float("decay", (1e-6, 1e-1), log=True), Categorical("act", list("abcde"))])
    for name in _BRANCHES:
        own = [
            Float(f"{name}.a", (0.0, 1.0)),
            Float(f"{name}.b", (1e-3, 1.0), log=True),
            Integer(f"{name}.c", (1, 64), log=True),
        ]
        cs.add(own)
        cs.add([EqualsCondition(hp, branch, name) for hp in own])
    return cs


def _mixed_regret(values: Values) -> float:
    name = values["branch"]
    errors = (
        np.log10(values["lr"] / 1e-3) / 2,
        (values["layers"] - 5) / 5,
        np.log10(values["decay"] / 1e-4) / 3,
        values[f"{name}.a"] - 0.7,
        np.log10(values[f"{name}.b"] / 0.03) / 2,
        np.log2(values[f"{name}.c"] / 16) / 4,
    )
    steps = 0.1 * "abcde".index(values["act"]) if values["act"] != "c" else 0.0
    return float(_BRANCHES[name] + steps + sum(e * e for e in errors))


_LEVEL_RNG = seeding.generator(0, "bench", "levels")
_PENALTIES = np.stack([_LEVEL_RNG.permutation(12) / 11 for _ in range(4)]) ** 2


def _levels_space() -> ConfigurationSpace:
    cs = ConfigurationSpace()
    cs.add([Categorical(f"c{i}", list("abcdefghijkl")) for i in range(4)])
    cs.add([Float(f"x{i}", (0.0, 1.0)) for i in range(2)])
    return cs


def _levels_regret(values: Values) -> float:
    chosen = ("abcdefghijkl".index(values[f"c{i}"]) for i in range(4))
    penalty = sum(_PENALTIES[i, level] for i, level in enumerate(chosen)) / 4
    return float(penalty + (values["x0"] - 0.3) ** 2 + (values["x1"] - 0.8) ** 2)


def noisy(
    regret: Callable[[Values], float],
    scale: float,
    values: Values,
    budget: float,
    rng: np.random.Generator,
) -> float:
    """Regret with noise that falls with the root of the budget."""
    return regret(values) + scale * (MAX_BUDGET / budget) ** 0.5 * rng.normal()


PROBLEMS = (
    Problem("counting ones 8+8", _ones_space, _ones_regret, _ones_observe),
    Problem(
        "Hartmann6, noise + bias", _hartmann_space, _hartmann_regret, _hartmann_observe
    ),
    Problem(
        "mixed conditional",
        _mixed_space,
        _mixed_regret,
        functools.partial(noisy, _mixed_regret, 0.05),
    ),
    Problem(
        "4 x 12 levels + 2 floats",
        _levels_space,
        _levels_regret,
        functools.partial(noisy, _levels_regret, 0.02),
    ),
)
