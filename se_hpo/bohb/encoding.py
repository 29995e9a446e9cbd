"""Between configurations (flat dicts of builtin values) and the vectors of the model.

A vector has one entry per hyperparameter that can vary: numbers and ordinals are scaled
to [0, 1] (on a log scale where the space says so), categoricals are the index of their
choice, inactive hyperparameters are NaN. Constants do not appear, nor do choices with a
weight of 0, which are switched off and never proposed.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ConfigSpace
import numpy as np
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from se_hpo.bohb.conditions import active_values, forbidding_clause
from se_hpo.errors import UserError
from se_hpo.storage.records import to_builtin

Configuration = dict[str, Any]

_MOST_FORBIDDEN = 20_000  # draws in a row
_REDRAWS = 64
_FLOAT_PLACES = 13  # ConfigSpace rounds floats to this many places


class SpaceEncoding:
    """A private copy of a search space that encodes, decodes and samples."""

    def __init__(self, space: ConfigSpace.ConfigurationSpace) -> None:
        self._space = copy.deepcopy(space)
        self._declared = {name: choices_of(hp) for name, hp in self._space.items()}
        self._choices = {name: switched_on(hp) for name, hp in self._space.items()}
        sizes = {n: len(self._choices[n]) or hp.size for n, hp in self._space.items()}
        self.names = tuple(name for name, size in sizes.items() if size > 1)
        """Hyperparameters that can vary, in the order of a vector's entries."""
        self.size = math.prod(map(float, sizes.values()))
        """At most so many configurations; infinite with floats."""
        kinds = [type(self._space[name]) for name in self.names]
        ordered = [not issubclass(k, CategoricalHyperparameter) for k in kinds]
        listed = zip(self.names, ordered, strict=True)
        self.levels = np.array([0 if o else sizes[n] for n, o in listed], np.int64)
        """Number of choices per entry; 0 for numbers and ordinals."""

    def encode(self, configuration: Mapping[str, Any]) -> np.ndarray:
        """The vector of a configuration; NaN where it has no value to model.

        Raises:
            ValueError: a value that its hyperparameter cannot take.
        """
        vector = np.full(len(self.names), np.nan)
        for i, name in enumerate(self.names):
            if name in configuration:
                vector[i] = self._entry(name, configuration[name])
        return vector

    def decode(self, vector: np.ndarray) -> Configuration | None:
        """The configuration nearest to a vector without NaN; None if it is forbidden.

        Hyperparameters whose conditions fail are left out.
        """
        entries = dict(zip(self.names, vector, strict=True))
        return self._allowed(lambda name: self._value(name, entries.get(name, 0.0)))

    def sample(
        self, seed: int, wanted: Callable[[Configuration], bool] | None = None
    ) -> Configuration:
        """A configuration drawn from the space's prior, a function of `seed` alone.

        It is drawn again, up to 64 times, until `wanted` holds; if that never does, the
        first draw counts.

        Raises:
            UserError: next to everything is forbidden.
        """
        draws = self._draws(seed)
        first = next(draws)
        if wanted is None or wanted(first):
            return first
        return next(filter(wanted, itertools.islice(draws, _REDRAWS)), first)

    def default(self) -> Configuration:
        """The space's default configuration.

        Raises:
            UserError: it is forbidden, or has a choice that is switched off.
        """
        active = active_values(self._space, self._default)
        for name, value in active.items():
            if self._choices[name] and value not in self._choices[name]:
                raise UserError(
                    f"{name!r}: its default {value!r} has weight 0, which switches it "
                    "off: give another default"
                )
        if (clause := forbidding_clause(self._space, active)) is not None:
            raise UserError(
                f"the default configuration {active} is forbidden by {clause}: give "
                "other defaults"
            )
        return active

    def grid(self) -> Iterator[tuple[np.ndarray, Configuration]]:
        """Every allowed configuration of a space without floats, and a vector of it."""
        axes = [self._axis(name) for name in self.names]
        for entries in itertools.product(*axes):
            vector = np.array(entries)
            if (configuration := self.decode(vector)) is not None:
                yield vector, configuration

    def check(self, configuration: Mapping[str, Any]) -> Configuration:
        """A configuration from elsewhere, with the types that the space declares.

        Values that leave no choice may be missing.

        Raises:
            UserError: it is none of this space; the line names what differs.
        """
        roots = [n for n in self.names if not self._space.parent_conditions_of[n]]
        unknown = [str(name) for name in configuration if name not in self._space]
        if unknown:
            _refuse_names(unknown, [n for n in roots if n not in configuration])
        missing: list[str] = []

        def value_of(name: str) -> Any:
            if name in configuration:
                return legal_value(self._space[name], configuration[name])
            if name in self.names:
                missing.append(name)
                return self._default(name)
            return self._value(name, 0.0)

        active = active_values(self._space, value_of)
        if missing:
            _refuse_names([], missing)
        if inactive := [name for name in configuration if name not in active]:
            raise UserError(
                f"{', '.join(inactive)} is inactive with its other values: leave it out"
            )
        if (clause := forbidding_clause(self._space, active)) is not None:
            raise UserError(f"it is forbidden by {clause}")
        return active

    def _draws(self, seed: int) -> Iterator[Configuration]:
        """Allowed configurations in the order in which ConfigSpace draws them."""
        space, rejected = self._space, 0
        space.seed(seed)
        limits = len(space.forbidden_clauses) + len(space.conditional_hyperparameters)
        at_once = max(int((limits / len(space)) ** 2), 5)
        while rejected < _MOST_FORBIDDEN:
            rows = [
                hp.sample_vector(at_once, seed=space.random) for hp in space.values()
            ]
            for column in np.transpose(rows):
                configuration = self._drawn(dict(zip(space, column, strict=True)))
                rejected = 0 if configuration is not None else rejected + 1
                if configuration is not None:
                    yield configuration
        raise UserError(
            f"{rejected} random configurations in a row were forbidden: the forbidden "
            "clauses leave next to nothing; narrow the ranges instead"
        )

    def _drawn(self, entries: Mapping[str, float]) -> Configuration | None:
        """The configuration of ConfigSpace's own entries; None if it is forbidden."""

        def value_of(name: str) -> Any:
            listed = self._declared[name]
            if not listed:
                return nearest_number(self._space[name], entries[name])
            return listed[round(entries[name]) if len(listed) > 1 else 0]

        return self._allowed(value_of)

    def _allowed(self, value_of: Callable[[str], Any]) -> Configuration | None:
        active = active_values(self._space, value_of)
        return active if forbidding_clause(self._space, active) is None else None

    def _entry(self, name: str, value: Any) -> float:
        hp, listed = self._space[name], self._choices[name]
        if not listed:
            return float(hp.to_vector(value))
        value = to_builtin(value)
        if value not in listed and value in self._declared[name]:
            return math.nan  # switched off: of an earlier run, or the user's own
        index = listed.index(value)
        if isinstance(hp, OrdinalHyperparameter):
            return index / (len(listed) - 1)
        return float(index)

    def _value(self, name: str, entry: float) -> Any:
        """The legal value nearest to an entry of a vector."""
        hp, listed = self._space[name], self._choices[name]
        if not listed:
            return nearest_number(hp, entry)
        ordinal = isinstance(hp, OrdinalHyperparameter)
        return listed[round(entry * (len(listed) - 1) if ordinal else entry)]

    def _default(self, name: str) -> Any:
        return legal_value(self._space[name], self._space[name].default_value)

    def _axis(self, name: str) -> list[float]:
        hp: Any = self._space[name]
        values = self._choices[name] or range(hp.lower, hp.upper + 1)
        return [self._entry(name, value) for value in values]


# -- values of one hyperparameter: builtin, also where the space has NumPy scalars ----


def choices_of(hp: Hyperparameter) -> list[Any]:
    """What a discrete hyperparameter can be, by vector index; empty for numbers."""
    if isinstance(hp, CategoricalHyperparameter):
        return [to_builtin(c) for c in hp.choices]
    if isinstance(hp, OrdinalHyperparameter):
        return [to_builtin(c) for c in hp.sequence]
    if isinstance(hp, Constant):
        return [to_builtin(hp.value)]
    return []


def switched_on(hp: Hyperparameter) -> list[Any]:
    """Its choices but those of weight 0, which are never drawn."""
    choices = choices_of(hp)
    if not isinstance(hp, CategoricalHyperparameter):
        return choices
    return [c for c, p in zip(choices, hp.probabilities, strict=True) if p > 0]


def nearest_number(hp: Hyperparameter, entry: float) -> Any:
    """The number at an entry of ConfigSpace's vector."""
    value = to_builtin(hp.to_value(np.float64(min(max(entry, 0.0), 1.0))))
    return value if isinstance(value, int) else _rounded(hp, value)


def legal_value(hp: Hyperparameter, value: Any) -> Any:
    """A value as the hyperparameter declares it.

    Raises:
        UserError: it is none of its values.
    """
    choices, value = choices_of(hp), to_builtin(value)
    if choices:
        if value not in choices:
            known = ", ".join(map(repr, choices))
            raise UserError(f"{hp.name} = {value!r}: must be one of {known}")
        return choices[choices.index(value)]
    assert isinstance(hp, NumericalHyperparameter)
    low, high = to_builtin(hp.lower), to_builtin(hp.upper)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not low <= round(value, _FLOAT_PLACES) <= high:
        raise UserError(f"{hp.name} = {value!r}: must be in {low!r} .. {high!r}")
    if not isinstance(low, int):
        return _rounded(hp, value)
    if value != int(value):
        raise UserError(f"{hp.name} = {value!r}: must be a whole number")
    return int(value)


def _rounded(hp: Any, value: float) -> float:
    """As ConfigSpace rounds floats, but never out of its range."""
    return float(np.clip(np.round(value, _FLOAT_PLACES), hp.lower, hp.upper))


def _refuse_names(unknown: list[str], missing: list[str]) -> None:
    parts = [f"it has {_several(unknown)}, which the space lacks"] if unknown else []
    parts += [f"it lacks {_several(missing)}, which the space has"] if missing else []
    raise UserError("; ".join(parts))


def _several(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
