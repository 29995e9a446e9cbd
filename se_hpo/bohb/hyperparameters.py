"""Values of one hyperparameter: builtin, also where the space has NumPy scalars."""

from __future__ import annotations

from typing import Any

import numpy as np
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from se_hpo.errors import UserError
from se_hpo.storage.records import to_builtin

_FLOAT_PLACES = 13  # ConfigSpace rounds floats to this many places


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
