"""Hyperband's ladder of budgets, its brackets, and what they cost (Li et al. 2018).

A budget is a whole number of generations (or of seeds). A promoted trial continues
where it stopped, so it pays only the difference between two rungs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from se_hpo.errors import UserError, did_you_mean

CYCLES = ("cycle", "aggressive", "top")
"""Which brackets to run. `cycle`: Hyperband's, from the one with all rungs to the top
budget alone, and again. `aggressive`: always the one with all rungs (the authors of the
SE paper). `top`: no rungs, as many trials at the top budget as a bracket of `cycle`
costs on average; with random proposals this is random search."""

MOST_BRACKETS = 100_000
"""More would not end in a lifetime; as many are listed in a second."""
_DEFAULT_CYCLES = 2  # enough for BOHB's model to have a say
_DEFAULT_TRIALS = 30  # likewise, where a bracket is a single trial
_MOST = 2**53  # beyond, not every whole number is a float
_ROUNDING = 1e-9  # logarithms of exact powers come out this close to whole numbers


@dataclass(frozen=True)
class Bracket:
    """One round of successive halving."""

    index: int
    """Position in the run, from 0."""
    num_configs: tuple[int, ...]
    """Trials on each rung."""
    budgets: tuple[float, ...]
    """Budget of each rung, increasing."""

    @property
    def trials(self) -> int:
        """Configurations sampled."""
        return self.num_configs[0]

    @property
    def evaluations(self) -> int:
        """Pairs of a trial and a budget."""
        return sum(self.num_configs)

    @property
    def generations(self) -> float:
        """Budget spent when promoted trials continue from their state."""
        steps = (
            b - a for a, b in zip((0.0, *self.budgets), self.budgets, strict=False)
        )
        return sum(n * step for n, step in zip(self.num_configs, steps, strict=True))


@dataclass(frozen=True)
class Plan:
    """What a list of brackets amounts to."""

    brackets: int
    trials: int
    evaluations: int
    generations: float
    """Total budget, promoted trials paying only the difference."""

    def __add__(self, other: Plan) -> Plan:
        """Both, one after the other."""
        sums = (a + b for a, b in zip(astuple(self), astuple(other), strict=True))
        return Plan(*sums)


def budget_ladder(
    min_budget: float, max_budget: float, eta: float
) -> tuple[float, ...]:
    """Budgets of the rungs: whole numbers from `min_budget` to `max_budget`.

    The number of steps is the nearest whole exponent of `eta`; hpbandster truncates it,
    which loses a rung to rounding (eta 3, max / min 243). Both ends are exact, rungs in
    between are rounded, and rungs that fall together are merged.

    Raises:
        UserError: budgets that are not whole numbers >= 1 in order, or eta <= 1.

    >>> budget_ladder(1, 243, 3)
    (1.0, 3.0, 9.0, 27.0, 81.0, 243.0)
    >>> budget_ladder(3, 20, 3)
    (3.0, 8.0, 20.0)
    """
    check_budgets(min_budget, max_budget, eta)
    exponent = math.log(max_budget / min_budget) / math.log(eta)
    steps = max(round(exponent), int(max_budget > min_budget))
    ratio = max_budget / min_budget
    inner = {float(round(min_budget * ratio ** (i / steps))) for i in range(1, steps)}
    return tuple(sorted(inner | {float(min_budget), float(max_budget)}))


def default_n_brackets(ladder: tuple[float, ...]) -> int:
    """How many brackets to run where nobody says: two cycles, or 30 single trials.

    >>> default_n_brackets((1.0, 3.0, 9.0)), default_n_brackets((9.0,))
    (6, 30)
    """
    rungs = len(ladder)
    return _DEFAULT_CYCLES * rungs if rungs > 1 else _DEFAULT_TRIALS


def check_budgets(min_budget: float, max_budget: float, eta: float) -> None:
    """Raise `UserError` unless the three make a ladder."""
    for name, budget in (("min budget", min_budget), ("max budget", max_budget)):
        if not 1 <= budget <= _MOST or budget != int(budget):
            raise UserError(
                f"{name} = {budget:g}: must be a whole number from 1 to {_MOST:g}"
            )
    if min_budget > max_budget:
        raise UserError(
            f"min budget {min_budget:g} is above max budget {max_budget:g}: "
            "exchange them"
        )
    if not math.isfinite(eta) or eta <= 1:
        raise UserError(f"eta = {eta:g}: must be above 1 (3 is usual)")


def hyperband_brackets(
    min_budget: float,
    max_budget: float,
    eta: float,
    n_brackets: int,
    which: str = "cycle",
) -> tuple[Bracket, ...]:
    """The first `n_brackets` brackets of a run; `which` is a name in `CYCLES`.

    One trial in `eta` is promoted. A cycle is as long as the ladder has rungs.

    Raises:
        UserError: see `budget_ladder`; n_brackets out of range; an unknown `which`.
    """
    ladder = budget_ladder(min_budget, max_budget, eta)
    if not 1 <= n_brackets <= MOST_BRACKETS:
        raise UserError(f"{n_brackets} brackets: must be from 1 to {MOST_BRACKETS}")
    if which not in CYCLES:
        raise UserError(f"unknown brackets {which!r}: {did_you_mean(which, CYCLES)}")
    if which == "top":
        size = _random_search_size(ladder, eta)
        return tuple(Bracket(i, (size,), ladder[-1:]) for i in range(n_brackets))
    last = len(ladder) - 1
    halvings = [
        last - i % len(ladder) if which == "cycle" else last for i in range(n_brackets)
    ]
    return tuple(_bracket(i, s, ladder, eta) for i, s in enumerate(halvings))


def _bracket(
    index: int, halvings: int, ladder: tuple[float, ...], eta: float
) -> Bracket:
    """Successive halving over the top `halvings` + 1 rungs, hpbandster's sizes."""
    start = math.floor(len(ladder) // (halvings + 1) * eta**halvings + _ROUNDING)
    counts = (math.floor(start / eta**i + _ROUNDING) for i in range(halvings + 1))
    return Bracket(index, tuple(max(n, 1) for n in counts), ladder[-halvings - 1 :])


def _random_search_size(ladder: tuple[float, ...], eta: float) -> int:
    """Trials at the top budget for the mean cost of a bracket of the cycle."""
    cycle = [_bracket(s, s, ladder, eta) for s in range(len(ladder))]
    mean = sum(b.generations for b in cycle) / len(cycle)
    return max(1, round(mean / ladder[-1]))


def plan(brackets: Iterable[Bracket]) -> Plan:
    """Add up trials, evaluations and generations.

    >>> plan(hyperband_brackets(3, 27, 3, n_brackets=3))
    Plan(brackets=3, trials=15, evaluations=20, generations=189.0)
    """
    brackets = tuple(brackets)
    return Plan(
        brackets=len(brackets),
        trials=sum(b.trials for b in brackets),
        evaluations=sum(b.evaluations for b in brackets),
        generations=float(sum(b.generations for b in brackets)),
    )


def most_at_one_budget(brackets: Iterable[Bracket]) -> int:
    """Evaluations at the budget that has most of them.

    >>> most_at_one_budget(hyperband_brackets(3, 27, 3, n_brackets=3))
    9
    """
    counts: Counter[float] = Counter()
    for bracket in brackets:
        counts.update(dict(zip(bracket.budgets, bracket.num_configs, strict=True)))
    return max(counts.values(), default=0)
