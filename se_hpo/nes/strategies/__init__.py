"""Evolution strategies, one per file, by the names in `config.STRATEGIES`."""

from __future__ import annotations

from importlib import import_module

from se_hpo.config import STRATEGIES, NESConfig
from se_hpo.nes.strategies.base import State, Strategy, Update

__all__ = ["State", "Strategy", "Update", "make_strategy"]


def make_strategy(config: NESConfig) -> Strategy:
    """The strategy that a configuration names, with its settings."""
    module, _, name = STRATEGIES[config.strategy].partition(":")
    strategy: Strategy = getattr(import_module(module), name)(config)
    return strategy
