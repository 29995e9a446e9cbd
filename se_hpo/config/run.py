"""Frozen configurations of NES and of a whole run, and their flat names.

Defaults are the paper's untuned CartPole settings (the ones behind its Fig. 3).
`from_configuration` is the only place that knows the flat names of a search space
(`nes.step_size`, `ddqn.one_minus_gamma`) and their transforms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.config.nes_config import NESConfig
from se_hpo.envs import learned
from se_hpo.envs.learned import LearnedConfig
from se_hpo.errors import UserError, did_you_mean
from se_hpo.registries import AGENTS, LEARNED
from se_hpo.storage.json_records import record


@dataclass(frozen=True)
class RunConfig:
    """Everything one NES run needs besides its seed."""

    task: str = "CartPole-v0"
    """The real environment."""
    agent: AgentConfig = field(default_factory=lambda: AGENTS["ddqn"].config())
    se: LearnedConfig = field(default_factory=lambda: LEARNED["mdp"].config())
    nes: NESConfig = field(default_factory=NESConfig)
    others: tuple[AgentConfig, ...] = ()
    """Further agents, of other algorithms: see `agents`."""

    @property
    def agents(self) -> tuple[AgentConfig, ...]:
        """Agents that take turns: members of generation g train the (g mod n)-th.

        Those of the center go on from there, so that it is judged by all of them.
        """
        return (self.agent, *self.others)

    def __post_init__(self) -> None:
        if self.nes.start == "task_reward" and learned.kind_of(self.se).reward is None:
            raise UserError(
                "nes.start = 'task_reward' is for reward networks: choose 'random', or "
                "another kind"
            )
        if self.nes.horizon and self._scheduled:
            raise UserError(
                f"nes.horizon = {self.nes.horizon}: an agent with se_steps trains for "
                "those: choose 0 (and another fitness than area), or se_steps null"
            )
        if self.others and self.nes.rank_space:
            raise UserError(
                "nes.rank_space: configurations of one agent are ranked: leave out the "
                "other agents"
            )
        names = [algorithm_of(agent) for agent in self.agents]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UserError(f"agent {twice[0]} is named twice: keep one")

    @property
    def _scheduled(self) -> bool:
        """Whether `se_steps` say how long an agent trains on what is learned."""
        on_se = learned.kind_of(self.se).reward is None
        return on_se and any(agent.se_steps is not None for agent in self.agents)

    @property
    def discount(self) -> dict[str, float]:
        """The agent's `discount`, which a reward network's file tells; else nothing."""
        gamma = getattr(self.agent, "gamma", None)
        if gamma is None or not learned.kind_of(self.se).reward:
            return {}
        return {"discount": gamma}

    def to_dict(self) -> dict[str, Any]:
        """Nested builtin types, agent's algorithm and SE's kind by name."""
        data = dataclasses.asdict(self)
        data["agent"] = {"algorithm": algorithm_of(self.agent), **data["agent"]}
        others = data.pop("others")
        if self.others:
            names = map(algorithm_of, self.others)
            data["agents"] = dict(zip(names, others, strict=True))
        if (kind := learned.kind_of(self.se).name) != learned.UNSAID:
            data["se"] = {"kind": kind, **data["se"]}
        return data


def run_config_from_dict(data: Any) -> RunConfig:
    """The inverse of `RunConfig.to_dict`; what is left out of a part has its default.

    Raises:
        UserError: something is missing, unknown, or not what belongs there.
    """
    parts = record(_Parts, data)
    agent = dict(parts.agent)
    algorithm = agent.pop("algorithm", None)
    cls = find_agent(algorithm, "unknown agent.algorithm").config
    se = dict(parts.se)
    kind = LEARNED.find(se.pop("kind", learned.UNSAID), "unknown se.kind")
    return RunConfig(
        task=parts.task,
        agent=record(cls, agent, unknown="refuse", at="agent"),
        se=record(kind.config, se, unknown="refuse", at=kind.prefix),
        nes=record(NESConfig, parts.nes, unknown="refuse", at="nes"),
        others=tuple(
            record(
                find_agent(name, "unknown agent in agents").config,
                values,
                unknown="refuse",
                at=f"agents.{name}",
            )
            for name, values in parts.agents.items()
        ),
    )


@dataclass(frozen=True)
class _Parts:
    """A `RunConfig` on disk."""

    task: str
    agent: dict[str, Any]
    se: dict[str, Any]
    nes: dict[str, Any]
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)


_KINDS = ("se.kind", "rn.kind")
_AGENTS = "nes.agents"
# Flat names that search better on another scale than the field they set.
_TRANSFORMS = {"one_minus_gamma": "gamma", "one_minus_eps_decay": "eps_decay"}


def from_configuration(
    configuration: Mapping[str, Any], task: str, algorithm: str
) -> RunConfig:
    """Resolve a flat configuration into a `RunConfig`.

    Args:
        configuration: `{"nes.step_size": 0.5, "se.hidden_size": 83, "ddqn.lr": 1e-3}`
            with builtin values; the prefix of agent names is `algorithm`. `se.kind` is
            a name in `registries.LEARNED`, as is `rn.kind`, of a reward network.
        task: task id.
        algorithm: name of a registered agent.

    Raises:
        UserError: a name that no field has, or a value outside a field's range.

    >>> from_configuration({"ddqn.one_minus_gamma": 0.25}, "CartPole-v0", "ddqn"
    ... ).agent.gamma
    0.75
    """
    start = RunConfig(task=task, agent=find_agent(algorithm).config())
    return with_configuration(start, configuration)


def with_configuration(
    config: RunConfig, configuration: Mapping[str, Any]
) -> RunConfig:
    """A config with the values of a flat configuration in place of its own.

    Args:
        config: where all other values come from.
        configuration: see `from_configuration`.

    Raises:
        UserError: a name that no field has, or a value outside a field's range.

    >>> with_configuration(RunConfig(), {"nes.step_size": 0.5}).nes.step_size
    0.5
    """
    if _AGENTS in configuration:
        config = _with_agents(config, configuration)
    se = config.se
    for name in _KINDS:
        if name in configuration:
            se = _of_kind(se, name, configuration[name])
    learned_prefix = learned.kind_of(se).prefix
    classes: dict[str, type[Any]] = {
        "nes": NESConfig,
        learned_prefix: type(se),
        **{algorithm_of(agent): type(agent) for agent in config.agents},
    }
    values: dict[str, dict[str, Any]] = {prefix: {} for prefix in classes}
    for name, value in configuration.items():
        if name in (*_KINDS, _AGENTS):
            continue
        prefix, key, value = _resolve(name, value, classes)
        if key in values[prefix]:
            raise UserError(
                f"hyperparameter {name!r} sets {prefix}.{key}, and so does another: "
                "keep one"
            )
        values[prefix][key] = value
    agent, *others = (a.with_values(values[algorithm_of(a)]) for a in config.agents)
    return dataclasses.replace(
        config,
        agent=agent,
        others=tuple(others),
        se=dataclasses.replace(se, **values[learned_prefix]),
        nes=dataclasses.replace(config.nes, **values["nes"]),
    )


def _with_agents(config: RunConfig, configuration: Mapping[str, Any]) -> RunConfig:
    """Other algorithms: those that were there keep their values, of new ones defaults.

    Where the first agent has `se_steps`, or is given some, a new one has those of its
    kind.
    """
    value = configuration[_AGENTS]
    names = value.replace(",", " ").split() if isinstance(value, str) else value
    listed = isinstance(names, (list, tuple)) and len(names) > 0
    if not listed or not all(isinstance(name, str) for name in names):
        raise UserError(f"{_AGENTS} = {value!r}: must be names such as ddqn,ppo")
    agents = {algorithm_of(agent): agent for agent in config.agents}
    own = f"{algorithm_of(config.agent)}.se_steps"
    scheduled = configuration.get(own, config.agent.se_steps)
    scheduled = scheduled or configuration.get(f"{names[0]}.se_steps")
    for name in names:
        kind = find_agent(name, f"{_AGENTS}: unknown agent")
        steps = kind.se_steps if scheduled else None
        agents.setdefault(name, kind.config(se_steps=steps))
    first, *others = (agents[name] for name in names)
    return dataclasses.replace(config, agent=first, others=tuple(others))


def _of_kind(se: LearnedConfig, name: str, value: Any) -> LearnedConfig:
    """The configuration as one of another kind: of the same family, with its values."""
    kind = LEARNED.find(value, f"unknown {name}")
    if f"{kind.prefix}.kind" != name:
        mine = ", ".join(k for k, v in LEARNED.items() if f"{v.prefix}.kind" == name)
        is_of = f"must be {kind.prefix}.kind; {name} is one of {mine}"
        raise UserError(f"{name} = {value!r}: {is_of}")
    if type(se) is kind.config:
        return se
    if learned.kind_of(se).prefix != kind.prefix:
        return cast(LearnedConfig, kind.config())
    common = {f.name for f in fields(se)} & {f.name for f in fields(kind.config)}
    values = {key: getattr(se, key) for key in common - set(kind.own)}
    return cast(LearnedConfig, kind.config(**values))


def _resolve(
    name: str, value: Any, classes: Mapping[str, type[Any]]
) -> tuple[str, str, Any]:
    prefix, _, key = name.partition(".")
    target = _TRANSFORMS.get(key, key)
    names = {f.name for f in fields(classes[prefix])} if prefix in classes else set()
    if target not in names and not getattr(classes.get(prefix), "more", None):
        known = [f"{p}.{f.name}" for p, cls in classes.items() for f in fields(cls)]
        known += [*_KINDS, _AGENTS]
        known += [
            f"{p}.{t}"
            for p, cls in classes.items()
            for t, f in _TRANSFORMS.items()
            if f in {g.name for g in fields(cls)}
        ]
        hint = did_you_mean(name, known)
        raise UserError(f"hyperparameter {name!r} sets no configuration field: {hint}")
    if key in _TRANSFORMS:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UserError(f"hyperparameter {name!r} = {value!r}: must be a number")
        value = 1.0 - value
    return prefix, target, value
