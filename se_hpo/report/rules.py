"""Stopping rules of phase 2, as `analysis` names them and as a reader knows them."""

from __future__ import annotations

import pandas as pd


def rules_of(table: pd.DataFrame) -> list[str]:
    """Stopping rules that were evaluated, in order of appearance."""
    return list(dict.fromkeys(table["rule"])) if len(table) else []


def with_rule(evaluations: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Records of one rule, as `analysis` names it (`fixed_steps 6000`)."""
    name, _, steps = rule.partition(" ")
    rows = evaluations[evaluations["rule"] == name]
    return rows[rows["max_env_steps"] == int(steps)] if steps.isdigit() else rows


def rule_in_words(rule: str) -> str:
    """A stopping rule as a reader knows it.

    >>> rule_in_words("paper"), rule_in_words("fixed_steps 6000")
    ("the paper's rules", '6,000 env steps for all')
    """
    name, _, steps = rule.partition(" ")
    if name == "paper":
        return "the paper's rules"
    if name == "fixed_steps" and steps.isdigit():
        return f"{int(steps):,} env steps for all"
    return rule


def slug(text: str) -> str:
    """Letters and digits of a text, for file names and anchors.

    >>> slug("fixed_steps 6000")
    'fixed-steps-6000'
    """
    parts = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return "-".join(parts) or "other"
