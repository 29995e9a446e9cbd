"""Where the hyperparameters of an evaluation come from, as its flags say."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from se_hpo.agents.config import VARIATIONS, AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.config.overrides import parse_overrides, read_yaml
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.config.variation import varied_fields
from se_hpo.errors import UserError, did_you_mean
from se_hpo.evaluate.agent_draws import (
    OF_ALL,
    OF_PHASE_2,
    AgentSource,
    AroundBase,
    FromSpace,
    Same,
    Wrapping,
    own_values,
)
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
    else the agent that sets were trained with; then, for one that wraps another, what
    that has; then the space `vary_<agent>`; then the agent's defaults.

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
    bases = _agents_of(name, sets)
    asked = how.values is not None or how.variation == "default" or _scheduled(sets)
    if given is None and not (bases or asked) and AGENTS[name].wraps:
        return _wrapping(name, sets, spaces, overrides, how)
    if given is None and (bases or asked or f"vary_{name}" not in list_spaces()):
        return _around(name, sets, overrides, how)
    return _from_space(name, given or load_space(f"vary_{name}"), overrides)


def _agents_of(name: str, sets: Sequence[SESet]) -> list[tuple[SESet, AgentConfig]]:
    """The agents of an algorithm that sets were learned with."""
    agents = [(s, agent) for s in sets for agent in s.config.agents]
    return [(s, agent) for s, agent in agents if algorithm_of(agent) == name]


def _scheduled(sets: Sequence[SESet]) -> bool:
    """Whether agents trained for a fixed number of steps on the SEs of a set."""
    return any(s.config.agent.se_steps is not None for s in sets)


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
    variation = max((s.config.nes.vary for s in sets), key=VARIATIONS.index)
    decided = _decided(how)
    if how.values in (None, MATCHED):
        _check_same_base(name, _agents_of(name, sets), decided)
    base, what = base_of(name, sets, how)
    if how.variation == "varied":
        _check_not_drawn(name, overrides, varied_fields(base, variation))
    if _scheduled(sets) and base.se_steps is None:
        base = dataclasses.replace(base, se_steps=AGENTS[name].se_steps)
    base = _with(base, overrides)
    if how.variation == "default":
        return Same(base, what, decided)
    drawn_as = AGENTS[name].wraps or name  # a pair has the same values in both
    return AroundBase(drawn_as, base, what, decided, variation)


def _check_not_drawn(
    name: str, overrides: Mapping[str, Any], fields: Iterable[str]
) -> None:
    if drawn := sorted(set(overrides) & {f"{name}.{field}" for field in fields}):
        raise UserError(
            f"--set {drawn[0]}: every agent draws that; say what from with "
            f"--agent-space {name}=SPACE"
        )


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
    how: Hyperparameters,
) -> Wrapping:
    kind = AGENTS[name]
    _check_not_drawn(name, overrides, kind.varied)
    agent = with_configuration(RunConfig(agent=kind.config()), overrides).agent
    known = dataclasses.asdict(AGENTS[kind.wraps].config())
    own = {k: v for k, v in dataclasses.asdict(agent).items() if k not in known}
    shared = {key.partition(".")[2]: value for key, value in overrides.items()}
    of_wrapped = {f"{kind.wraps}.{k}": v for k, v in shared.items() if k not in own}
    return Wrapping(name, _source(kind.wraps, sets, spaces, of_wrapped, how), own)


def _owner(parameter: str) -> str:
    return parameter.partition(".")[0]


def _check_same_base(
    name: str,
    agents: Sequence[tuple[SESet, AgentConfig]],
    decided: frozenset[str],
) -> None:
    for other, agent in agents[1:]:
        before, first = agents[0][0], own_values(agents[0][1], decided)
        values = own_values(agent, decided)
        for key in {**first, **values}:
            if (mine := first.get(key)) != (value := values.get(key)):
                raise UserError(
                    f"{before.paths.root} and {other.paths.root} were trained with "
                    f"different {name} agents ({key} {mine} and {value}): say what to "
                    f"draw from with --agent-space {name}=vary_{name}"
                )
