"""Objectives: what BOHB minimizes, one per file, by the names in `registries`."""

from __future__ import annotations

from se_hpo.objectives.base import ObjectiveKind
from se_hpo.objectives.evaluation import Objective

__all__ = ["Objective", "ObjectiveKind"]
