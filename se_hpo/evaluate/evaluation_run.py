"""An evaluation: planned, trained on all cores, recorded agent by agent."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console

from se_hpo.config.overrides import parse_overrides
from se_hpo.envs.tasks import check_task, get_task, import_task
from se_hpo.evaluate.chosen_sets import run_of, used_sets
from se_hpo.evaluate.display import (
    Progress,
    cost_lines,
    outcome_table,
    work_table,
)
from se_hpo.evaluate.drawn_agents import agent_sources
from se_hpo.evaluate.evaluation_files import EvaluationFiles
from se_hpo.evaluate.options import EvaluateOptions
from se_hpo.evaluate.plan import Plan, PlannedAgent, Rules, in_shard
from se_hpo.machine.processes import available_cores
from se_hpo.names import REAL
from se_hpo.results.evaluations import load_evaluations, record_key
from se_hpo.results.lines import UnreadableWarning
from se_hpo.storage.paths import RunPaths, sets_in
from se_hpo.terminal.cli import log_to_stderr, python_command
from se_hpo.terminal.flags import at_least, parse_shard
from se_hpo.training.inner_loop import InnerLoop, load_engine
from se_hpo.training.process_pool import ProcessPool

log = logging.getLogger(__name__)


class Evaluation:
    """An evaluation as the command line asks for it.

    Raises:
        UserError: flags that make none.
    """

    def __init__(self, options: EvaluateOptions) -> None:
        self.shard = parse_shard(options.shard)
        at_least(0, threads=options.threads)
        self.n_threads = options.threads or available_cores()
        rules = Rules(
            options.seed,
            options.num_agents,
            options.test_episodes,
            options.fixed_steps,
            not options.no_step_cap,
        )
        if options.task is not None:
            import_task(options.task)
        sets = used_sets(options.envs, options.train_envs, options.only_solved)
        sources = agent_sources(
            options.agents,
            [used.se_set for used in sets],
            options.agent_space,
            parse_overrides(options.set),
        )
        wanted = set(options.train_envs)
        self.plan = Plan(
            rules,
            sets,
            sources,
            with_sets=not wanted or bool(wanted - {REAL}),
            with_real=not wanted or REAL in wanted,
        )
        check_task(self.plan.task)
        self.engine = options.engine
        self.engines = self._engines()
        out = options.out
        self._run_folder: RunPaths | None = None  # elsewhere are sets of several runs
        if out is None:
            self._run_folder = RunPaths(run_of(options.envs))
            out = self._run_folder.evaluation(rules.name)
            out = self._run_folder.evaluation(rules.name)
        self.files = EvaluationFiles(out, self.shard)

    def _engines(self) -> dict[str, str]:
        """What trains each algorithm."""
        loop = InnerLoop(self.engine)
        first = {agent.agent: agent for agent in reversed(self.plan.agents)}
        jobs = {name: self.plan.job(agent) for name, agent in first.items()}
        return {name: loop.engine_for(job) for name, job in jobs.items()}

    def settings(self) -> dict[str, Any]:
        """What all records share; builtin types."""
        plan = self.plan
        agents = {
            name: {"engine": self.engines[name], **source.to_dict()}
            for name, source in plan.sources.items()
        }
        sets = {used.se_set.name: used.to_dict() for used in plan.sets}
        return {
            "task": plan.task,
            **vars(plan.rules),
            "agents": agents,
            "sets": sets,
        }

    def own_agents(self) -> list[PlannedAgent]:
        """The planned agents of this shard."""
        return [a for a in self.plan.agents if in_shard(a.key, self.shard)]

    def run(self, quiet: bool = False) -> Progress:
        """Train what is still missing; every agent is recorded when it is done.

        Raises:
            UserError: the records there are of other settings, or another process is
                writing them.
        """
        wanted = {agent.train_env for agent in self.plan.agents}
        with self.files.opened(self.settings(), wanted):
            finished = {record_key(r): r for r in self.files.finished()}
            self._name_sets_that_are_gone(finished.values())
            agents = self.own_agents()
            before = [finished[a.key] for a in agents if a.key in finished]
            to_train = [a for a in agents if a.key not in finished]
            log.info(
                "%d agents to train, %d threads; records in %s",
                *(len(to_train), self.n_threads, self.files.records),
            )
            with Progress(agents, before, quiet) as progress:
                self._train(to_train, progress)
        return progress

    def _name_sets_that_are_gone(self, records: Iterable[Mapping[str, Any]]) -> None:
        """After a set's folder was renamed, its SEs count twice."""
        if self._run_folder is None:
            return
        there = {folder.name for folder in sets_in(self._run_folder.ses)}
        names = [r["se_set"] for r in records if r["se_set"] not in (None, *there)]
        if names:
            log.info(
                "%d records are of sets that %s has no more (%s); they stay",
                *(len(names), self._run_folder.root, ", ".join(sorted(set(names)))),
            )

    def _train(self, agents: Sequence[PlannedAgent], progress: Progress) -> None:
        if not agents:
            return
        jobs = [self.plan.job(agent) for agent in agents]
        n = min(self.n_threads, len(agents))
        pool = ProcessPool(n, functools.partial(load_engine, self.engine, self._torch))
        try:
            for done in pool.completed(jobs):
                agent, job = agents[done.position], jobs[done.position]
                engine = self.engines[agent.agent]
                record = self.plan.record(agent, job, done, engine)
                self.files.append(record)
                progress.attempt(functools.partial(progress.add, record))
        finally:
            pool.close()

    @property
    def _torch(self) -> bool:
        return "torch" in self.engines.values()

    def frame(self) -> pd.DataFrame:
        """The records so far of the planned agents, of all shards."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnreadableWarning)  # named at the beginning
            frames = [load_evaluations(file) for file in self.files.all_records()]
        keys = ["train_env", "se_set", "se", "agent", "pair"]
        frame = pd.concat(frames, ignore_index=True).drop_duplicates(keys)
        rows = frame[keys].astype(object)
        found = rows.where(rows.notna(), None).itertuples(index=False, name=None)
        planned = {agent.key for agent in self.plan.agents}
        return frame[[key in planned for key in found]]


def main(options: EvaluateOptions) -> int:
    """Do what the flags ask for."""
    log_to_stderr(logging.WARNING if options.quiet else logging.INFO)
    console = Console(highlight=False)
    evaluation = Evaluation(options)
    if not options.quiet:
        for used in evaluation.plan.sets:
            console.print(used.summary, soft_wrap=True, markup=False)
    if options.plan:
        evaluation.files.check(evaluation.settings())
        done = {record_key(record) for record in evaluation.files.finished()}
        console.print(work_table(evaluation.own_agents(), done, options.test_episodes))
        return 0
    progress = evaluation.run(options.quiet)
    frame = evaluation.frame()
    console.print(outcome_table(frame, get_task(evaluation.plan.task).solved_return))
    for line in cost_lines(frame, progress, evaluation.n_threads):
        console.print(line, soft_wrap=True, markup=False)
    records = evaluation.files.all_records()
    path = records[0] if len(records) == 1 else evaluation.files.folder
    line = f"Next:\n  {python_command('load_evaluations', path)}"
    console.print(line, soft_wrap=True, markup=False, emoji=False)
    return 0
