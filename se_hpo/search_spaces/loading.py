"""Find, load and check a search space.

A space is a Python file with `META` and `space(seed=None) -> ConfigurationSpace`; it is
loaded by path and runs as code, a user's own as `user_code.run_file` runs it. Shipped
ones lie in `<package>/spaces` of a wheel, or in `spaces/` beside the package of a
checkout.
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
    NumericalHyperparameter,
    OrdinalHyperparameter,
)

from se_hpo.agents.registry import check_takes, kind_of
from se_hpo.bohb.brackets import budget_ladder, check_budgets
from se_hpo.bohb.conditions import defaults_unchecked
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.run import RunConfig, from_configuration
from se_hpo.envs.reward_inputs import check_learnable
from se_hpo.envs.tasks import check_task, import_task
from se_hpo.errors import UserError, did_you_mean
from se_hpo.registries import AGENTS, OBJECTIVES
from se_hpo.search_spaces.user_code import run_file, said
from se_hpo.storage.records import to_builtin
from se_hpo.text import shortened, text_of

_META_TYPES: dict[str, type | tuple[type, ...]] = {
    "objective": str,
    "task": str,
    "agent": str,
    "min_budget": int,
    "max_budget": int,
    "eta": (int, float),
    "base": Mapping,
}
_META_OPTIONAL = {"confirm": int, "n_brackets": int}
_TYPE_NAMES = {str: "text", int: "a whole number", Mapping: "a dict"}
_CHECKED_SAMPLES = 20
_NO_VALUE = ("no choice may be None or NaN", "its bounds must be finite numbers")
_LOG_BOUND = "the lower bound of a log scale must be above 0"
_ROUNDED = " (ConfigSpace rounds floats to 13 decimals, so 1e-13 is the smallest)"


@dataclass(frozen=True)
class Space:
    """A search space and what is to be done with it."""

    name: str
    """File name without suffix."""
    path: Path
    summary: str
    """First line of the file's docstring."""
    objective: str
    """A name in `registries.OBJECTIVES`; it says what the budget counts."""
    task: str
    """Task id."""
    agent: str
    """Agent's registry name, and prefix of its hyperparameters."""
    min_budget: int
    """Default of the lowest budget, in units of the objective: generations, seeds."""
    max_budget: int
    eta: float
    """Default reduction factor of Hyperband."""
    base: Mapping[str, Any]
    """Flat values that every configuration shares."""
    build: Callable[..., ConfigurationSpace] = field(repr=False, compare=False)
    """The file's `space` function."""
    confirm: int = 0
    """Default of how many of the best are left on fresh seeds in the end."""
    n_brackets: int = 0
    """Default of the brackets of a run; 0: by the number of budgets."""

    @property
    def ladder(self) -> tuple[float, ...]:
        """Its own budgets."""
        return budget_ladder(self.min_budget, self.max_budget, self.eta)

    @property
    def own_file(self) -> str | None:
        """Where the file is, if it is no shipped one: what a run needs to go on."""
        shipped = self.path.parent == _shipped_folder()
        return None if shipped else str(self.path)

    def configuration_space(self, seed: int | None = None) -> ConfigurationSpace:
        """A new ConfigurationSpace, its sampling seeded by `seed`."""
        with defaults_unchecked():
            return self.build(seed=seed)

    def resolve(self, configuration: Mapping[str, Any]) -> RunConfig:
        """The `RunConfig` of a sampled configuration on top of `base`.

        Raises:
            UserError: see `config.from_configuration`; what does not fit the task.
        """
        values = {**self.base, **configuration}
        config = from_configuration(values, self.task, self.agent)
        task = import_task(config.task)  # checked when the space was loaded
        for agent in config.agents:
            check_takes(kind_of(agent), task.id, task.continuous, task.discrete_obs)
            check_learnable(config.task, config.se, agent)
        return config


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
    own = path.parent != _shipped_folder()
    module = vars(run_file(path)) if own else runpy.run_path(str(path))
    try:
        space = _space_from(path, module)
        _check_configurations(space)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return space


def _shipped_folder() -> Path:
    package = Path(__file__).resolve().parents[1]
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


def _said(error: BaseException) -> str:
    text = said(error)
    if "illegal settings" in text and error.__cause__ is not None:  # of ConfigSpace
        cause = str(error.__cause__)
        text += ": " + (_LOG_BOUND if "log-scale" in cause else cause) + _ROUNDED
    return text


def _space_from(path: Path, module: Mapping[str, Any]) -> Space:
    meta, build = module.get("META"), module.get("space")
    if not isinstance(meta, Mapping):
        raise UserError("no dict META; see docs/spaces.md for what it holds")
    try:
        meta = to_builtin(meta)  # NumPy's numbers are as good as any
    except TypeError as error:
        raise UserError(f"META: {error}") from error
    _check_meta(meta)
    if not callable(build):
        raise UserError("no function space(seed=None)")
    summary = (module.get("__doc__") or "").strip().partition("\n")[0]
    fields = {**meta, "base": MappingProxyType(dict(meta["base"]))}
    return Space(path.stem, path, summary, build=build, **fields)


def _check_meta(meta: Mapping[str, Any]) -> None:
    kinds = {**_META_TYPES, **_META_OPTIONAL}
    for key in meta:
        if key not in kinds:
            raise UserError(f"META has {key!r}: {did_you_mean(str(key), kinds)}")
    for key, kind in kinds.items():
        if key not in meta and key in _META_OPTIONAL:
            continue
        if key not in meta:
            raise UserError(f"META lacks {key!r}")
        if key == "objective" and isinstance(meta[key], list) and len(meta[key]) > 1:
            n = len(meta[key])
            raise UserError(f"META['objective']: {n} objectives where one is needed")
        if not isinstance(meta[key], kind) or isinstance(meta[key], bool):
            wanted = _TYPE_NAMES.get(kind, "a number")  # type: ignore[arg-type]
            raise UserError(
                f"META[{key!r}] = {text_of(meta[key], repr)} has the wrong type "
                f"({type(meta[key]).__name__}): must be {wanted}"
            )
    for key, known in (("objective", OBJECTIVES), ("agent", AGENTS)):
        known.find(meta[key], f"unknown {key}")
    task = check_task(meta["task"])
    kind = AGENTS[meta["agent"]]
    check_takes(kind, task.id, task.continuous, task.discrete_obs)
    check_budgets(meta["min_budget"], meta["max_budget"], meta["eta"])
    for name in _META_OPTIONAL:
        if meta.get(name, 0) < 0:
            raise UserError(f"META[{name!r}] = {meta[name]}: must be 0 or more")


def _check_configurations(space: Space) -> None:
    """Every name sets a field, every end of a range and some samples are valid."""
    try:
        built = space.configuration_space(seed=0)
    except (Exception, SystemExit) as error:
        raise UserError(f"space(seed=0) raised {_said(error)}") from error
    if not isinstance(built, ConfigurationSpace):
        shown = shortened(" ".join(text_of(built, repr).split()), 60)
        raise UserError(f"space() returned {shown}, not a ConfigurationSpace")
    if len(built) == 0:
        raise UserError("space() has no hyperparameters")
    kinds = {k: hp.default_value for k, hp in built.items() if decides_names(k)}
    space.resolve(kinds)
    for name, hp in built.items():
        # The base may say what holds where a conditional one is inactive.
        if name in space.base and not built.parent_conditions_of[name]:
            raise UserError(f"{name!r} is in META['base'] and in the space: keep one")
        numerical = isinstance(hp, NumericalHyperparameter)
        for value in map(to_builtin, extremes(hp)):
            if value is None:  # builtin for NaN and infinity
                raise UserError(f"{name!r}: {_NO_VALUE[numerical]}")
            space.resolve({**kinds, **_kind_of(built, name), name: value})
    try:
        encoding = SpaceEncoding(built)
        samples = [encoding.sample(seed) for seed in range(_CHECKED_SAMPLES)]
        configurations = [encoding.default(), *samples]
    except UserError:
        raise
    except Exception as error:  # of clauses that compare what cannot be compared
        raise UserError(f"sampling raised {_said(error)}") from error
    for configuration in configurations:
        space.resolve(configuration)


def decides_names(name: str) -> bool:
    """Whether it depends on this hyperparameter which others set a field."""
    return name.endswith(".kind") or name == "nes.agents"


def _kind_of(built: ConfigurationSpace, name: str) -> dict[str, Any]:
    """A kind or agents with which a conditional hyperparameter is used."""
    found = {}
    for condition in built.parent_conditions_of[name]:
        parent = getattr(condition, "parent", None)  # clauses have none
        if parent is not None and decides_names(parent.name):
            one = getattr(condition, "value", parent.default_value)
            values = getattr(condition, "values", None) or [one]
            found[parent.name] = values[0]
    return found


def extremes(hp: Hyperparameter) -> tuple[Any, ...]:
    """All choices, or a number's lowest, highest and default value."""
    if isinstance(hp, Constant):
        return (hp.value,)
    if isinstance(hp, CategoricalHyperparameter):
        return tuple(hp.choices)
    if isinstance(hp, OrdinalHyperparameter):
        return tuple(hp.sequence)
    return hp.lower, hp.upper, hp.default_value  # type: ignore[attr-defined]
