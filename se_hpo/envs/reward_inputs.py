"""What a reward network needs of its task and of the agent. No torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from se_hpo.agents.config import AgentConfig
from se_hpo.envs.learned import LearnedConfig
from se_hpo.envs.tasks import get_task, make_env
from se_hpo.errors import UserError


def check_learnable(task_id: str, config: LearnedConfig, agent: AgentConfig) -> None:
    """Raise `UserError` where a reward network lacks what it needs of task or agent."""
    check_info(task_id, getattr(config, "info_keys", ()))
    checked_discount(config, discount_of(agent))


def discount_of(agent: AgentConfig) -> float | None:
    """The agent's own; None where it has none by the usual name."""
    return getattr(agent, "gamma", None)


@functools.cache
def check_info(task_id: str, keys: tuple[str, ...]) -> None:
    """Raise `UserError` unless a step of the task tells numbers of these names."""
    if not keys:
        return
    with make_env(get_task(task_id)) as env:
        env.reset(seed=0)
        info = env.step(env.action_space.sample())[4]
    if any(not isinstance(info.get(key), (int, float, np.number)) for key in keys):
        raise no_such_info(task_id, info, keys)


def no_such_info(task: str, info: Mapping[str, Any], keys: Sequence[str]) -> UserError:
    """What to say of a step's info that lacks numbers of these names."""
    there = [str(k) for k, v in info.items() if isinstance(v, (int, float, np.number))]
    has = f"has only {', '.join(there)}" if there else "has no numbers"
    return UserError(
        f"the reward network reads {', '.join(keys)} of the step's info, which of "
        f"{task} {has}: choose info_keys, or a kind without info"
    )


def checked_discount(config: LearnedConfig, discount: float | None) -> float:
    """The agent's discount; 1 where the kind of reward asks for none.

    Raises:
        UserError: a potential without a discount in [0, 1].
    """
    if not getattr(config, "potential", False):
        return 1.0
    if discount is None:
        raise UserError(
            "the reward network is a potential, and the discount is not known: give "
            "discount=..., your agent's (of an agent of your own: a field gamma)"
        )
    number = isinstance(discount, (int, float, np.number))
    if not number or isinstance(discount, bool) or not 0 <= discount <= 1:
        raise UserError(f"discount = {discount!r}: must be a number in [0, 1]")
    return float(discount)
