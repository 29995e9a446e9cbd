"""Recipes: a `RunConfig` and its number of generations, as a YAML file.

The shipped ones are in `se_hpo/configurations/`. Keys are the fields of `RunConfig`,
nested; what is left out has its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from se_hpo.agents.registry import find_agent
from se_hpo.config import (
    NESConfig,
    RunConfig,
    SyntheticEnvConfig,
)
from se_hpo.errors import UserError, did_you_mean
from se_hpo.overrides import ValueLoader
from se_hpo.tasks import import_task
from se_hpo.text import one_line

SHIPPED = Path(__file__).parents[1] / "configurations"
DEFAULT_GENERATIONS = 50
"""The most in the authors' untuned runs."""


@dataclass(frozen=True)
class Recipe:
    """How to train an SE."""

    name: str
    """The file's, without its ending."""
    config: RunConfig
    generations: int
    """At most so many."""


def list_recipes() -> list[str]:
    """Names of the shipped recipes."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A shipped recipe by its name, or a file.

    Raises:
        UserError: there is none, or it does not hold what it should.

    >>> load_recipe("cartpole").config.task
    'CartPole-v0'
    """
    path = _path(str(name_or_path))
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), ValueLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}): give a YAML file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no such date
        raise UserError(f"{path} is no YAML: {one_line(error)}") from error
    try:
        return _recipe(path.stem, data)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _path(name: str) -> Path:
    path = Path(name)
    if name in list_recipes():
        return SHIPPED / f"{name}.yaml"
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise UserError(f"{name}: no such file; give a YAML file, or a recipe by name")
    raise UserError(f"no recipe {name!r}: {did_you_mean(name, list_recipes())}")


def _recipe(name: str, data: Any) -> Recipe:
    parts = _section("", data, ["task", "generations", "agent", "se", "nes"])
    task = parts.get("task", RunConfig.task)
    if not isinstance(task, str):
        raise UserError(f"task = {task!r}: must be the id of a task")
    generations = parts.get("generations", DEFAULT_GENERATIONS)
    if type(generations) is not int or generations < 1:
        raise UserError(f"generations = {generations!r}: must be an integer >= 1")
    agent = dict(_section("agent", parts.get("agent"), None))
    algorithm = agent.pop("algorithm", "ddqn")
    cls = find_agent(algorithm, "unknown agent.algorithm").config
    config = RunConfig(
        task=import_task(task).id,
        agent=_fill(cls, "agent", agent, ["algorithm"]),
        se=_fill(SyntheticEnvConfig, "se", parts.get("se")),
        nes=_fill(NESConfig, "nes", parts.get("nes")),
    )
    return Recipe(name, config, generations)


def _fill(cls: type, section: str, data: Any, also: list[str] | None = None) -> Any:
    names = [f.name for f in fields(cls)] + (also or [])
    return cls(**_section(section, data, names))


def _section(name: str, data: Any, known: list[str] | None) -> Mapping[str, Any]:
    """A mapping whose keys are all `known` (None: any); nothing at all is an empty one.

    Raises:
        UserError: something else, or an unknown key.
    """
    if data is None:
        return {}
    what = name or "a recipe"
    if not isinstance(data, dict):
        raise UserError(f"{what} must be a mapping of names to values, not {data!r}")
    for key in data:
        if known is not None and key not in known:
            place = f"{name}.{key}" if name else str(key)
            raise UserError(f"unknown key {place!r}: {did_you_mean(str(key), known)}")
    return data
