"""What a set will cost, before it is trained."""

from __future__ import annotations

import time
from dataclasses import replace

from se_hpo import seeding
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import import_task
from se_hpo.nes.generation import inner_loop_job, n_trainings
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob

SAMPLES = 8  # agents on random SEs that are timed


def most_trainings(settings: SetSettings) -> int:
    """Agents per SE, if it does not solve the task early."""
    if settings.trainings is not None:
        return settings.trainings
    return n_trainings(settings.config.nes, settings.generations)


def seconds_per_agent(settings: SetSettings) -> float:
    """Mean time of an agent on a random SE and one core.

    An estimate from the start of learning: on a better SE agents train longer or
    shorter, so expect a factor of two either way.
    """
    jobs = [_job(settings, i) for i in range(SAMPLES)]
    with InnerLoop(settings.engine, n_threads=1) as inner_loop:
        # A first, tiny job pays for what only the first one pays for.
        short = replace(jobs[0].agent, train_episodes=1, test_episodes=1)
        inner_loop.train_agents([replace(jobs[0], agent=short)])
        started = time.perf_counter()
        inner_loop.train_agents(jobs)
        return (time.perf_counter() - started) / len(jobs)


def _job(settings: SetSettings, index: int) -> TrainingJob:
    config = settings.config
    seed = seeding.integer_seed(settings.seed, "plan", index)
    psi = initial_psi(
        config.se, import_task(config.task), seeding.generator(seed, "psi")
    )
    return inner_loop_job(config, psi, seed)
