"""An evaluation's agents: trained on all cores, recorded one by one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from se_hpo.evaluate.display import Progress
from se_hpo.evaluate.evaluation import Evaluation
from se_hpo.evaluate.plan import PlannedAgent
from se_hpo.results.evaluations import record_key
from se_hpo.storage.paths import sets_in
from se_hpo.training.inner_loop import load_engine
from se_hpo.training.process_pool import ProcessPool

log = logging.getLogger(__name__)


OnRecord = Callable[[dict[str, Any]], object]


def run_evaluation(
    evaluation: Evaluation, *, on_record: OnRecord | None = None, **shown: Any
) -> Progress:
    """Train what is still missing; every agent is recorded when it is done.

    Args:
        evaluation: what.
        on_record: told of each agent's record, when it is on disk; what it raises ends
            the attempt.
        **shown: `quiet`, `only_live`, `console` of `LiveLog`.

    Raises:
        UserError: the records there are of other settings, or another process is
            writing them.
    """
    files, n_threads = evaluation.files, evaluation.n_threads
    wanted = {agent.train_env for agent in evaluation.plan.agents}
    with files.opened(evaluation.settings(), wanted):
        finished = {record_key(r): r for r in files.finished()}
        _name_sets_that_are_gone(evaluation, finished.values())
        agents = evaluation.own_agents()
        before = [finished[a.key] for a in agents if a.key in finished]
        to_train = [a for a in agents if a.key not in finished]
        log.info(
            "%d agents to train, %d threads; records in %s",
            *(len(to_train), n_threads, files.records),
        )
        with Progress(agents, before, **shown) as progress:
            _train(evaluation, to_train, progress, on_record)
    return progress


def _name_sets_that_are_gone(
    evaluation: Evaluation, records: Iterable[Mapping[str, Any]]
) -> None:
    """After a set's folder was renamed, its SEs count twice."""
    run = evaluation.run_folder
    if run is None:
        return
    there = {folder.name for folder in sets_in(run.ses)}
    names = [r["se_set"] for r in records if r["se_set"] not in (None, *there)]
    if names:
        log.info(
            "%d records are of sets that %s has no more (%s); they stay",
            *(len(names), run.root, ", ".join(sorted(set(names)))),
        )


def _train(
    evaluation: Evaluation,
    agents: Sequence[PlannedAgent],
    progress: Progress,
    on_record: OnRecord | None,
) -> None:
    if not agents:
        return
    plan, engines = evaluation.plan, evaluation.engines
    jobs = [plan.job(agent) for agent in agents]
    load = functools.partial(
        load_engine, evaluation.engine, "torch" in engines.values()
    )
    pool = ProcessPool(min(evaluation.n_threads, len(agents)), load)
    try:
        for done in pool.completed(jobs):
            agent, job = agents[done.position], jobs[done.position]
            native = job.learned is None or job.learned.kind.native
            engine = engines[agent.agent] if native else "torch"
            record = plan.record(agent, job, done, engine)
            evaluation.files.append(record)
            progress.attempt(functools.partial(progress.add, record))
            if on_record is not None:
                on_record(record)
    finally:
        pool.close()
