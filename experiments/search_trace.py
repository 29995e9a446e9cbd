"""What a search on a function has spent, and the regret it had reached by then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from bohb_problems import MAX_BUDGET, Problem, Values

from se_hpo import seeding
from se_hpo.storage.records import to_builtin

RULES = ("again", "continued")
"""How a promoted trial pays: its full budget again, as in hpbandster, or the difference
to the largest budget that the same configuration has paid for, as in `se_hpo`."""


class SpentError(Exception):
    """The search has spent what it may, by both rules."""


@dataclass
class Trace:
    """One run of one method: every evaluation goes through it."""

    problem: Problem
    seed: int
    limit: float
    """Units of budget; `SpentError` as soon as the cheaper rule reaches them."""
    spent: dict[str, float] = field(default_factory=lambda: dict.fromkeys(RULES, 0.0))
    points: list[tuple[float, float, float]] = field(default_factory=list)
    """Whenever the incumbent changes: spent by either rule, its regret."""

    def __post_init__(self) -> None:
        self._rng = seeding.generator(self.seed, "bench", "noise")
        self._paid: dict[str, float] = {}
        self._best = (0.0, np.inf)  # budget, loss

    def evaluate(self, values: Values, budget: float) -> float:
        """The loss that an evaluation sees.

        The incumbent is the configuration of lowest loss at the largest budget so far.
        Its regret is without noise and at the top budget.

        Raises:
            SpentError: nothing is left; the evaluation does not count.
        """
        values = to_builtin(dict(values))
        self._pay(json.dumps(values, sort_keys=True), budget)
        loss = self.problem.observe(values, budget, self._rng)
        highest, lowest = self._best
        if budget > highest or (budget == highest and loss < lowest):
            self._best = (budget, loss)
            spent = (self.spent["again"], self.spent["continued"])
            self.points.append((*spent, self.problem.regret(values)))
        return loss

    def _pay(self, key: str, budget: float) -> None:
        if min(self.spent.values()) >= self.limit:
            raise SpentError
        before = self._paid.get(key, 0.0)
        self._paid[key] = max(before, budget)
        self.spent["again"] += budget
        # The same again at no larger budget is another evaluation, with other noise.
        self.spent["continued"] += budget - before if budget > before else budget

    def regret(self, spent: float, rule: str) -> float:
        """Of the incumbent when `spent` units had been spent; infinite before one."""
        column = RULES.index(rule)
        reached = [point[2] for point in self.points if point[column] <= spent]
        return reached[-1] if reached else np.inf


def medians(
    regrets: Sequence[float], draws: int = 2000, level: float = 0.95
) -> dict[str, float | list[float]]:
    """Median over seeds, quartiles, and the median's bootstrap interval."""
    values = np.asarray(regrets)
    rng = seeding.generator(0, "bench", "bootstrap")
    resampled = np.median(rng.choice(values, (draws, len(values))), axis=1)
    ends = [(1 - level) / 2, (1 + level) / 2]
    quartiles = np.quantile(values, [0.25, 0.75])
    interval = np.quantile(resampled, ends)
    return {
        "median": round(float(np.median(values)), 4),
        "quartiles": [round(float(q), 4) for q in quartiles],
        "interval": [round(float(q), 4) for q in interval],
    }


def full_runs(count: float) -> float:
    """Units of budget of so many evaluations at the top budget."""
    return count * MAX_BUDGET
