"""What a set will cost, before it is trained."""

from __future__ import annotations

import statistics

from se_hpo import seeding
from se_hpo.nes.generation import inner_loop_job, n_trainings, random_psi
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.training.inner_loop import AgentSeconds, time_agents

SAMPLES = 8  # agents on random SEs that are timed


def most_trainings(settings: SetSettings) -> int:
    """Agents per SE, if it does not solve the task early, and whatever it restarts."""
    if settings.trainings is not None:
        return settings.trainings
    nes, n = settings.config.nes, settings.generations
    restarts = (n - 1) // nes.restart_after if nes.restart_after else 0
    return n_trainings(nes, n, 1 + restarts)


def seconds_per_agent(settings: SetSettings, n_parallel: int) -> AgentSeconds:
    """What an agent takes on an SE, at most; see `time_agents`.

    Measured on random SEs, many of which end an episode at once: so with as many steps
    as the agent may take, where there is such a limit.
    """
    config = settings.config
    seeds = [seeding.integer_seed(settings.seed, "plan", i) for i in range(SAMPLES)]
    jobs = [
        inner_loop_job(config, random_psi(config, s), s, turn)
        for turn, s in enumerate(seeds)
    ]
    measured = time_agents(settings.engine, jobs, n_parallel)
    limits = [job.resolved().agent.max_env_steps for job in jobs]
    if not all(limits) or not measured.env_steps:
        return measured
    longer = max(1.0, statistics.fmean(limits) / measured.env_steps)
    return measured._replace(cpu=measured.cpu * longer, wall=measured.wall * longer)
