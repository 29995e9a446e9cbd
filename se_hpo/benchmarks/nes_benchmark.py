"""A search's objective that costs a millisecond, learned from complete NES runs.

Random configurations of `nes_cartpole` were run to 27 generations with two seeds each.
A random forest predicts from a configuration the level of every generation, and so the
loss at every budget, and another one the cost; noise is that of real seeds. Surrogates
of this kind are those of Eggensperger et al. (2015), "Efficient Benchmarking of
Hyperparameter Optimizers via Surrogates".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from se_hpo import seeding
from se_hpo.benchmarks.recorded import RecordedRuns, read_runs
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.errors import UserError
from se_hpo.search_spaces.loading import load_space

GENERATIONS = 27
_TREES = 100
_FOLDS = 10
_NEIGHBOURS = 20
"""Configurations of about the same loss whose seeds say how noisy it is."""


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation gives."""

    loss: float
    """In [0, 1], lower is better."""
    cost: float
    """Processor seconds of the whole run up to the budget."""


class NESBenchmark:
    """`nes_cartpole` as a function: configuration, budget, seed -> loss and cost.

    Attributes:
        space: what to search; a new copy.
        min_budget, max_budget, eta: those of the search space, in generations.
    """

    def __init__(self, name: str = "nes_cartpole", file: Path | None = None) -> None:
        """Read the runs and fit the forests: a few seconds.

        Args:
            name: a space whose runs are in the package.
            file: other runs, of the same space.

        Raises:
            UserError: unknown name, scikit-learn is missing, or the file is damaged.
        """
        found = load_space(name)
        self.space: ConfigurationSpace = found.configuration_space()
        self.min_budget, self.max_budget = found.min_budget, GENERATIONS
        self.eta = found.eta
        file = file or Path(__file__).parent / f"{found.name}.csv.gz"
        self._encoding = SpaceEncoding(self.space)
        self.runs: RecordedRuns = read_runs(file, found, GENERATIONS)
        self._features = np.array([self._vector(c) for c in self.runs.configurations])
        self._trees = _Forests.fit(self._features, self.runs)

    def evaluate(
        self, configuration: Mapping[str, Any], budget: int, seed: int
    ) -> Evaluated:
        """One evaluation; the same seed gives one run, seen at every budget.

        Raises:
            UserError: a configuration of another space, or a budget outside 1 to 27.
        """
        self._check(budget)
        levels, cost = self._trees.predict(self._vector(configuration))
        noisy = levels + self._noise(float(1.0 - levels.mean()), seed)
        loss = float(1.0 - np.clip(noisy[:budget], 0.0, 1.0).mean())
        return Evaluated(loss, cost * budget / GENERATIONS)

    def mean_loss(self, configuration: Mapping[str, Any], budget: int) -> float:
        """The loss without noise: what a search is judged by."""
        self._check(budget)
        levels, _ = self._trees.predict(self._vector(configuration))
        return float(1.0 - levels[:budget].mean())

    @cached_property
    def best(self) -> float:
        """The lowest `mean_loss` at the full budget that was found by looking long.

        Of 5,000 random configurations the best 30, improved by 150 rounds of changing
        one or two hyperparameters of each to those of another of them.
        """
        rng = seeding.generator(0, "benchmark", "best")
        drawn = [self._encoding.sample(seed) for seed in range(5_000)]
        elite, losses = self._lowest(drawn, self._losses(drawn))
        for _ in range(150):
            changed = [self._crossed(one, elite, rng) for one in elite]
            both = np.concatenate([losses, self._losses(changed)])
            elite, losses = self._lowest(elite + changed, both)
        return float(losses[0])

    @cached_property
    def rank_correlation(self) -> float:
        """Spearman's, cross-validated: predicted and recorded loss of configurations.

        Ten folds; both seeds of a configuration are in one.
        """
        from scipy.stats import spearmanr
        from sklearn.model_selection import GroupKFold

        runs, predicted = self.runs, np.empty(len(self._features))
        for train, test in GroupKFold(_FOLDS).split(self._features, groups=runs.groups):
            trees = _Forests.fit(self._features[train], runs.of(train))
            predicted[test] = 1.0 - trees.levels.predict(self._features[test]).mean(1)
        means = [_by_group(x, runs.groups) for x in (predicted, runs.losses[:, -1])]
        return float(spearmanr(*means).statistic)

    @staticmethod
    def _lowest(
        configurations: list[dict[str, Any]], losses: np.ndarray
    ) -> tuple[list[dict[str, Any]], np.ndarray]:
        """The 30 of lowest loss, and these."""
        order = np.argsort(losses, kind="stable")[:30]
        return [configurations[i] for i in order], losses[order]

    def _losses(self, configurations: list[dict[str, Any]]) -> np.ndarray:
        vectors = np.array([self._vector(c) for c in configurations])
        return np.asarray(1.0 - self._trees.levels.predict(vectors).mean(axis=1))

    def _crossed(
        self, one: dict[str, Any], elite: list[dict[str, Any]], rng: np.random.Generator
    ) -> dict[str, Any]:
        """A configuration with one or two values of another one, where that is one."""
        other = elite[int(rng.integers(len(elite)))]
        shared = sorted({*one} & {*other})
        taken = rng.choice(len(shared), size=min(len(shared), int(rng.integers(1, 3))))
        changed = {**one, **{shared[i]: other[shared[i]] for i in taken}}
        vector = np.nan_to_num(self._encoding.encode(changed))
        return self._encoding.decode(vector) or one

    def _check(self, budget: float) -> None:
        if not 1 <= budget <= GENERATIONS or budget != int(budget):
            raise UserError(f"budget {budget}: a whole number from 1 to {GENERATIONS}")

    def _vector(self, configuration: Mapping[str, Any]) -> np.ndarray:
        """Numbers in [0, 1], choices one by one; -1 where something is inactive."""
        entries = self._encoding.encode(self._encoding.check(configuration))
        parts = [
            np.arange(levels) == entry if levels else [entry]
            for entry, levels in zip(entries, self._encoding.levels, strict=True)
        ]
        return np.nan_to_num(np.concatenate(parts).astype(np.float32), nan=-1.0)

    def _noise(self, loss: float, seed: int) -> np.ndarray:
        """What a seed adds to the levels.

        The difference of two real seeds over the root of 2, with a random sign, of a
        configuration with about this loss.
        """
        order = np.argsort(np.abs(self._pair_losses - loss), kind="stable")
        rng = seeding.generator(seed, "benchmark", "noise")
        place = order[int(rng.integers(min(_NEIGHBOURS, len(order))))]
        sign = 1.0 if rng.random() < 0.5 else -1.0
        return np.asarray(sign * self._pairs[place] / np.sqrt(2.0))

    @cached_property
    def _pairs(self) -> np.ndarray:
        """Levels of the first seed minus those of the second, by configuration."""
        return np.array([np.subtract(*two) for two in self._twice])

    @cached_property
    def _pair_losses(self) -> np.ndarray:
        return np.array([1.0 - np.mean(two) for two in self._twice])

    @cached_property
    def _twice(self) -> list[np.ndarray]:
        groups = self.runs.groups
        found = [np.flatnonzero(groups == g)[:2] for g in np.unique(groups)]
        return [self.runs.levels[rows] for rows in found if len(rows) == 2]


@dataclass(frozen=True)
class _Forests:
    """What predicts levels, and the logarithm of the cost."""

    levels: Any
    cost: Any

    @classmethod
    def fit(cls, features: np.ndarray, runs: RecordedRuns) -> _Forests:
        try:
            from sklearn.ensemble import RandomForestRegressor
        except ImportError:
            raise UserError(
                "NESBenchmark needs scikit-learn: pip install 'se-hpo[analysis]'"
            ) from None
        forest = {"n_estimators": _TREES, "random_state": 0, "max_features": 0.5}
        return cls(
            RandomForestRegressor(**forest).fit(features, runs.levels),
            RandomForestRegressor(**forest).fit(features, np.log(runs.cpu_seconds)),
        )

    def predict(self, vector: np.ndarray) -> tuple[np.ndarray, float]:
        """Levels of the generations, and processor seconds of all of them."""
        x = vector[None].astype(np.float32)
        levels = sum(t.tree_.predict(x).ravel() for t in self.levels.estimators_)
        cost = sum(float(t.tree_.predict(x).item()) for t in self.cost.estimators_)
        return np.asarray(levels / _TREES), float(np.exp(cost / _TREES))


def _by_group(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.array([values[groups == g].mean() for g in np.unique(groups)])
