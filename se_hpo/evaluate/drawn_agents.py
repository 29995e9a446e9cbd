"""Where the hyperparameters of phase 2 come from: sets, spaces, files, defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.config.overrides import read_yaml
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.errors import UserError, did_you_mean
from se_hpo.evaluate.agent_draws import (
    OF_THE_EVALUATION,
    AgentSource,
    AroundBase,
    AsInFile,
    FromSpace,
    Wrapping,
    own_values,
)
from se_hpo.registries import AGENTS
from se_hpo.results.se_sets import SESet
from se_hpo.search_spaces.loading import Space, list_spaces, load_space


def agent_sources(
    agents: Iterable[str],
    sets: Sequence[SESet],
    agent_spaces: Sequence[str] = (),
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> dict[str, AgentSource]:
    """Where the hyperparameters of each algorithm come from.

    `agent_spaces` goes first, and may register agents; then the agent that sets were
    trained with; then, for one that wraps another, what that has; then the space
    `vary_<agent>`; then the agent's defaults.

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
    if field in OF_THE_EVALUATION:
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
    wraps = AGENTS[name].wraps
    if given is None and (bases or wraps or f"vary_{name}" not in list_spaces()):
        _check_not_drawn(name, overrides)
        if wraps and not bases:
            return _wrapping(name, sets, spaces, overrides)
        return _around(name, bases, overrides)
    return _from_space(name, given or load_space(f"vary_{name}"), overrides)


def _from_file(name: str, path: Path, overrides: Mapping[str, Any]) -> AsInFile:
    values = read_yaml(path, "hyperparameters")
    if decided := sorted(OF_THE_EVALUATION.intersection(values)):
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


def _check_not_drawn(name: str, overrides: Mapping[str, Any]) -> None:
    varied = {f"{name}.{field}" for field in AGENTS[name].varied}
    if drawn := sorted(set(overrides) & varied):
        raise UserError(
            f"--set {drawn[0]}: every agent draws that; say what from with "
            f"--agent-space {name}=SPACE"
        )


def _around(
    name: str, bases: Sequence[SESet], overrides: Mapping[str, Any]
) -> AroundBase:
    """Around the agent of the sets, or the defaults."""
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


def _wrapping(
    name: str,
    sets: Sequence[SESet],
    spaces: Mapping[str, Space | Path],
    overrides: Mapping[str, Any],
) -> Wrapping:
    kind, agent = AGENTS[name], _defaults(name, overrides)
    known = dataclasses.asdict(AGENTS[kind.wraps].config())
    own = {k: v for k, v in dataclasses.asdict(agent).items() if k not in known}
    shared = {key.partition(".")[2]: value for key, value in overrides.items()}
    of_wrapped = {f"{kind.wraps}.{k}": v for k, v in shared.items() if k not in own}
    return Wrapping(name, _source(kind.wraps, sets, spaces, of_wrapped), own)


def _owner(parameter: str) -> str:
    return parameter.partition(".")[0]


def _check_same_base(name: str, sets: Sequence[SESet]) -> None:
    first = own_values(sets[0].config.agent)
    for other in sets[1:]:
        values = own_values(other.config.agent)
        for key, value in values.items():
            if value != first[key]:
                raise UserError(
                    f"{sets[0].paths.root} and {other.paths.root} were trained with "
                    f"different {name} agents ({key} {first[key]} and {value}): say "
                    f"what to draw from with --agent-space {name}=vary_{name}"
                )
