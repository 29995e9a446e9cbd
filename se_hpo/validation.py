"""Checks that configurations make of their own fields; the error names the field."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from se_hpo.errors import UserError, did_you_mean


def check(ok: bool, owner: object, name: str, rule: str) -> None:
    """Raise `UserError` with the field, its value and the rule unless `ok`."""
    if not ok:
        value = getattr(owner, name)
        raise UserError(f"{type(owner).__name__}.{name} = {value!r}: must be {rule}")


def check_one_of(owner: object, name: str, allowed: tuple[str, ...]) -> None:
    """Raise `UserError` with the closest allowed name unless the field has one."""
    if (value := getattr(owner, name)) not in allowed:
        hint = did_you_mean(str(value), allowed)
        raise UserError(f"{type(owner).__name__}.{name} = {value!r}: {hint}")


def check_types(owner: Any) -> None:
    """Raise `UserError` unless each value has its type; an int passes for a float."""
    for f in fields(owner):
        value, kind = getattr(owner, f.name), str(f.type)
        if kind == "float" and type(value) is int:
            object.__setattr__(owner, f.name, float(value))
        elif kind in ("int", "float", "bool", "str"):
            check(type(value).__name__ == kind, owner, f.name, f"of type {kind}")
