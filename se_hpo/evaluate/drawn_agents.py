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
from se_hpo.config.overrides import parse_overrides, read_yaml
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.config.variation import vary_agent
from se_hpo.errors import UserError, did_you_mean
from se_hpo.evaluate.agent_values import (
    AS_EVER,
    MATCHED,
    Hyperparameters,
    base_of,
    default,
)
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

OF_ALL = frozenset({"train_episodes", "test_episodes", "max_env_steps"})
"""What every evaluation decides, also one of learning curves."""
OF_PHASE_2 = OF_ALL.union(PROTOCOL)
"""What phase 2 decides."""


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
    decided: frozenset[str] = OF_PHASE_2
    """Fields that are the evaluation's."""

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        rng = seeding.generator(seed, "phase 2", self.algorithm, pair)
        config = vary_agent(self.base, rng)
        return Draw(
            config, {name: getattr(config, name) for name in kind_of(config).varied}
        )

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        base = _own_values(self.base, self.decided)
        return {"drawn": f"around {self.what}", "base": base}


@dataclasses.dataclass(frozen=True)
class Same:
    """The same for every agent."""

    config: AgentConfig
    what: str
    """What the configuration is."""
    decided: frozenset[str] = OF_PHASE_2
    """Fields that are the evaluation's."""

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        return Draw(self.config, {})

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        base = _own_values(self.config, self.decided)
        return {"drawn": f"not: {self.what}", "base": base}


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
        drawn = {k: v for k, v in fields.items() if k not in OF_PHASE_2}
        return Draw(self.space.resolve(flat).agent, drawn)

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        data = {
            "drawn": f"from the space {self.space.name}",
            "base": dict(self.space.base),
            "configspace": self._configspace.to_serialized_dict(),
        }
        return dict(to_builtin(data))


def _own_values(
    config: AgentConfig, decided: frozenset[str] = OF_PHASE_2
) -> dict[str, Any]:
    values = dataclasses.asdict(config)
    return {k: v for k, v in values.items() if k not in decided}


def agent_sources(
    agents: Iterable[str],
    sets: Sequence[SESet],
    agent_spaces: Sequence[str] = (),
    overrides: Mapping[str, Any] = MappingProxyType({}),
    how: Hyperparameters = AS_EVER,
    baselines: Iterable[str] = (),
) -> dict[str, AgentSource]:
    """Where the hyperparameters of each algorithm come from.

    `agent_spaces` goes first, and may register agents; then `how`, if it says whose;
    else the agent that sets were trained with; then the space `vary_<agent>`; then the
    agent's defaults.

    Args:
        agents: names of registered agents.
        sets: the sets of the evaluation; at least one.
        agent_spaces: `AGENT=SPACE`, a space by name or path; or a YAML file of values
            that all agents have.
        overrides: values that all agents share, by flat name (`ddqn.tau`).
        how: whose hyperparameters, and whether they vary.
        baselines: agents on the task alone, by `AGENT` or `AGENT+FIELD=VALUE,...`.

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
    variants = {text: _variant(text) for text in baselines if text not in agents}
    algorithms = [*agents, *(name for name, _ in variants.values())]
    own: dict[str, dict[str, Any]] = {name: {} for name in algorithms}
    for name, value in overrides.items():
        own[_check_override(name, algorithms, how)][name] = value
    sources = {name: _source(name, sets, spaces, own[name], how) for name in agents}
    for text, (name, values) in variants.items():
        values = {**own[name], **values}
        sources[text] = _source(name, sets, spaces, values, how)
    return sources


def _variant(text: str) -> tuple[str, dict[str, Any]]:
    """A baseline's algorithm, and values by flat name: `q_learning+count_bonus=0.1`."""
    name, _, fields = text.partition("+")
    find_agent(name, "--baselines: unknown agent")
    try:
        pairs = filter(None, fields.split(","))
        return name, parse_overrides(f"{name}.{pair}" for pair in pairs)
    except UserError as error:
        why = str(error).removeprefix("--set ")
        raise UserError(f"--baselines {text}: {why}") from error


def _check_override(name: str, agents: Sequence[str], how: Hyperparameters) -> str:
    """The algorithm that it is for."""
    algorithm, dot, field = name.partition(".")
    if not dot or algorithm not in agents:
        names = " or ".join(f"{agent}.NAME" for agent in agents)
        raise UserError(f"--set {name}: only agents are set here, as {names}")
    if field in _decided(how):
        raise UserError(f"--set {name}: the evaluation decides that: leave it out")
    return algorithm


def _decided(how: Hyperparameters) -> frozenset[str]:
    return OF_ALL if how.curves else OF_PHASE_2


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
    how: Hyperparameters,
) -> AgentSource:
    given = spaces.get(name)
    if isinstance(given, Path):
        return _from_file(name, given, overrides, _decided(how))
    bases = [s for s in sets if algorithm_of(s.config.agent) == name]
    asked = how.values is not None or how.variation == "default"
    if given is None and (bases or asked or f"vary_{name}" not in list_spaces()):
        return _around(name, sets, overrides, how)
    return _from_space(name, given or load_space(f"vary_{name}"), overrides)


def _from_file(
    name: str, path: Path, overrides: Mapping[str, Any], decided: frozenset[str]
) -> Same:
    values = read_yaml(path, "hyperparameters")
    if named := sorted(decided.intersection(values)):
        why = "the evaluation decides that: leave it out"
        raise UserError(f"{path}: {named[0]}: {why}")
    try:
        config = _with(default(name, values), overrides)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return Same(config, "as in a file", decided)


def _with(config: AgentConfig, overrides: Mapping[str, Any]) -> AgentConfig:
    return with_configuration(RunConfig(agent=config), overrides).agent


def _around(
    name: str, sets: Sequence[SESet], overrides: Mapping[str, Any], how: Hyperparameters
) -> AgentSource:
    """The configuration that is asked for, or agents drawn around it."""
    varied = {f"{name}.{field}" for field in AGENTS[name].varied}
    drawn = sorted(set(overrides) & varied)
    if drawn and how.variation == "varied":
        raise UserError(
            f"--set {drawn[0]}: every agent draws that; say what from with "
            f"--agent-space {name}=SPACE"
        )
    decided = _decided(how)
    if how.values in (None, MATCHED):
        _check_same_base(
            name, [s for s in sets if algorithm_of(s.config.agent) == name], decided
        )
    base, what = base_of(name, sets, how)
    base = _with(base, overrides)
    if how.variation == "default":
        return Same(base, what, decided)
    return AroundBase(name, base, what, decided)


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


def _check_same_base(name: str, sets: Sequence[SESet], decided: frozenset[str]) -> None:
    for other in sets[1:]:
        first = _own_values(sets[0].config.agent, decided)
        values = _own_values(other.config.agent, decided)
        for key, value in values.items():
            if value != first[key]:
                raise UserError(
                    f"{sets[0].paths.root} and {other.paths.root} were trained with "
                    f"different {name} agents ({key} {first[key]} and {value}): say "
                    f"what to draw from with --agent-space {name}=vary_{name}"
                )
