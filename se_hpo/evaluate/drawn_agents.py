"""The random hyperparameters of phase 2: drawn per pair, for all train_envs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent, kind_of
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.overrides import read_yaml
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.config.variation import vary_agent
from se_hpo.errors import UserError, did_you_mean
from se_hpo.registries import AGENTS
from se_hpo.results.se_sets import SESet
from se_hpo.search_spaces.loading import Space, list_spaces, load_space
from se_hpo.storage.records import to_builtin

PROTOCOL: dict[str, Any] = {
    "train_episodes": 1000,
    "init_episodes": 10,
    "stop_window": 10,
    "plateau_tolerance": 0.01,
}
"""What the authors force on every agent of phase 2 (`syn_env_run_vary_hp.py`)."""

_OF_THE_EVALUATION = {*PROTOCOL, "test_episodes", "max_env_steps"}


class Draw(NamedTuple):
    """One agent's hyperparameters."""

    config: AgentConfig
    drawn: dict[str, Any]
    """Flat names and builtin values of what is random in it."""


class AgentSource(Protocol):
    """Where the hyperparameters of one algorithm come from."""

    def draw(self, seed: int, pair: int) -> Draw:
        """The hyperparameters of a pair, a function of evaluation seed and pair."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """What makes the source what it is; builtin types."""
        ...


@dataclasses.dataclass(frozen=True)
class AroundBase:
    """Drawn around a configuration, as the authors do (`variation.vary_agent`)."""

    algorithm: str
    base: AgentConfig
    what: str = "the agent of the sets"
    """What the configuration is."""

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        rng = seeding.generator(seed, "phase 2", self.algorithm, pair)
        config = vary_agent(self.base, rng)
        return Draw(
            config, {name: getattr(config, name) for name in kind_of(config).varied}
        )

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        return {"drawn": f"around {self.what}", "base": _own_values(self.base)}


@dataclasses.dataclass(frozen=True)
class AsInFile:
    """The same for every agent: what a file says, and defaults."""

    config: AgentConfig

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        return Draw(self.config, {})

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        return {"drawn": "not: as in a file", "base": _own_values(self.config)}


class FromSpace:
    """Drawn from a search space."""

    def __init__(self, algorithm: str, space: Space) -> None:
        self.algorithm, self.space = algorithm, space
        self._configspace = space.configuration_space(seed=0)
        self._encoding = SpaceEncoding(self._configspace)

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        rng = seeding.generator(seed, "phase 2", self.algorithm, pair)
        flat = self._encoding.sample(int(rng.integers(2**31)))
        fields = {name.partition(".")[2]: value for name, value in flat.items()}
        drawn = {k: v for k, v in fields.items() if k not in _OF_THE_EVALUATION}
        return Draw(self.space.resolve(flat).agent, drawn)

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        data = {
            "drawn": f"from the space {self.space.name}",
            "base": dict(self.space.base),
            "configspace": self._configspace.to_serialized_dict(),
        }
        return dict(to_builtin(data))


def _own_values(config: AgentConfig) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {k: v for k, v in values.items() if k not in _OF_THE_EVALUATION}


def agent_sources(
    agents: Iterable[str],
    sets: Sequence[SESet],
    agent_spaces: Sequence[str] = (),
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, AgentSource]:
    """Where the hyperparameters of each algorithm come from.

    `agent_spaces` goes first, and may register agents; then the agent that sets were
    trained with; then the space `vary_<agent>`; then the agent's defaults.

    Args:
        agents: names of registered agents.
        sets: the sets of the evaluation.
        agent_spaces: `AGENT=SPACE`, a space by name or path; or a YAML file of values
            that all agents have.
        overrides: values that all agents share, by flat name (`ddqn.tau`).

    Raises:
        UserError: unknown names, values outside their range, or sets trained with
            different agents.
    """
    agents = list(dict.fromkeys(agents))
    if not agents:
        raise UserError("--agents: name at least one, for example ddqn")
    spaces = dict(_agent_space(text) for text in agent_spaces)
    for name in agents:
        find_agent(name, "--agents: unknown agent")
    for name in spaces:
        if name not in agents:
            hint = did_you_mean(name, agents)
            raise UserError(f"--agent-space: unknown agent {name!r}: {hint}")
    own: dict[str, dict[str, Any]] = {name: {} for name in agents}
    for name, value in overrides.items():
        own[_check_override(name, agents)][name] = value
    return {name: _source(name, sets, spaces, own[name]) for name in agents}


def _check_override(name: str, agents: Sequence[str]) -> str:
    """The algorithm that it is for."""
    algorithm, dot, field = name.partition(".")
    if not dot or algorithm not in agents:
        names = " or ".join(f"{agent}.NAME" for agent in agents)
        raise UserError(f"--set {name}: only agents are set here, as {names}")
    if field in _OF_THE_EVALUATION:
        raise UserError(f"--set {name}: the evaluation decides that: leave it out")
    return algorithm


def _agent_space(text: str) -> tuple[str, Space | Path]:
    """An agent and its space, or the YAML file with its hyperparameters."""
    agent, equals, space = text.partition("=")
    if not equals:
        raise UserError(f"--agent-space {text!r}: say AGENT=SPACE, as ddqn=vary_ddqn")
    path = Path(space).expanduser()
    return agent, path if path.suffix in (".yaml", ".yml") else load_space(space)


def _source(
    name: str,
    sets: Sequence[SESet],
    spaces: Mapping[str, Space | Path],
    overrides: Mapping[str, Any],
) -> AgentSource:
    given = spaces.get(name)
    if isinstance(given, Path):
        return _from_file(name, given, overrides)
    bases = [s for s in sets if algorithm_of(s.config.agent) == name]
    if given is None and (bases or f"vary_{name}" not in list_spaces()):
        return _around(name, bases, overrides)
    return _from_space(name, given or load_space(f"vary_{name}"), overrides)


def _from_file(name: str, path: Path, overrides: Mapping[str, Any]) -> AsInFile:
    values = read_yaml(path, "hyperparameters")
    if decided := sorted(_OF_THE_EVALUATION.intersection(values)):
        why = "the evaluation decides that: leave it out"
        raise UserError(f"{path}: {decided[0]}: {why}")
    try:
        own = {f"{name}.{key}": value for key, value in values.items()}
        return AsInFile(_defaults(name, {**own, **overrides}))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _defaults(name: str, values: Mapping[str, Any]) -> AgentConfig:
    start = RunConfig(agent=find_agent(name).config())
    return with_configuration(start, values).agent


def _around(
    name: str, bases: Sequence[SESet], overrides: Mapping[str, Any]
) -> AroundBase:
    """Around the agent of the sets, or the defaults."""
    varied = {f"{name}.{field}" for field in AGENTS[name].varied}
    if drawn := sorted(set(overrides) & varied):
        raise UserError(
            f"--set {drawn[0]}: every agent draws that; say what from with "
            f"--agent-space {name}=SPACE"
        )
    if not bases:
        return AroundBase(name, _defaults(name, overrides), "the defaults")
    _check_same_base(name, bases)
    return AroundBase(name, with_configuration(bases[0].config, overrides).agent)


def _from_space(name: str, space: Space, overrides: Mapping[str, Any]) -> FromSpace:
    if space.agent != name:
        raise UserError(
            f"--agent-space {name}={space.name}: that space is for {space.agent}"
        )
    foreign = sorted(p for p in space.configuration_space() if _owner(p) != name)
    if foreign:
        raise UserError(
            f"--agent-space {name}={space.name}: that space draws {foreign[0]} "
            f"too: only {name}.NAME can be drawn here, as in vary_{name}"
        )
    drawn = sorted(set(overrides) & set(space.configuration_space()))
    if drawn:
        raise UserError(f"--set {drawn[0]}: the space {space.name} draws that")
    shared = dataclasses.replace(space, base={**space.base, **overrides})
    shared.resolve({})  # what is no value of it is refused here
    return FromSpace(name, shared)


def _owner(parameter: str) -> str:
    return parameter.partition(".")[0]


def _check_same_base(name: str, sets: Sequence[SESet]) -> None:
    first = _own_values(sets[0].config.agent)
    for other in sets[1:]:
        values = _own_values(other.config.agent)
        for key, value in values.items():
            if value != first[key]:
                raise UserError(
                    f"{sets[0].paths.root} and {other.paths.root} were trained with "
                    f"different {name} agents ({key} {first[key]} and {value}): say "
                    f"what to draw from with --agent-space {name}=vary_{name}"
                )
