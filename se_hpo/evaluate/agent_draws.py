"""The random hyperparameters of phase 2: drawn per pair, for all train_envs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.bohb.encoding import SpaceEncoding
from se_hpo.config.variation import varied_fields, vary_agent
from se_hpo.registries import AGENTS
from se_hpo.search_spaces.loading import Space
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
    variation: str = "paper"
    """What is drawn, see `config.VARIATIONS` of agents."""

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        rng = seeding.generator(seed, "phase 2", self.algorithm, pair)
        config = vary_agent(self.base, rng, self.variation)
        fields = varied_fields(config, self.variation)
        return Draw(config, {name: getattr(config, name) for name in fields})

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        base = own_values(self.base, self.decided)
        how = "" if self.variation == "paper" else f" ({self.variation})"
        return {"drawn": f"around {self.what}{how}", "base": base}


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
        base = own_values(self.config, self.decided)
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


@dataclasses.dataclass(frozen=True)
class Wrapping:
    """Drawn for the agent that another one wraps: a pair has the same values in both.

    `own` are the fields that only the wrapping agent has.
    """

    algorithm: str
    wrapped: AgentSource
    own: Mapping[str, Any]

    def draw(self, seed: int, pair: int) -> Draw:
        """See `AgentSource`."""
        config, drawn = self.wrapped.draw(seed, pair)
        values = {**dataclasses.asdict(config), **self.own}
        return Draw(AGENTS[self.algorithm].config(**values), drawn)

    def to_dict(self) -> dict[str, Any]:
        """See `AgentSource`."""
        return {**self.wrapped.to_dict(), "own": dict(self.own)}


def own_values(
    config: AgentConfig, decided: frozenset[str] = OF_PHASE_2
) -> dict[str, Any]:
    """The values of a configuration but for the fields that the evaluation decides."""
    values = dataclasses.asdict(config)
    if config.se_steps is None:  # as all were before there was such a thing
        decided |= {"se_steps", "se_init_steps"}
    return {k: v for k, v in values.items() if k not in decided}
