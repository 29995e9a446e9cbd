"""What holds for a reward network: measured on its task, not taken from its kind."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import gymnasium
import numpy as np

from se_hpo.doctor.finding import Finding, error, ok, safely, warning
from se_hpo.doctor.tabular import (
    Situation,
    Table,
    gridworld_table,
    optimal_actions,
    random_table,
    rewarded,
)
from se_hpo.envs.checkpoint import SECheckpoint, open_checkpoint
from se_hpo.envs.gridworld import GridWorld
from se_hpo.envs.learned import kind_of
from se_hpo.envs.learned.reward_network import RewardNetworkConfig
from se_hpo.envs.reward_function import RewardFunction
from se_hpo.envs.reward_inputs import check_info
from se_hpo.envs.tasks import TaskSpec, make_env
from se_hpo.errors import UserError

_EPISODES, _STEPS, _STATES = 20, 4000, 30
_DISCOUNT, _LARGEST_DISCOUNT = 0.99, 0.999
"""Of the agent where the file tells none; the largest that value iteration is given."""
_MEND = "learn an additive_potential with terminal_potential=zero"


def check_reward_network(path: SECheckpoint | Path | str) -> list[Finding]:
    """A line for each property of the reward network in a file.

    A warning says what does not hold, and how to learn one for which it does; a file
    that is none is an error.
    """
    try:
        task, checkpoint = open_checkpoint(None, path, "reward network")
        examined = _Examined(task, checkpoint)
    except UserError as problem:
        said = str(problem) if str(path) in str(problem) else f"{path}: {problem}"
        return [Finding("reward network", said, "error")]
    if not examined.finite():
        value = "gives NaN or infinity in states of its task"
        return [*examined.kind(), error("rewards", value, "learn another")]
    return [
        *examined.kind(),
        *safely("telescoping", examined.telescoping),
        *safely("optimal policy", examined.optimal_policy),
        *safely("terminal potential", examined.terminal_potential),
    ]


@dataclass
class _Episode:
    """An episode of random actions: situations, and one less of what was learned."""

    situations: list[Situation]
    learned: list[float] = field(default_factory=list)
    """What the network adds to the task's reward, or gives in its place."""
    terminated: bool = False


class _Examined:
    """A reward network on its task."""

    def __init__(self, task: TaskSpec, checkpoint: SECheckpoint) -> None:
        self._task, self._checkpoint = task, checkpoint
        self._stored = checkpoint.metadata.get("discount")
        self._discount = _DISCOUNT if self._stored is None else self._stored
        self._function = RewardFunction(checkpoint, self._discount)
        assert isinstance(checkpoint.se_config, RewardNetworkConfig)  # or it had raised
        self._config = checkpoint.se_config
        check_info(task.id, self._config.reads_info)
        self._episodes = _play(task, self._function, self._config)

    def kind(self) -> Iterator[Finding]:
        """What it is, and of which discount."""
        kind, size = kind_of(self._config).name, self._checkpoint.psi.size
        value = f"{kind} for {self._task.id}, {size} parameters"
        yield ok("reward network", value)
        if self._config.potential and self._stored is None:
            value = f"not in the file: {_DISCOUNT} is taken here"
            yield warning("discount", value, "give agents and wrapper the same one")
        elif self._config.potential:
            yield ok("discount", f"{self._stored}, which an agent must have too")

    def finite(self) -> bool:
        """Whether all rewards and potentials that were seen are numbers."""
        rewards = [r for episode in self._episodes for r in episode.learned]
        return bool(np.isfinite([*rewards, self._largest_potential]).all())

    def telescoping(self) -> Iterator[Finding]:
        """Whether learned rewards depend on first and last state alone."""
        if not self._config.potential:
            value = "none: its rewards add up on the way, so that a loop can pay"
            yield warning("telescoping", value, f"if agents run in circles: {_MEND}")
            return
        left = max(abs(self._left(episode)) for episode in self._episodes)
        steps = sum(len(episode.learned) for episode in self._episodes)
        value = f"off by {left:.1g} in {len(self._episodes)} episodes of {steps} steps"
        if left <= 1e-6 * self._largest_potential:
            yield ok("telescoping", value)
        else:
            yield warning("telescoping", value, "too large outputs: learn another")

    def optimal_policy(self) -> Iterator[Finding]:
        """Whether what is optimal in a small task stays so."""
        table, situations, what = self._small_task()
        discount = min(self._discount, _LARGEST_DISCOUNT)
        function = RewardFunction(self._checkpoint, discount)
        shaped = rewarded(table, situations, function)
        best, before = (optimal_actions(t, discount) for t in (shaped, table))
        changed, n = int((best != before).any(1).sum()), int((~table.ends).any(1).sum())
        if changed:
            value = f"another than the task's in {changed} of {n} {what}"
            yield warning("optimal policy", value, f"where it must not be: {_MEND}")
        elif self._config.additive and self._config.zero_terminal:
            yield ok("optimal policy", f"the task's in all of {n} {what}")
        else:
            value = f"the task's in all of {n} {what}, but not for certain elsewhere"
            yield ok("optimal policy", value)

    def terminal_potential(self) -> Iterator[Finding]:
        """What the potential of terminal states does."""
        if not self._config.potential:
            return
        ends = [self._phi(e.situations[-1]) for e in self._episodes if e.terminated]
        seen = "not seen: no random episode ended by itself"
        if ends:
            span = f"{min(ends):.3g} to {max(ends):.3g}"
            seen = f"{span} by the network, where {len(ends)} episodes ended"
        if self._config.zero_terminal:
            yield ok("terminal potential", f"0 ({seen})")
        elif self._config.additive:
            value = f"{seen}: it is a reward for ending there, early or late"
            yield warning("terminal potential", value, _MEND)
        elif ends and max(ends) - min(ends) <= 1e-6 * self._largest_potential:
            value = f"{seen}: agents cannot tell the ends apart, and learn from no more"
            yield warning("terminal potential", value, "learn another, or another kind")
        else:
            yield ok("terminal potential", f"{seen}: all that agents learn from")

    def _small_task(self) -> tuple[Table, list[Situation], str]:
        """The task if it is a gridworld; else random steps between what was seen."""
        world = make_env(self._task).unwrapped
        if isinstance(world, GridWorld):
            return *gridworld_table(world), f"cells of {self._task.id}"
        rng = np.random.default_rng(0)
        seen = [s for episode in self._episodes for s in episode.situations]
        chosen = rng.choice(len(seen), min(_STATES, len(seen)), replace=False)
        table = random_table(rng, len(chosen))
        return (
            table,
            [seen[i] for i in chosen],
            "of its states, joined at random",
        )

    @functools.cached_property
    def _largest_potential(self) -> float:
        """At least 1."""
        seen = (s for episode in self._episodes for s in episode.situations)
        return max(1.0, *(abs(self._phi(situation)) for situation in seen))

    def _phi(self, situation: Situation) -> float:
        """The network's potential, of a terminal state, too."""
        self._function.reset(*situation)
        return self._function.potential

    def _left(self, episode: _Episode) -> float:
        """What is left of an episode's learned rewards without its first and last."""
        weights = self._discount ** np.arange(len(episode.learned) + 1)
        zero = episode.terminated and self._config.zero_terminal
        last = 0.0 if zero else self._phi(episode.situations[-1])
        total = float(weights[:-1] @ np.array(episode.learned))
        return total - float(weights[-1]) * last + self._phi(episode.situations[0])


def _play(
    task: TaskSpec, function: RewardFunction, config: RewardNetworkConfig
) -> list[_Episode]:
    """Episodes of random actions."""
    episodes: list[_Episode] = []
    with make_env(task) as env:
        env.reset(seed=0)
        env.action_space.seed(0)
        left = _STEPS
        while left > 0 and len(episodes) < _EPISODES:
            episode = _episode(env, function, config, left)
            episodes.append(episode)
            left -= len(episode.learned)
    return episodes


def _episode(
    env: gymnasium.Env, function: RewardFunction, config: RewardNetworkConfig, most: int
) -> _Episode:
    state, info = env.reset()
    info = {**dict.fromkeys(config.reads_info, 0.0), **info}
    episode = _Episode([(np.asarray(state, np.float32), info)])
    function.reset(*episode.situations[0])
    ended = False
    while not ended and len(episode.learned) < most:
        state, reward, terminated, truncated, info = env.step(env.action_space.sample())
        state, reward = np.asarray(state, np.float32), float(reward)
        learned = function.step(reward, state, bool(terminated), info)
        episode.learned.append(learned - reward if config.additive else learned)
        episode.situations.append((state, info))
        episode.terminated = bool(terminated)
        ended = bool(terminated or truncated)
    return episode
