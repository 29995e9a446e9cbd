"""Find, load and check a search space.

A space is a Python file with `META` and `space(seed=None) -> ConfigurationSpace`; it is
loaded by path and runs as code. Shipped ones lie in `<package>/spaces` of a wheel, or
in `spaces/` beside the package of a checkout.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ConfigSpace import ConfigurationSpace
from ConfigSpace.hyperparameters import (
    CategoricalHyperparameter,
    Constant,
    Hyperparameter,
    OrdinalHyperparameter,
)

from se_hpo.agents.registry import AGENTS
from se_hpo.bohb.brackets import check_budgets
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config import RunConfig, from_configuration
from se_hpo.errors import UserError, did_you_mean
from se_hpo.records import to_builtin
from se_hpo.tasks import get_task

OBJECTIVES = ("nes", "agent")
"""What an evaluation is: a complete NES run, or agents trained on the task."""

_META_TYPES: dict[str, type | tuple[type, ...]] = {
    "objective": str,
    "task": str,
    "agent": str,
    "min_budget": int,
    "max_budget": int,
    "eta": (int, float),
    "base": Mapping,
}
_CHECKED_SAMPLES = 20


@dataclass(frozen=True)
class Space:
    """A search space and what is to be done with it."""

    name: str
    """File name without suffix."""
    path: Path
    summary: str
    """First line of the file's docstring."""
    objective: str
    """A name in `OBJECTIVES`; it says what the budget counts."""
    task: str
    """Task id."""
    agent: str
    """Agent's registry name, and prefix of its hyperparameters."""
    min_budget: int
    """Default of the lowest budget: generations (`nes`) or seeds (`agent`)."""
    max_budget: int
    eta: float
    """Default reduction factor of Hyperband."""
    base: Mapping[str, Any]
    """Flat values that every configuration shares."""
    build: Callable[..., ConfigurationSpace] = field(repr=False, compare=False)
    """The file's `space` function."""

    def configuration_space(self, seed: int | None = None) -> ConfigurationSpace:
        """A new ConfigurationSpace, its sampling seeded by `seed`."""
        return self.build(seed=seed)

    def resolve(self, configuration: Mapping[str, Any]) -> RunConfig:
        """The `RunConfig` of a sampled configuration on top of `base`.

        Raises:
            UserError: see `config.from_configuration`.
        """
        return from_configuration({**self.base, **configuration}, self.task, self.agent)


def list_spaces() -> tuple[str, ...]:
    """Names of the shipped spaces."""
    paths = _shipped_folder().glob("[!_.]*.py")
    return tuple(sorted(path.stem for path in paths))


def load_space(name_or_path: str | Path) -> Space:
    """Load a shipped space by name, or anyone's by path, and check it.

    Raises:
        UserError: an unknown name, a file that does not run, or one that is no space;
            the line names the file and the mend.
    """
    path = _find(str(name_or_path))
    try:
        module = runpy.run_path(str(path), run_name=f"se_hpo_space_{path.stem}")
    except (Exception, SystemExit) as error:
        raise UserError(f"{path}: {_in_one_line(error)}") from error
    try:
        space = _space_from(path, module)
        _check_configurations(space)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return space


def _shipped_folder() -> Path:
    package = Path(__file__).resolve().parent
    inside, beside = package / "spaces", package.parent / "spaces"
    return inside if inside.is_dir() else beside


def _find(name: str) -> Path:
    if not name:
        raise UserError("the space's name is empty: see --list-spaces")
    given = Path(name).expanduser()
    if given.is_dir() and len(given.parts) > 1:
        raise UserError(f"space {name!r} is a folder: name a .py file")
    if given.suffix == ".py" or len(given.parts) > 1:
        if not given.is_file():
            hint = f"; did you mean {name}.py?" if Path(f"{name}.py").is_file() else ""
            raise UserError(f"space file {name!r} does not exist{hint}")
        return given.resolve()
    shipped = list_spaces()
    if name in shipped:
        return _shipped_folder() / f"{name}.py"
    hint = did_you_mean(name, shipped)
    if given.with_suffix(".py").is_file():
        hint = f"for the file in this folder, say {name}.py"
    raise UserError(f"unknown space {name!r}: {hint}")


def _in_one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _space_from(path: Path, module: Mapping[str, Any]) -> Space:
    meta, build = module.get("META"), module.get("space")
    if not isinstance(meta, Mapping):
        raise UserError("no dict META; see docs/spaces.md for what it holds")
    _check_meta(meta)
    if not callable(build):
        raise UserError("no function space(seed=None)")
    summary = (module.get("__doc__") or "").strip().partition("\n")[0]
    fields = {**meta, "base": MappingProxyType(dict(meta["base"]))}
    return Space(path.stem, path, summary, build=build, **fields)


def _check_meta(meta: Mapping[str, Any]) -> None:
    for key in meta:
        if key not in _META_TYPES:
            raise UserError(f"META has {key!r}: {did_you_mean(str(key), _META_TYPES)}")
    for key, kind in _META_TYPES.items():
        if key not in meta:
            raise UserError(f"META lacks {key!r}")
        if not isinstance(meta[key], kind) or isinstance(meta[key], bool):
            raise UserError(f"META[{key!r}] = {meta[key]!r} has the wrong type")
    for key, known in (("objective", OBJECTIVES), ("agent", AGENTS)):
        if meta[key] not in known:
            hint = did_you_mean(meta[key], known)
            raise UserError(f"unknown {key} {meta[key]!r}: {hint}")
    get_task(meta["task"])
    check_budgets(meta["min_budget"], meta["max_budget"], meta["eta"])


def _check_configurations(space: Space) -> None:
    """Every name sets a field, every end of a range and some samples are valid."""
    try:
        built = space.build(seed=0)
    except (Exception, SystemExit) as error:
        raise UserError(f"space(seed=0) raised {_in_one_line(error)}") from error
    if not isinstance(built, ConfigurationSpace):
        raise UserError(f"space() returned {built!r:.60}, not a ConfigurationSpace")
    if len(built) == 0:
        raise UserError("space() has no hyperparameters")
    space.resolve({})
    for name, hp in built.items():
        # The base may say what holds where a conditional one is inactive.
        if name in space.base and not built.parent_conditions_of[name]:
            raise UserError(f"{name!r} is in META['base'] and in the space: keep one")
        for value in extremes(hp):
            space.resolve({name: to_builtin(value)})
    encoding = SpaceEncoding(built)
    for seed in range(_CHECKED_SAMPLES):
        space.resolve(encoding.sample(seed))


def extremes(hp: Hyperparameter) -> tuple[Any, ...]:
    """All choices, or a number's lowest, highest and default value."""
    if isinstance(hp, Constant):
        return (hp.value,)
    if isinstance(hp, CategoricalHyperparameter):
        return tuple(hp.choices)
    if isinstance(hp, OrdinalHyperparameter):
        return tuple(hp.sequence)
    return hp.lower, hp.upper, hp.default_value  # type: ignore[attr-defined]
