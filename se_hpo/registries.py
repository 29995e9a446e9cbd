"""What a search space may name: name -> `module:object`, imported where it is needed.

So a table stands below what it names, and an entry of your own is a line:
`STRATEGIES["mine"] = "my_module:MyStrategy"`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

STRATEGIES = {
    "nes": "se_hpo.nes.strategies.nes:NES",
    "openai_es": "se_hpo.nes.strategies.openai_es:OpenAIES",
}
"""Classes derived from `nes.strategies.Strategy`."""

OBJECTIVES = {
    "nes": "se_hpo.optimize.objectives.nes_run:NES_RUN",
    "agent": "se_hpo.optimize.objectives.agent_run:AGENT",
}
"""What an evaluation is: an `objectives.ObjectiveKind` each."""


def load(entry: str) -> Any:
    """The object of an entry.

    >>> load("math:pi") > 3
    True
    """
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)


def objective_kind(name: Any) -> Any:
    """The objective of that name; None for one that is not known here."""
    known = isinstance(name, str) and name in OBJECTIVES
    return load(OBJECTIVES[name]) if known else None


def budget_unit(objective: Any) -> str:
    """What the budget counts, in the plural; `units` where the name says nothing.

    >>> budget_unit("agent"), budget_unit(None)
    ('seeds', 'units')
    """
    kind = objective_kind(objective)
    return str(kind.unit) if kind else "units"
