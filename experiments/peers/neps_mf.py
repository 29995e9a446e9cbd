"""NePS: the optimizer that it takes by itself for a space with a fidelity."""

from __future__ import annotations

import random
from typing import Any

import neps
import numpy as np
import torch
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    FloatHyperparameter,
    OrdinalHyperparameter,
)
from pipe import active, evaluate, read_task

task = read_task()
random.seed(task.seed)
np.random.seed(task.seed)  # noqa: NPY002 - what it draws from
torch.manual_seed(task.seed)


def _parameter(hp: Any) -> Any:
    """Conditions are unknown to it: all hyperparameters are searched, always."""
    if isinstance(hp, CategoricalHyperparameter):
        return neps.Categorical(tuple(range(len(hp.choices))))
    if isinstance(hp, OrdinalHyperparameter):
        return neps.Integer(0, len(hp.sequence) - 1)
    kind = neps.Float if isinstance(hp, FloatHyperparameter) else neps.Integer
    return kind(_plain(hp.lower), _plain(hp.upper), log=hp.log)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _value(hp: Any, given: Any) -> Any:
    if isinstance(hp, CategoricalHyperparameter):
        return hp.choices[given]
    return hp.sequence[given] if isinstance(hp, OrdinalHyperparameter) else given


names = {f"h{i}": name for i, name in enumerate(task.space)}


def objective(budget: int, **values: Any) -> float:
    """One evaluation."""
    found = {names[k]: _value(task.space[names[k]], v) for k, v in values.items()}
    return evaluate(active(task.space, found), budget)


parameters = {
    short: _parameter(task.space[name])
    for short, name in names.items()
    if not isinstance(task.space[name], Constant)
}
budgets = neps.IntegerFidelity(task.ladder[0], task.ladder[-1])
neps.run(
    objective,
    type("Space", (neps.PipelineSpace,), {"budget": budgets, **parameters})(),
    root_directory=task.folder,
    overwrite_root_directory=True,
    total_evaluations_to_spend=1_000_000,
)
