"""Objectives: what BOHB minimizes, one per file, by the names in `registries`."""

from __future__ import annotations

from se_hpo.optimize.objectives.objective import Objective
from se_hpo.optimize.objectives.objective_kind import ObjectiveKind

__all__ = ["Objective", "ObjectiveKind"]
