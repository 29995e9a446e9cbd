"""What hyperparameters agents have, or are drawn around.

`matched`: those of the agent that a set was learned with; `textbook`: those with which
Ferreira et al. (2022) evaluate reward networks; or those of a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.config.overrides import read_yaml
from se_hpo.config.run import RunConfig, with_configuration
from se_hpo.errors import UserError, did_you_mean
from se_hpo.results.se_sets import SESet
from se_hpo.storage.json_records import checked, record

MATCHED, TEXTBOOK = "matched", "textbook"
_FILE = Path(__file__).with_name("textbook.yaml")

Values = dict[str, dict[str, Any]]
"""Agent -> field -> value."""


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """Whose, and whether agents vary around them."""

    variation: str = "varied"
    """`varied`, or `default`: the same for all agents."""
    values: str | None = None
    """`matched`, `textbook` or a file; None: where each algorithm's are (phase 2)."""
    curves: bool = False
    """Learning curves are recorded: agents then keep their own `init_episodes`."""

    @property
    def name(self) -> str | None:
        """Of the values, in records: a file goes by its name without the ending."""
        given = self.values in (None, MATCHED, TEXTBOOK)
        return self.values if given else Path(str(self.values)).stem


AS_EVER = Hyperparameters()
"""Those of phase 2."""


@dataclasses.dataclass(frozen=True)
class _Textbook:
    """What the shipped file says of a task."""

    steps: int
    agents: dict[str, dict[str, Any]]


def textbook(task: str) -> _Textbook | None:
    """Training steps and agents of a task; None where the file has none."""
    entry = read_yaml(_FILE, "tasks").get(task)
    return None if entry is None else record(_Textbook, entry, unknown="refuse")


def base_of(
    name: str, sets: Sequence[SESet], how: Hyperparameters
) -> tuple[AgentConfig, str]:
    """The configuration that agents of an algorithm have, and what it is in words.

    Raises:
        UserError: values are asked for that are not there, or are none.
    """
    if how.values in (None, MATCHED):
        return _matched(name, [agent for s in sets for agent in s.config.agents])
    if how.values != TEXTBOOK:
        path = Path(str(how.values)).expanduser()
        if not path.exists():
            hint = did_you_mean(str(how.values), (MATCHED, TEXTBOOK))
            raise UserError(
                f"--agent-values {how.values}: no such file, and no name: {hint}"
            )
        return _of_file(name, path), f"the values in {path.name}"
    task = sets[0].task
    found = textbook(task)
    agents = found.agents if found else {}
    if name not in agents:
        known = ", ".join(agents) or "none"
        raise UserError(
            f"--agent-values textbook: nothing is known of {name} on {task} (only of: "
            f"{known}): give a YAML file, a mapping from agents to their values"
        )
    return default(name, agents[name]), "the textbook values"


def default(name: str, values: Mapping[str, Any]) -> AgentConfig:
    """An algorithm's defaults, with some values of its fields."""
    own = {f"{name}.{field}": value for field, value in values.items()}
    return with_configuration(RunConfig(agent=find_agent(name).config()), own).agent


def _of_file(name: str, path: Path) -> AgentConfig:
    what = "agents and their values"
    agents: Values = checked(Values, read_yaml(path, what), str(path))
    if name not in agents:
        raise UserError(f"{path} has nothing of {name}: add its values, or {{}}")
    try:
        return default(name, agents[name])
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _matched(name: str, agents: Sequence[AgentConfig]) -> tuple[AgentConfig, str]:
    """Of an algorithm that has all that the sets' agent has: its values, too."""
    kind = find_agent(name)
    for agent in agents:
        if algorithm_of(agent) == name:
            return agent, "the agent of the sets"
    has = {field.name for field in dataclasses.fields(kind.config)}
    for agent in agents:
        values = dataclasses.asdict(agent)
        if values.keys() <= has:
            return kind.config(**values), "the agent of the sets"
    return kind.config(), "the defaults"
