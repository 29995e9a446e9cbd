"""The best trials of a run with their configurations: to confirm, or to start from."""

from __future__ import annotations

from dataclasses import dataclass

from se_hpo.results.lines import read_configurations, read_evaluations
from se_hpo.results.ranking import best_first
from se_hpo.storage.paths import ConfigId, RunPaths


@dataclass(frozen=True)
class Finalist:
    """A trial at its largest budget."""

    config_id: ConfigId
    configuration: dict[str, object]
    budget: float
    loss: float
    """As the optimization saw it."""


def best_trials(run: RunPaths, n: int) -> list[Finalist]:
    """The `n` best trials, each at its largest budget: large budgets, then low loss."""
    configurations = read_configurations(run)
    finalists: dict[ConfigId, Finalist] = {}
    for evaluation in best_first(read_evaluations(run), lambda e: e.record):
        config_id, record = evaluation.config_id, evaluation.record
        if config_id in configurations and config_id not in finalists:
            values = dict(configurations[config_id].values)
            finalists[config_id] = Finalist(
                config_id, values, record.budget, record.loss
            )
    return list(finalists.values())[:n]
