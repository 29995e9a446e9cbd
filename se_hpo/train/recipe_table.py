"""What a recipe holds, as `--describe` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from se_hpo.agents.registry import kind_of
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.envs.learned import kind_of as learned_kind_of
from se_hpo.terminal.rich_tables import table
from se_hpo.text import short_number
from se_hpo.train.recipes import Recipe


def recipe_table(recipe: Recipe) -> Table:
    """A row per value, by its flat name; what is not the default is bold."""
    head = f"{recipe.name}: {recipe.config.task}"
    title = f"{head}, at most {recipe.generations} generations"
    rows = (
        (Text(name, style="" if value == default else "bold"), _text(value), shown)
        for name, value, default in _values(recipe.config)
        for shown in ["" if value == default else _text(default)]
    )
    return table(title, ("name", "value~", "default, if another~"), rows)


def _values(config: RunConfig) -> Iterator[tuple[str, Any, Any]]:
    """Flat name, value and default of everything."""
    for agent in config.agents:
        kind = kind_of(agent)
        yield from _of(kind.name, vars(agent), vars(kind.config()))
    learned = learned_kind_of(config.se)
    yield f"{learned.prefix}.kind", learned.name, learned.name
    yield from _of(learned.prefix, vars(config.se), vars(learned.config()))
    yield from _of("nes", vars(config.nes), vars(NESConfig()))


def _of(
    prefix: str, values: Mapping[str, Any], defaults: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name, value in values.items():
        yield f"{prefix}.{name}", value, defaults.get(name)


def _text(value: Any) -> str:
    return short_number(value, 6)
