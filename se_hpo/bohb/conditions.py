"""Which hyperparameters of a configuration are active, and what forbids it.

Decided from the declared conditions and clauses alone, by values. ConfigSpace 1.2 asks
vectors instead: there an `and` passes for an `or` over the same parents, a value that
was rounded for another one, and an inactive parent for one that differs from anything.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ConfigSpace import ConfigurationSpace, util
from ConfigSpace.conditions import AndConjunction, ConditionLike, Conjunction
from ConfigSpace.forbidden import (
    ForbiddenAndConjunction,
    ForbiddenConjunction,
    ForbiddenLike,
    ForbiddenRelation,
)


@contextlib.contextmanager
def defaults_unchecked() -> Iterator[None]:
    """Let a space be built whose default configuration ConfigSpace takes for illegal.

    It looks at every addition, and makes the same mistakes there; `SpaceEncoding` looks
    at the whole.
    """
    check = util.check_configuration
    util.check_configuration = lambda *_args, **_kwargs: None
    try:
        yield
    finally:
        util.check_configuration = check


def active_values(
    space: ConfigurationSpace, value_of: Callable[[str], Any]
) -> dict[str, Any]:
    """The values of those hyperparameters whose conditions hold.

    Args:
        space: with the conditions.
        value_of: asked for the value of each active one, parents first.
    """
    values: dict[str, Any] = {}
    for name in space:  # parents come first
        if all(_holds(c, values) for c in space.parent_conditions_of[name]):
            values[name] = value_of(name)
    return values


def forbidding_clause(
    space: ConfigurationSpace, values: Mapping[str, Any]
) -> str | None:
    """The clause that forbids a configuration, or None if it is allowed."""
    for clause in space.forbidden_clauses:
        if _forbids(clause, dict(values)):
            return str(clause).replace("Forbidden: ", "")
    return None


def _holds(condition: ConditionLike, values: Mapping[str, Any]) -> bool:
    """A condition on an inactive hyperparameter does not hold, whatever it asks."""
    if isinstance(condition, Conjunction):
        join = all if isinstance(condition, AndConjunction) else any
        return join(_holds(part, values) for part in condition.components)
    parent = condition.parent.name
    return parent in values and condition.satisfied_by_value({parent: values[parent]})


def _forbids(clause: ForbiddenLike, values: dict[str, Any]) -> bool:
    """A clause about an inactive hyperparameter forbids nothing."""
    if isinstance(clause, ForbiddenConjunction):
        join = all if isinstance(clause, ForbiddenAndConjunction) else any
        return join(_forbids(part, values) for part in clause.components)
    if isinstance(clause, ForbiddenRelation):
        return bool(clause.is_forbidden_value(values))
    known = clause.hyperparameter.name in values
    return known and bool(clause.is_forbidden_value(values))
