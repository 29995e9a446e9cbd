"""Recipes: a `RunConfig` and its number of generations, as a YAML file.

The shipped ones are in `configurations/`. Keys are the fields of `RunConfig`,
nested; what is left out has its default.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from se_hpo.config.overrides import read_yaml
from se_hpo.config.run import RunConfig, run_config_from_dict
from se_hpo.envs import learned
from se_hpo.envs.tasks import import_task
from se_hpo.errors import UserError, did_you_mean
from se_hpo.storage.json_records import record

SHIPPED = Path(__file__).with_name("configurations")
DEFAULT_GENERATIONS = 50
"""The most in the authors' untuned runs."""


@dataclass(frozen=True)
class Recipe:
    """How to train an SE or an RN."""

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
    data = read_yaml(path, "a recipe")
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


def _recipe(name: str, data: dict[str, Any]) -> Recipe:
    given = {key: value for key, value in data.items() if value is not None}
    parts = record(_Sections, given, unknown="refuse")
    if parts.generations < 1:
        raise UserError(f"generations = {parts.generations}: must be an integer >= 1")
    config = run_config_from_dict(
        {
            "task": import_task(parts.task).id,
            "agent": {"algorithm": "ddqn", **parts.agent},
            "agents": parts.agents,
            "se": parts.learned(),
            "nes": parts.nes,
        }
    )
    prefix = learned.kind_of(config.se).prefix
    section = "se" if parts.rn is None else "rn"
    if prefix != section:
        raise UserError(f"section {section} is of the wrong name: call it {prefix}")
    return Recipe(name, config, parts.generations)


@dataclass(frozen=True)
class _Sections:
    """A recipe as it is written."""

    task: str = RunConfig.task
    generations: int = DEFAULT_GENERATIONS
    agent: dict[str, Any] = field(default_factory=dict)
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    se: dict[str, Any] | None = None
    rn: dict[str, Any] | None = None
    nes: dict[str, Any] = field(default_factory=dict)

    def learned(self) -> dict[str, Any]:
        """The section `se`, or `rn` for a reward network, with its kind."""
        if self.rn is None:
            return self.se or {}
        if self.se is not None:
            raise UserError("it has a section se and a section rn: keep one")
        if "kind" not in self.rn:
            raise UserError("section rn has no kind: give one, additive_potential say")
        return self.rn
