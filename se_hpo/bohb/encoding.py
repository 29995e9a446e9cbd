"""Between configurations (flat dicts of builtin values) and the vectors of the model.

A vector has one entry per hyperparameter that can vary: numbers and ordinals are scaled
to [0, 1] (on a log scale where the space says so), categoricals are the index of their
choice, inactive hyperparameters are NaN. Constants do not appear.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import ConfigSpace
import numpy as np
from ConfigSpace.exceptions import ForbiddenValueError
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from se_hpo.records import to_builtin

_FLOAT_PLACES = 13  # ConfigSpace rounds floats to this many places


class SpaceEncoding:
    """A private copy of a search space that encodes, decodes and samples."""

    def __init__(self, space: ConfigSpace.ConfigurationSpace) -> None:
        self._space = copy.deepcopy(space)
        self._choices = {name: _choices(hp) for name, hp in self._space.items()}
        self.names = tuple(name for name, hp in self._space.items() if hp.size > 1)
        """Hyperparameters that can vary, in the order of a vector's entries."""
        self.levels = np.array(
            [
                len(self._choices[name])
                if isinstance(self._space[name], CategoricalHyperparameter)
                else 0
                for name in self.names
            ],
            dtype=np.int64,
        )
        """Declared number of choices per entry; 0 for numbers and ordinals."""

    def encode(self, configuration: Mapping[str, Any]) -> np.ndarray:
        """The vector of a configuration; NaN where it has no value.

        Raises:
            ValueError: a value that its hyperparameter cannot take.
        """
        vector = np.full(len(self.names), np.nan)
        for i, name in enumerate(self.names):
            if name in configuration:
                vector[i] = self._entry(name, configuration[name])
        return vector

    def decode(self, vector: np.ndarray) -> dict[str, Any] | None:
        """The configuration nearest to a vector without NaN; None if it is forbidden.

        Hyperparameters whose conditions fail are left out.
        """
        entries = dict(zip(self.names, vector, strict=True))
        active: dict[str, Any] = {}
        inner = np.full(len(self._space), np.nan)  # ConfigSpace's own vector
        for i, (name, hp) in enumerate(self._space.items()):  # parents come first
            conditions = self._space.parent_conditions_of[name]
            if all(c.satisfied_by_vector(inner) for c in conditions):
                active[name] = _value(hp, entries.get(name, 0.0))
                inner[i] = hp.to_vector(active[name])
        try:
            ConfigSpace.Configuration(self._space, values=active)
        except ForbiddenValueError:
            return None
        return to_builtin(active)

    def sample(self, seed: int) -> dict[str, Any]:
        """A configuration drawn from the space's prior, a function of `seed` alone."""
        self._space.seed(seed)
        configuration = self._space.sample_configuration()
        values = {}
        for name, entry in zip(self._space, configuration.get_array(), strict=True):
            if np.isnan(entry):
                continue
            # by index: ConfigSpace gives NumPy types, and 1.0 for the 1 of (1, 2.5)
            listed = self._choices[name]
            values[name] = listed[round(entry)] if listed else configuration[name]
        return to_builtin(values)

    def default(self) -> dict[str, Any]:
        """The space's default configuration."""
        values = dict(self._space.get_default_configuration())
        vector = self.encode(values)
        inactive = np.isnan(vector)
        vector[inactive] = 0.0  # decode leaves them out again
        return self.decode(vector) or to_builtin(values)

    def _entry(self, name: str, value: Any) -> float:
        hp, listed = self._space[name], self._choices[name]
        if not listed:
            return float(hp.to_vector(value))
        index = listed.index(to_builtin(value))
        if isinstance(hp, OrdinalHyperparameter):
            return index / (len(listed) - 1)
        return float(index)


def _choices(hp: Hyperparameter) -> list[Any]:
    """What a discrete hyperparameter can be, by vector index; empty for numbers."""
    if isinstance(hp, CategoricalHyperparameter):
        return [to_builtin(c) for c in hp.choices]
    if isinstance(hp, OrdinalHyperparameter):
        return [to_builtin(c) for c in hp.sequence]
    if isinstance(hp, Constant):
        return [to_builtin(hp.value)] * 2  # its vector entry is 1
    return []


def _value(hp: Hyperparameter, entry: float) -> Any:
    """The legal value of `hp` nearest to a model entry."""
    if isinstance(hp, Constant):
        return hp.value
    if isinstance(hp, CategoricalHyperparameter):
        return hp.choices[round(entry)]
    if isinstance(hp, OrdinalHyperparameter):
        return hp.sequence[round(entry * (len(hp.sequence) - 1))]
    assert isinstance(hp, NumericalHyperparameter)
    value = hp.to_value(np.float64(min(max(entry, 0.0), 1.0)))
    if isinstance(value, (int, np.integer)):
        return int(value)
    return min(max(round(float(value), _FLOAT_PLACES), hp.lower), hp.upper)
