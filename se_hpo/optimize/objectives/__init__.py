"""What BOHB minimizes: the meaning of a budget, an evaluation, and its cost.

One objective per file, by the names in `registries.OBJECTIVES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from se_hpo.training.jobs import TrainingJob

Evaluate = Callable[..., dict[str, Any]]
"""`(config, trial's seed, files, inner loop, budget, guard)` -> values of the record.

What lower budgets left in the files is kept, and counts; `guard` is called before
anything is written. The loss is in [0, 1]; divergence is 1, a crash an exception. One
that has a parameter `loss` gets the run's, a name in `objectives.losses.LOSSES`.
"""

Cost = Callable[..., tuple[TrainingJob, int, int]]
"""`(config, seed)` -> a typical job, and how many a unit of budget and a trial take."""


@dataclass(frozen=True)
class ObjectiveKind:
    """What an evaluation is; an entry of `registries.OBJECTIVES`."""

    unit: str
    """What the budget counts, in the plural: `generations`."""
    what: str
    """What is evaluated, in the plural: `complete NES runs`."""
    learns_se: bool
    """Whether an evaluation learns an SE, with a center and generations."""
    evaluate: Evaluate
    cost: Cost
    on_ses: bool = False
    """Whether agents train on SEs that are there: `evaluate` and `cost` then also take
    `ses`, a sequence of `LearnedEnv`."""
