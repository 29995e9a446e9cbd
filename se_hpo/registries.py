"""What a search space may name: agents, learned environments, strategies, objectives.

An entry is the object or where it is (`module:object`), imported where it is asked for:
so the tables stand below all that they name. See docs/extending.md for your own.
"""

from __future__ import annotations

import pkgutil
from collections import UserDict
from typing import Any

from se_hpo.errors import UserError, did_you_mean


def load(entry: Any) -> Any:
    """An object, or what is at `module:object`.

    Raises:
        UserError: there is nothing.

    >>> load("math:pi") > 3, load(2)
    (True, 2)
    """
    if not isinstance(entry, str):
        return entry
    try:
        return pkgutil.resolve_name(entry)
    except UserError:
        raise
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"{entry!r} is registered, but not there: {error}") from error


class Registry(UserDict[str, Any]):
    """Name -> object, in the order of tables.

    >>> numbers = Registry(pi="math:pi", two=2)
    >>> numbers["pi"] > 3, numbers["two"], list(numbers)
    (True, 2, ['pi', 'two'])
    """

    def __getitem__(self, name: str) -> Any:
        """The object.

        Raises:
            KeyError: there is none of that name.
            UserError: it is not where its entry says.
        """
        return load(super().__getitem__(name))

    def find(self, name: Any, what: str) -> Any:
        """The object of a name from outside, whatever that is.

        Raises:
            UserError: there is none; the line begins with `what`: `unknown agent`.
        """
        if name not in list(self):  # it may be unhashable
            raise UserError(f"{what} {name!r}: {did_you_mean(str(name), self)}")
        return self[name]


AGENTS = Registry(
    ddqn="se_hpo.agents.ddqn_config:KIND",
    dueling_ddqn="se_hpo.agents.dueling_ddqn_config:KIND",
    td3="se_hpo.agents.td3_config:KIND",
    td3_discrete="se_hpo.agents.td3_discrete_config:KIND",
    ppo="se_hpo.agents.ppo_config:KIND",
    q_learning="se_hpo.agents.q_learning_config:KIND",
    sarsa="se_hpo.agents.sarsa_config:KIND",
    ddqn_icm="se_hpo.agents.icm_config:DDQN",
    dueling_ddqn_icm="se_hpo.agents.icm_config:DUELING_DDQN",
    td3_icm="se_hpo.agents.icm_config:TD3",
    ppo_icm="se_hpo.agents.icm_config:PPO",
    **{
        f"sb3:{name}": f"se_hpo.agents.sb3_config:{name}"
        for name in ("A2C", "DDPG", "DQN", "PPO", "SAC", "TD3")
    },
)
"""Algorithms: an `agents.AgentKind` each."""

_RN = "se_hpo.envs.learned.reward_network:"
LEARNED = Registry(
    mdp="se_hpo.envs.learned.mdp:MDP",
    mdp_learned_start="se_hpo.envs.learned.mdp_learned_start:MDP_LEARNED_START",
    one_step="se_hpo.envs.learned.one_step:ONE_STEP",
    exclusive_potential=f"{_RN}EXCLUSIVE_POTENTIAL",
    additive_potential=f"{_RN}ADDITIVE_POTENTIAL",
    exclusive=f"{_RN}EXCLUSIVE",
    additive=f"{_RN}ADDITIVE",
    exclusive_potential_info=f"{_RN}EXCLUSIVE_POTENTIAL_INFO",
    additive_potential_info=f"{_RN}ADDITIVE_POTENTIAL_INFO",
    exclusive_info=f"{_RN}EXCLUSIVE_INFO",
    additive_info=f"{_RN}ADDITIVE_INFO",
    weighted_info=f"{_RN}WEIGHTED_INFO",
    additive_weighted_info=f"{_RN}ADDITIVE_WEIGHTED_INFO",
)
"""Learned environments: an `envs.learned.LearnedKind` each."""

STRATEGIES = Registry(
    nes="se_hpo.nes.strategies.nes:NES",
    snes="se_hpo.nes.strategies.snes:SNES",
    openai_es="se_hpo.nes.strategies.openai_es:OpenAIES",
)
"""Classes derived from `nes.strategies.Strategy`."""

OBJECTIVES = Registry(
    nes="se_hpo.optimize.objectives.nes_run:NES_RUN",
    agent="se_hpo.optimize.objectives.agent_run:AGENT",
    agent_on_se="se_hpo.optimize.objectives.agent_on_se:AGENT_ON_SE",
)
"""What an evaluation is: an `objectives.ObjectiveKind` each."""


def objective_kind(name: Any) -> Any:
    """The objective of that name; None for one that is not known here."""
    return OBJECTIVES[name] if name in list(OBJECTIVES) else None


def budget_unit(objective: Any) -> str:
    """What the budget counts, in the plural; `units` where the name says nothing.

    >>> budget_unit("agent"), budget_unit(None)
    ('seeds', 'units')
    """
    kind = objective_kind(objective)
    return str(kind.unit) if kind else "units"
