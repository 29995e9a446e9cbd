"""Optuna: multivariate TPE in groups of active hyperparameters, Hyperband pruner."""

from __future__ import annotations

from typing import Any

import optuna
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    FloatHyperparameter,
    OrdinalHyperparameter,
)
from pipe import evaluate, read_task


def _suggest(trial: optuna.Trial, hp: Any) -> Any:
    if isinstance(hp, CategoricalHyperparameter):
        return trial.suggest_categorical(hp.name, list(map(_plain, hp.choices)))
    if isinstance(hp, OrdinalHyperparameter):
        levels = hp.sequence
        return _plain(levels[trial.suggest_int(hp.name, 0, len(levels) - 1)])
    if isinstance(hp, Constant):
        return _plain(hp.value)
    kind = (
        trial.suggest_float
        if isinstance(hp, FloatHyperparameter)
        else trial.suggest_int
    )
    return kind(hp.name, _plain(hp.lower), _plain(hp.upper), log=hp.log)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


task = read_task()


def objective(trial: optuna.Trial) -> float:
    """One trial, up the ladder until it is pruned."""
    values: dict[str, Any] = {}
    for name, hp in task.space.items():  # parents first
        conditions = task.space.parent_conditions_of[name]
        if all(
            c.parent.name in values and c.satisfied_by_value(values) for c in conditions
        ):
            values[name] = _suggest(trial, hp)
    for budget in task.ladder:
        loss = evaluate(values, budget)
        trial.report(loss, budget)
        if trial.should_prune():
            raise optuna.TrialPruned
    return loss


optuna.logging.set_verbosity(optuna.logging.ERROR)
optuna.create_study(
    sampler=optuna.samplers.TPESampler(multivariate=True, group=True, seed=task.seed),
    pruner=optuna.pruners.HyperbandPruner(
        min_resource=task.ladder[0],
        max_resource=task.ladder[-1],
        reduction_factor=task.eta,
    ),
).optimize(objective)
