"""Phase 2: agents with random hyperparameters, trained on SEs and on the task.

Ferreira et al. (2022), section 4.2 and Fig. 3. Comparisons are paired: a pair is one
draw of hyperparameters and one agent seed, and it is used on every train_env.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from se_hpo import seeding
from se_hpo.agents.config import AgentConfig
from se_hpo.envs.learned import LearnedEnv, kind_of
from se_hpo.envs.tasks import measure_task
from se_hpo.errors import UserError
from se_hpo.evaluate.agent_draws import PROTOCOL, AgentSource, Draw
from se_hpo.evaluate.agent_values import AS_EVER, Hyperparameters
from se_hpo.evaluate.chosen_sets import UsedSE, UsedSet
from se_hpo.evaluate.recorded_curve import recorded_curve
from se_hpo.names import REAL
from se_hpo.results.evaluations import Key
from se_hpo.storage.records import to_builtin
from se_hpo.terminal.flags import at_least, check_seed
from se_hpo.training.jobs import TrainingJob, TrainingResult
from se_hpo.training.process_pool import Completed

TESTS_ON_SE = 50
"""Of a learning curve on an SE, at most: its episodes may have one step each."""


@dataclass(frozen=True)
class Rules:
    """How agents are seeded, trained and tested; the same on every train_env."""

    seed: int = 0
    num_agents: int = 10
    """Agents per SE, and of each algorithm."""
    test_episodes: int = 10
    fixed_steps: int | None = None
    """Exactly so many env steps for all, instead of the paper's two rules."""
    step_cap: bool = True
    """With the paper's rules: an SE's agents stop at the env steps at which the agents
    stopped that it was trained with."""
    how: Hyperparameters = AS_EVER

    def __post_init__(self) -> None:
        check_seed(self.seed)
        for name in ("num_agents", "test_episodes", "fixed_steps"):
            at_least(1, **{name: getattr(self, name)})
        if self.fixed_steps is not None and not self.step_cap:
            raise UserError("--fixed-steps needs no --no-step-cap: leave it out")

    @property
    def rule(self) -> str:
        """A name in `evaluations.RULES`."""
        return "paper" if self.fixed_steps is None else "fixed_steps"

    @property
    def name(self) -> str:
        """For files.

        >>> Rules().name, Rules(fixed_steps=5000, seed=3).name
        ('paper-0', 'fixed-5000-3')
        >>> Rules(fixed_steps=9, how=Hyperparameters("default", "matched", True)).name
        'curves-9-default-matched-0'
        """
        rule = "paper" if self.fixed_steps is None else f"fixed-{self.fixed_steps}"
        if self.how.curves:
            rule = f"curves-{self.fixed_steps}-{self.how.variation}"
        elif self.how.variation != "varied":
            rule += f"-{self.how.variation}"
        values = f"-{self.how.name}" if self.how.name else ""
        return f"{rule}{values}{'' if self.step_cap else '-uncapped'}-{self.seed}"

    @property
    def test_every(self) -> int:
        """Training steps between the tests of a curve on an SE."""
        return -(-(self.fixed_steps or 1) // TESTS_ON_SE)

    def to_dict(self) -> dict[str, Any]:
        """What makes them what they are; builtin types."""
        values = vars(self).copy()
        how = values.pop("how")
        return {**values, **vars(how)} if how != AS_EVER else values

    def configure(self, agent: AgentConfig, step_cap: int) -> AgentConfig:
        """The agent under these rules.

        Args:
            agent: with drawn hyperparameters.
            step_cap: env steps at which the SE's agents stopped; 0 for the task.
        """
        values: dict[str, Any] = {"test_episodes": self.test_episodes}
        if not self.how.curves:
            values |= PROTOCOL
        values["max_env_steps"] = step_cap if self.step_cap else 0
        if hasattr(
            agent, "train_steps"
        ):  # no rule ends it: the same on every train_env
            values["max_env_steps"] = agent.train_steps
        if self.fixed_steps is not None:
            # An episode has a step at least: so many episodes are never too few.
            values["train_episodes"] = values["max_env_steps"] = self.fixed_steps
        return dataclasses.replace(agent, **values)


@dataclass(frozen=True)
class PlannedAgent:
    """One agent that is to be trained."""

    train_env: str
    agent: str
    """Name of a registered agent."""
    pair: int
    """SE's index * num_agents + number of the agent."""
    used_set: UsedSet | None = None
    """None: on the task."""
    se: UsedSE | None = None

    @property
    def key(self) -> Key:
        """What makes it this agent of its evaluation."""
        se_set = self.used_set.se_set.name if self.used_set else None
        index = self.se.outcome.index if self.se else None
        return self.train_env, se_set, index, self.agent, self.pair

    @property
    def on_se(self) -> bool:
        """Whether the episodes in training are an SE's, not the task's."""
        return self.used_set is not None and not self.used_set.is_of_rewards

    @property
    def group(self) -> tuple[str, str]:
        """Agent and train_env."""
        return self.agent, self.train_env


class Plan:
    """Which agents are to be trained, in the order in which they are.

    SE number i of every set uses the pairs i * num_agents and following; the baseline
    has the pairs of all SEs that any set uses. The agents of a pair are neighbours,
    so that an unfinished evaluation is paired too.

    Args:
        rules: how.
        sets: the SEs; at least one.
        sources: hyperparameters of each algorithm.
        with_sets: train on the SEs.
        with_real: train on the task.
        baselines: names in `sources` of agents that are trained on the task alone.
    """

    def __init__(
        self,
        rules: Rules,
        sets: Sequence[UsedSet],
        sources: Mapping[str, AgentSource],
        with_sets: bool = True,
        with_real: bool = True,
        baselines: Collection[str] = (),
    ) -> None:
        self.rules, self.sets, self.sources = rules, sets, sources
        self.baselines = baselines
        self.with_sets, self.with_real = with_sets, with_real
        self.task = sets[0].se_set.task
        self.agents = self._agents()
        self._draw = functools.cache(self._draw_anew)

    def _agents(self) -> list[PlannedAgent]:
        n = self.rules.num_agents
        slots = sorted({index for used in self.sets for index in used.ses})
        pairs = [slot * n + number for slot in slots for number in range(n)]
        return [
            a for pair in pairs for name in self.sources for a in self._of(name, pair)
        ]

    def _of(self, name: str, pair: int) -> list[PlannedAgent]:
        """An algorithm's agents of one pair, on every train_env."""
        agents = [PlannedAgent(REAL, name, pair)] if self.with_real else []
        alone = name in self.baselines or not self.with_sets
        for used in () if alone else self.sets:
            if se := used.ses.get(pair // self.rules.num_agents):
                train_env = used.se_set.train_env
                agents.append(PlannedAgent(train_env, name, pair, used, se))
        return agents

    def _draw_anew(self, name: str, pair: int) -> Draw:
        return self.sources[name].draw(self.rules.seed, pair)

    def job(self, agent: PlannedAgent) -> TrainingJob:
        """What the engine gets."""
        cap = agent.used_set.se_set.config.agent.max_env_steps if agent.used_set else 0
        config = self._draw(agent.agent, agent.pair).config
        se = agent.se.checkpoint if agent.se else None
        path = ("phase 2", agent.agent, agent.pair, "seed")
        fixed = self.rules.fixed_steps
        if fixed is not None and config.se_steps is not None:
            config = dataclasses.replace(config, se_steps=fixed)
        job = TrainingJob(
            task=self.task,
            agent=self.rules.configure(config, cap),
            seed=seeding.integer_seed(self.rules.seed, *path),
            learned=LearnedEnv(se.se_config, se.psi) if se else None,
            stop_by_rule=self.rules.fixed_steps is None,
            test_while_training=self.rules.how.curves,
            test_every=self.rules.test_every if agent.on_se else 1,
        )
        return job.resolved()

    def record(
        self, agent: PlannedAgent, job: TrainingJob, done: Completed, engine: str
    ) -> dict[str, Any]:
        """What is stored of a trained agent; builtin types."""
        train_env, se_set, index, name, pair = agent.key
        outcome, result = agent.se.outcome if agent.se else None, done.result
        curve = self._curve(agent, result) if self.rules.how.curves else {}
        return to_builtin(
            {
                "train_env": train_env,
                "task": self.task,
                "se_set": se_set,
                "se": index,
                "se_solved": outcome.solved if outcome else None,
                "se_score": outcome.best_score if outcome else None,
                "agent": name,
                "pair": pair,
                "hyperparameters": self._draw(name, pair).drawn,
                "agent_seed": job.seed,
                "rule": self.rules.rule,
                "max_env_steps": job.agent.max_env_steps or None,
                "env_steps": result.env_steps,
                "episodes": len(result.episode_returns),
                "stop_reason": result.stop_reason,
                "test_returns": result.test_returns,
                "score": result.score,
                "test_env_steps": result.test_env_steps,
                "seconds": round(done.cpu_seconds, 4),
                "engine": engine,
                **curve,
            }
        )

    def _curve(self, agent: PlannedAgent, result: TrainingResult) -> dict[str, Any]:
        spec, how = measure_task(self.task), self.rules.how
        kind = kind_of(agent.se.checkpoint.se_config).name if agent.se else None
        steps = self.rules.fixed_steps or result.env_steps
        own = {"kind": kind, "variation": how.variation, "agent_values": how.name}
        return own | recorded_curve(result, steps, spec)


def in_shard(key: Key, shard: tuple[int, int]) -> bool:
    """Whether an agent belongs to shard `i` of `n`, counted from 1.

    Decided by the agent alone, whatever else is planned.
    """
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:8]) % shard[1] == shard[0] - 1
