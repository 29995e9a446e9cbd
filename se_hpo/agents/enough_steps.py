"""Whether a number of training steps is enough for an agent to learn at all."""

from __future__ import annotations

from se_hpo.agents.config import AgentConfig
from se_hpo.agents.registry import algorithm_of
from se_hpo.errors import UserError


def check_learns(agent: AgentConfig, steps: int | None, said: str) -> None:
    """Refuse steps that end before the agent's first update.

    Args:
        agent: one that trains for so many steps, whatever happens.
        steps: None says nothing.
        said: how the user gave them, `ppo.se_steps = 60`.
    """
    needed = {}
    if agent.se_steps is not None:
        needed["se_init_steps"] = agent.se_init_steps + 1
    if getattr(agent, "variant", None) == "standard":  # of PPO
        needed["rollout_steps"] = getattr(agent, "rollout_steps", 0)
    for field, least in needed.items():
        if steps is not None and steps < least and not hasattr(agent, "train_steps"):
            raise UserError(
                f"{said}: nothing is learned, as {algorithm_of(agent)}.{field} = "
                f"{getattr(agent, field)}: give {least} steps or more, or lower that"
            )
