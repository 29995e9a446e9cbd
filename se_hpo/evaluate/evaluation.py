"""An evaluation as flags ask for it: what to train, and what there is of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from se_hpo.agents.enough_steps import check_learns
from se_hpo.agents.registry import check_takes, kind_of, make_agent
from se_hpo.config.overrides import parse_overrides
from se_hpo.envs.reward_inputs import discount_of
from se_hpo.envs.tasks import check_task, get_task, import_task
from se_hpo.envs.zoo_files import name_of_task
from se_hpo.errors import UserError
from se_hpo.evaluate.agent_values import MATCHED, Hyperparameters, textbook
from se_hpo.evaluate.chosen_sets import UsedSet, is_one_se, run_of, used_sets
from se_hpo.evaluate.drawn_agents import agent_sources
from se_hpo.evaluate.evaluation_files import EvaluationFiles
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.evaluate.plan import (
    TESTS_ON_SE,
    Plan,
    PlannedAgent,
    Rules,
    in_shard,
)
from se_hpo.machine.processes import available_cores
from se_hpo.names import REAL
from se_hpo.results.columns import tidy
from se_hpo.results.evaluations import (
    EVALUATION_COLUMNS,
    load_evaluations,
    summary,
)
from se_hpo.results.lines import UnreadableWarning
from se_hpo.storage.paths import RunPaths
from se_hpo.terminal.flags import at_least, parse_shard
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

log = logging.getLogger(__name__)

ZOO_RESULTS = Path("results", "zoo")
"""Where records go by default once an SE of the zoo is among the environments: they
would not be the run's."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Agents to train, and their records; `frame()` and `summary()` read those."""

    plan: Plan
    engine: str
    """As asked for."""
    engines: dict[str, str]
    """What trains each algorithm."""
    files: EvaluationFiles
    run_folder: RunPaths | None
    """The run in which the records lie; None elsewhere, where all sets may lie."""
    shard: tuple[int, int]
    n_threads: int

    def __repr__(self) -> str:
        """Short."""
        return f"<Evaluation of {len(self.plan.agents)} agents in {self.records}>"

    @property
    def records(self) -> Path:
        """The file of records that this shard writes."""
        return self.files.records

    @property
    def folder(self) -> Path:
        """Where the records of all shards lie."""
        return self.files.folder

    def settings(self) -> dict[str, Any]:
        """What all records share; builtin types."""
        plan = self.plan
        agents = {
            name: {"engine": self.engines[name], **source.to_dict()}
            for name, source in plan.sources.items()
        }
        sets = {used.se_set.name: used.to_dict() for used in plan.sets}
        alone = {name: agents.pop(name) for name in sorted(plan.baselines)}
        settings = {"task": plan.task, **plan.rules.to_dict(), "agents": agents}
        if alone or plan.rules.how.curves:
            settings["baselines"] = alone
        if plan.rules.how.curves and not all(s.is_of_rewards for s in plan.sets):
            settings["tests_on_se"] = TESTS_ON_SE
        return {**settings, "sets": sets}

    def own_agents(self) -> list[PlannedAgent]:
        """The planned agents of this shard."""
        return [a for a in self.plan.agents if in_shard(a.key, self.shard)]

    def frame(self) -> pd.DataFrame:
        """The planned agents' records so far, of all shards, as `load_evaluations`."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadableWarning)  # named at the beginning
            frames = [load_evaluations(file) for file in self.files.all_records()]
        frames = frames or [tidy([], EVALUATION_COLUMNS)]
        keys = ["train_env", "se_set", "se", "agent", "pair"]
        frame = pd.concat(frames, ignore_index=True).drop_duplicates(keys)
        rows = frame[keys].astype(object)
        found = rows.where(rows.notna(), None).itertuples(index=False, name=None)
        planned = {agent.key for agent in self.plan.agents}
        return frame.loc[[key in planned for key in found]]

    def summary(self) -> pd.DataFrame:
        """Means per agent and train_env; see `results.evaluations.summary`."""
        return summary(self.frame(), get_task(self.plan.task).solved_return)


def resolve(options: EvaluateOptions) -> Evaluation:
    """What the flags ask for; nothing is written yet.

    Raises:
        UserError: flags that make no evaluation.
    """
    shard = parse_shard(options.shard)
    at_least(0, threads=options.threads)
    plan = _plan(options)
    engines = _engines(plan, options.engine)
    out, run_folder = options.out, None
    if out is None:
        if not any(map(is_one_se, options.envs)):
            run_folder = RunPaths(run_of(options.envs))
        of_zoo = RunPaths(ZOO_RESULTS / name_of_task(plan.task))
        out = (run_folder or of_zoo).evaluation(plan.rules.name)
    return Evaluation(
        plan,
        options.engine,
        engines,
        EvaluationFiles(out, shard),
        run_folder,
        shard,
        options.threads or available_cores(),
    )


def _plan(options: EvaluateOptions) -> Plan:
    """Which agents, on the sets that are there."""
    if options.task is not None:
        import_task(options.task)
    sets = used_sets(options.envs, options.train_envs, options.only_solved)
    rules = _rules(options, sets)
    sources = agent_sources(
        options.agents,
        [used.se_set for used in sets],
        options.agent_space,
        parse_overrides(options.set),
        rules.how,
        options.baselines,
    )
    wanted = set(options.train_envs)
    plan = Plan(
        rules,
        sets,
        sources,
        with_sets=not wanted or bool(wanted - {REAL}),
        with_real=not wanted or REAL in wanted,
        baselines=set(options.baselines) - set(options.agents),
    )
    check_task(plan.task)
    return plan


def _rules(options: EvaluateOptions, sets: Sequence[UsedSet]) -> Rules:
    """As the flags say; where there are reward networks, for learning curves."""
    of_rewards = any(used.is_of_rewards for used in sets)
    curves = options.curves or of_rewards or options.curve_steps is not None
    values = options.agent_values or (MATCHED if curves else None)
    variation = options.hyperparameters or ("default" if of_rewards else "varied")
    return Rules(
        options.seed,
        options.num_agents,
        options.test_episodes,
        _steps(options, sets[0].se_set.task) if curves else options.fixed_steps,
        not options.no_step_cap,
        Hyperparameters(variation, values, curves),
    )


def _steps(options: EvaluateOptions, task: str) -> int:
    """Training steps of every curve."""
    if options.fixed_steps is not None:
        raise UserError("--fixed-steps: curves have --curve-steps instead")
    known = textbook(task)
    if options.curve_steps is None and known is None:
        raise UserError(f"say how long curves of {task} are: --curve-steps N")
    at_least(1, curve_steps=options.curve_steps)
    return options.curve_steps or (known.steps if known else 0)


def _engines(plan: Plan, engine: str) -> dict[str, str]:
    """What trains each algorithm."""
    loop = InnerLoop(engine)
    first = {agent.agent: plan.job(agent) for agent in reversed(plan.agents)}
    for job in first.values():
        _check_agent(job)
    _check_steps(plan)
    _note_discounts(plan)
    return {name: loop.engine_for(job) for name, job in first.items()}


def _check_steps(plan: Plan) -> None:
    """Refuse `--fixed-steps` in which an agent never learns."""
    steps = plan.rules.fixed_steps
    for agent in plan.agents if steps is not None else ():
        check_learns(plan.job(agent).agent, steps, f"--fixed-steps {steps}")


def _note_discounts(plan: Plan) -> None:
    """Say where agents have another discount than the one of a reward network's file.

    Only with that are potentials known to leave the best policies as they are.
    """
    told = set()
    first = {(a.agent, *a.key[:2]): a for a in reversed(plan.agents)}
    for agent in first.values():
        checkpoint = agent.se.checkpoint if agent.se else None
        if checkpoint and getattr(checkpoint.se_config, "potential", False):
            own = discount_of(plan.job(agent).agent)
            learned = checkpoint.metadata.get("discount")
            told.add((agent.agent, own, learned))
    for name, own, learned in sorted(told, key=str):
        if None not in (own, learned) and own != learned:
            log.warning(
                "%s has the discount %g, the reward network was learned with %g: with "
                "that its potential favours no other policies; --set %s.gamma=%g",
                *(name, own, learned, name, learned),
            )


def _check_agent(job: TrainingJob) -> None:
    """Refuse now what else its training would."""
    kind, task = kind_of(job.agent), get_task(job.task)
    check_takes(kind, task.id, task.continuous, task.discrete_obs)
    if kind.made_first:
        sizes = task.obs_size, task.n_actions
        make_agent(job.agent, *sizes, job.seed, continuous=task.continuous)
