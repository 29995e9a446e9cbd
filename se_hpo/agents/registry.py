"""What the rest of the package knows of an agent (an entry of `registries.AGENTS`).

No torch: what trains an agent is imported when the first one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from se_hpo.agents.base import Agent
from se_hpo.agents.config import AgentConfig
from se_hpo.errors import UserError
from se_hpo.registries import AGENTS, load

AgentFactory = Callable[..., Agent]
"""Called with (config, obs_size, n_actions, seed), and with `continuous` as a keyword
if the agent is for both kinds of actions."""

VARIED = ("hidden_layers", "lr", "batch_size", "hidden_size")
"""What the authors draw anew where agents are varied, as far as an agent has it."""


@dataclass(frozen=True)
class AgentKind:
    """An algorithm, and all that the rest of the package knows of it."""

    name: str
    """In files and on command lines; prefix of its hyperparameters in a space."""
    label: str
    """Its name in figures and reports."""
    config: type[AgentConfig]
    """Its hyperparameters."""
    make: AgentFactory | str
    """What makes one for the torch engine, or where that is (`module:name`)."""
    native: bool = False
    """The native engine has it too, under the same name."""
    varied: tuple[str, ...] = ()
    """Fields that `vary_agent` draws, in this order."""
    varied_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Those of them that are drawn uniformly between these, not around the base."""
    actions: tuple[str, ...] = ("discrete",)
    """Kinds of actions that it can take: `discrete`, `continuous`."""
    se_steps: int = 1000
    """Steps of a training on an SE whose own agents had a fixed number of them."""
    made_first: bool = False
    """One is made before any is trained: only then it is known what it cannot take."""
    tabular: bool = False
    """It needs numbered observations (`TaskSpec.discrete_obs`)."""
    wraps: str = ""
    """The agent whose rewards it adds a bonus to, where it is no other algorithm."""

    def takes(self, continuous: bool, discrete_obs: bool) -> bool:
        """Whether it can learn a task with such actions and observations."""
        kind = "continuous" if continuous else "discrete"
        return kind in self.actions and (discrete_obs or not self.tabular)


def register_agent(
    name: str,
    config_class: type[AgentConfig],
    make: AgentFactory | str,
    *,
    label: str | None = None,
    native: bool = False,
    varied: Sequence[str] | None = None,
    actions: Sequence[str] = ("discrete",),
    tabular: bool = False,
) -> None:
    """Add an agent, or replace the one of that name.

    Call it where `config_class` is defined: worker processes import that module when
    they unpickle a job. See `AgentKind` for the arguments; `varied` is by default what
    the configuration has of `VARIED`.
    """
    if varied is None:
        varied = [field for field in VARIED if hasattr(config_class, field)]
    AGENTS[name] = AgentKind(
        name=name,
        label=label or name,
        config=config_class,
        make=make,
        native=native,
        varied=tuple(varied),
        actions=tuple(actions),
        tabular=tabular,
    )


def find_agent(name: str, what: str = "unknown agent") -> AgentKind:
    """The agent of a name.

    Raises:
        UserError: there is none; its line begins with `what`.
    """
    kind: AgentKind = AGENTS.find(name, what)
    return kind


def kind_of(config: AgentConfig) -> AgentKind:
    """The agent that a configuration is of.

    Raises:
        UserError: its class is not registered.
    """
    kind: AgentKind
    for kind in AGENTS.values():
        if type(config) is kind.config:
            return kind
    raise UserError(
        f"agent is a {type(config).__name__}: must be a configuration of one of "
        f"{', '.join(AGENTS)}, or of an agent of your own (register_agent)"
    )


def algorithm_of(config: AgentConfig) -> str:
    """The registry name of an agent configuration (`ddqn`)."""
    return kind_of(config).name


def agent_label(name: str) -> str:
    """The name of an agent in figures and reports; of one not known here, its own.

    >>> agent_label("ddqn+eps_min=0.3")
    'DDQN, eps_min=0.3'
    """
    agent, plus, fields = name.partition("+")
    label = str(AGENTS[agent].label) if agent in AGENTS else agent
    return label + f", {fields}" * bool(plus)


def check_takes(kind: AgentKind, task: str, continuous: bool, discrete: bool) -> None:
    """Raise `UserError`, with those that can, if an agent cannot learn a task.

    `continuous` are the task's actions, `discrete` its observations.
    """
    if kind.takes(continuous, discrete):
        return
    can = [name for name, other in AGENTS.items() if other.takes(continuous, discrete)]
    needs = f"takes {' and '.join(kind.actions)} actions"
    if kind.tabular:
        needs += " and needs numbered observations"
    raise UserError(
        f"agent {kind.name!r} {needs}, and the task {task} has "
        f"{'continuous' if continuous else 'discrete'} actions and "
        f"{'numbered' if discrete else 'vectors as'} observations; agents for it: "
        f"{', '.join(can) or 'none'}"
    )


def make_agent(
    config: AgentConfig,
    obs_size: int,
    n_actions: int,
    seed: int,
    continuous: bool = False,
) -> Agent:
    """A new agent with everything random drawn from `seed`.

    Where actions are `continuous`, `n_actions` is how many numbers one has.
    """
    kind = kind_of(config)
    both = {"continuous": continuous} if len(kind.actions) > 1 else {}
    agent: Agent = load(kind.make)(config, obs_size, n_actions, seed, **both)
    return agent
