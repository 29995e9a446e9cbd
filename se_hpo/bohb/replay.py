"""Bring a journal back into generator and brackets.

Afterwards both stand where an undisturbed run stood after the same results: what
was proposed and not finished is queued again under the same id, in the same order.
"""

from __future__ import annotations

import logging
from typing import Any

from se_hpo.bohb.halving import SuccessiveHalving
from se_hpo.bohb.job_table import Job
from se_hpo.bohb.journal import Entry, Journal
from se_hpo.errors import UserError

log = logging.getLogger(__name__)


def finished_job(entry: Entry, configuration: dict[str, Any], folder: str) -> Job:
    """An evaluation of the journal as hpbandster's job."""
    job = Job(
        entry.config_id,
        config=configuration,
        budget=entry.budget,
        working_directory=folder,
    )
    job.timestamps = dict(entry.time_stamps)
    job.result = dict(entry.result)
    return job


def replay_generator(journal: Journal, generator: Any, folder: str) -> list[Job]:
    """Feed every finished evaluation to the model, in the order of the journal.

    Returns:
        The evaluations as jobs.

    Raises:
        UserError: a configuration that is not of this search space.
    """
    jobs = []
    for entry in journal.results.values():
        job = finished_job(entry, journal.configs[entry.config_id][0], folder)
        try:
            generator.new_result(job, update_model=False)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(
                f"{journal.configs_path}: {entry.config_id} does not fit the search "
                f"space ({error}): was it another space's run? Choose another folder"
            ) from error
        jobs.append(job)
    generator.n_proposals = journal.n_proposals
    return jobs


def replay_bracket(
    bracket: SuccessiveHalving, journal: Journal, finished: dict[Any, Job]
) -> None:
    """Let a bracket catch up with the journal.

    Args:
        bracket: without trials.
        journal: the run's.
        finished: (config id, budget) -> its job; what the bracket takes is removed.
    """
    moved = True
    while moved:
        moved = False
        while (slot := bracket.next_slot()) is not None and slot in journal.configs:
            bracket.add_configuration(*journal.configs[slot])
            moved = True
        for config_id, budget in bracket.queued():
            job = finished.pop((config_id, budget), None)
            if job is not None:
                bracket.hand_out(config_id)
                bracket.register_result(job)
                moved = True


def brackets_begun(journal: Journal) -> int:
    """How many brackets have a trial."""
    return max((config_id[0] + 1 for config_id in journal.configs), default=0)
