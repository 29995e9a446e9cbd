"""What holds for a reward network: measured on its task, not taken from its kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from se_hpo.doctor.finding import Finding, error, ok, safely, warning
from se_hpo.doctor.tabular import (
    Situation,
    optimal_actions,
    optimal_values,
    rewarded,
)
from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.learned import kind_of
from se_hpo.envs.learned.reward_network import RewardNetworkConfig
from se_hpo.envs.reward_function import RewardFunction, check_info
from se_hpo.envs.tasks import TaskSpec
from se_hpo.errors import UserError

_EPISODES, _STEPS, _STATES = 20, 4000, 30
_DISCOUNT = 0.99
"""Of the agent, where the file tells none."""
_INVARIANT = "learn an additive_potential with terminal_potential=zero"


def check_reward_network(path: Path | str) -> list[Finding]:
    """A line for each property; a file that cannot be read is an error."""
    return list(safely("reward network", lambda: _check(Path(path))))


def _check(path: Path) -> Iterator[Finding]:
    try:
        task, checkpoint = open_checkpoint(None, path, "reward network")
        config = checkpoint.se_config
        if not isinstance(config, RewardNetworkConfig):
            raise UserError(
                f"{path}: is a synthetic environment, no reward network; take another"
            )
        check_info(task, config.reads_info)
    except UserError as problem:
        yield error("reward network", str(problem), "see the line above")
        return
    examined = _Examined(task, checkpoint, config)
    kind = kind_of(config).name
    yield ok(
        "reward network", f"{kind} for {task.id}, {checkpoint.psi.size} parameters"
    )
    yield from examined.discount_line()
    yield from examined.telescoping()
    yield from examined.optimal_policy()
    yield from examined.terminal_potential()


@dataclass
class _Episode:
    """An episode of random actions: situations, one more than rewards."""

    situations: list[Situation]
    learned: list[float] = field(default_factory=list)
    """What the network adds to the task's reward, or gives in its place."""
    terminated: bool = False


class _Examined:
    """A reward network on its task."""

    def __init__(
        self, task: TaskSpec, checkpoint: SECheckpoint, config: RewardNetworkConfig
    ) -> None:
        self.task, self.config = task, config
        self.stored = checkpoint.metadata.get("discount")
        self.discount = _DISCOUNT if self.stored is None else self.stored
        self.function = RewardFunction(checkpoint, self.discount)
        # By itself the potential of a situation: what a step to it would give.
        self.checkpoint = checkpoint
        self.episodes = _play(task, self.function, config.additive)

    def discount_line(self) -> Iterator[Finding]:
        """Potentials belong to one discount."""
        if not self.config.potential:
            return
        if self.stored is None:
            value = f"the file tells none; {_DISCOUNT} below"
            yield warning("discount", value, "give discount=... as your agent's")
        else:
            yield ok("discount", f"{self.stored}: agents must have the same")

    def telescoping(self) -> Iterator[Finding]:
        """Whether the learned rewards of an episode are but its first and last state's."""
        if not self.config.potential:
            value = "no difference of potentials: what it gives adds up on the way"
            mend = f"agents may prefer a loop to the goal; if not wanted: {_INVARIANT}"
            yield warning("telescoping", value, mend)
            return
        errors = [abs(self._left(e)) for e in self.episodes]
        scale = 1 + max(abs(self.phi(s)) for e in self.episodes for s in e.situations)
        value = (
            f"{len(errors)} episodes, {sum(len(e.learned) for e in self.episodes)} steps: "
            f"off by {max(errors) / scale:.1g} at most"
        )
        if max(errors) <= 1e-6 * scale:
            yield ok("telescoping", value)
        else:
            yield warning("telescoping", value, "the network's outputs are too large")

    def optimal_policy(self) -> Iterator[Finding]:
        """Whether what is optimal on a small task stays so."""
        table, situations, what = self._small_task()
        shaped = rewarded(table, situations, self.function)
        discount = min(self.discount, 0.999)
        mine, theirs = (
            optimal_actions(optimal_values(t, discount)) for t in (shaped, table)
        )
        changed = int((mine != theirs).any(1).sum())
        value = f"other than the task's in {changed} of {len(mine)} states of {what}"
        if not changed:
            yield ok(
                "optimal policy", f"the task's in all {len(mine)} states of {what}"
            )
        else:
            yield warning(
                "optimal policy", value, f"where it must not be: {_INVARIANT}"
            )

    def terminal_potential(self) -> Iterator[Finding]:
        """What the potential of terminal states does."""
        ends = [self.phi(e.situations[-1]) for e in self.episodes if e.terminated]
        if not self.config.potential:
            return
        span = f"{min(ends):.3g} to {max(ends):.3g}" if ends else "not seen"
        seen = f"the network's own in {len(ends)} terminated episodes: {span}"
        if self.config.zero_terminal:
            yield ok("terminal potential", f"0 ({seen})")
        elif self.config.additive:
            value = f"adds discount^T Phi(s_T) to a return, {seen}"
            yield warning("terminal potential", value, _INVARIANT)
        elif ends and max(ends) - min(ends) <= 1e-6 * (1 + max(map(abs, ends))):
            mend = "agents cannot learn from it: learn another, or another kind"
            yield warning("terminal potential", f"tells no ends apart, {seen}", mend)
        else:
            yield ok("terminal potential", f"all that agents learn from, {seen}")

    def phi(self, situation: Situation) -> float:
        """The network's potential of a situation, also of a terminal one."""
        self.function.reset(*situation)
        return self.function.potential

    def _left(self, episode: _Episode) -> float:
        """What is left of an episode's learned rewards without its first and last."""
        weights = self.discount ** np.arange(len(episode.learned) + 1)
        last = self.phi(episode.situations[-1])
        if episode.terminated and self.config.zero_terminal:
            last = 0.0
        total = float(weights[:-1] @ np.array(episode.learned))
        return total - float(weights[-1]) * last + self.phi(episode.situations[0])
