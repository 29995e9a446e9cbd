"""How many steps an agent trains on an SE, where it does not say so itself."""

from __future__ import annotations

from collections.abc import Iterable

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of, find_agent
from se_hpo.envs.learned import LearnedKind, never


def steps_on_ses(
    agent: str, learned_with: Iterable[AgentConfig], kinds: Iterable[LearnedKind]
) -> int | None:
    """`se_steps` of an agent that has none; None where a rule ends its training.

    Those of the same agent among the ones that the SEs were learned with, or of its
    algorithm where those have some, or where no rule would ever end it.

    Raises:
        UserError: there is no such agent.
    """
    known = tuple(learned_with)
    for config in known:
        if algorithm_of(config) == agent:
            return config.se_steps
    endless = any(kind.stopping_rule is never for kind in kinds)
    if endless or any(config.se_steps for config in known):
        return int(find_agent(agent).se_steps)
    return None
