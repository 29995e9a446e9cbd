"""Evolution strategies, one per file, by the names in `registries.STRATEGIES`."""

from __future__ import annotations

from se_hpo.config.run import NESConfig
from se_hpo.nes.strategies.strategy import State, Strategy, Update
from se_hpo.registries import STRATEGIES

__all__ = ["State", "Strategy", "Update", "make_strategy"]


def make_strategy(config: NESConfig) -> Strategy:
    """The strategy that a configuration names, with its settings."""
    strategy: Strategy = STRATEGIES[config.strategy](config)
    return strategy
