"""The inner loops of one generation: which agents are trained, on what, and how seeded.

Jobs of a generation are independent, so all of them go to the engine at once: first
those of the center, then per direction and sign `n_evaluations` agents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from se_hpo import seeding
from se_hpo.config.nes_config import NESConfig
from se_hpo.config.run import RunConfig
from se_hpo.config.variation import vary_within
from se_hpo.envs.learned import LearnedEnv
from se_hpo.envs.parameters import initial_psi
from se_hpo.envs.tasks import import_task
from se_hpo.nes.fitness import score_agents, scored_job
from se_hpo.nes.rank_sample import RankSample
from se_hpo.nes.strategies import make_strategy
from se_hpo.training.jobs import TrainingJob, TrainingResult


def random_psi(config: RunConfig, seed: int, *place: int) -> np.ndarray:
    """A random SE, float32: the one at this place among those of the seed."""
    rng = seeding.generator(seed, "psi", *place)
    return initial_psi(config.se, import_task(config.task), rng)


def inner_loop_job(
    config: RunConfig, psi: np.ndarray, seed: int, turn: int = 0
) -> TrainingJob:
    """Train one agent on the SE `psi`; `seed` also draws its hyperparameters.

    Of several algorithms it is the one whose `turn` it is.
    """
    agent = config.agents[turn % len(config.agents)]
    if config.nes.vary_agents:
        rng = seeding.generator(seed, "hyperparameters")
        agent = vary_within(agent, rng, config.nes.vary, config.nes.most_update_cost)
    return scored_job(config, agent, LearnedEnv(config.se, psi), seed)


def generation_jobs(
    config: RunConfig, center: np.ndarray, population: np.ndarray, run_seed: int, g: int
) -> list[TrainingJob]:
    """All inner loops of generation `g`.

    Args:
        config: with `common_random_numbers`, evaluation k of the center and of every
            member has the same seed; else every inner loop has its own.
        center: psi, `n`.
        population: perturbed psi, `P x n_signs x n`.
        run_seed: seed of the NES run.
        g: generation, from 0.
    """
    nes = config.nes

    def seed(*place: int | str) -> int:
        node = ("common", place[-1]) if nes.common_random_numbers else place
        return seeding.integer_seed(run_seed, "generation", g, *node)

    jobs = [
        inner_loop_job(config, center, seed("center", k), g + k)
        for k in range(nes.n_center_evaluations)
    ]
    members = config if nes.vary_members else without_variation(config)
    for i, pair in enumerate(population):
        for sign, psi in enumerate(pair):
            jobs += [
                inner_loop_job(members, psi, seed("member", i, sign, k), g)
                for k in range(nes.n_evaluations)
            ]
    return jobs


def without_variation(config: RunConfig) -> RunConfig:
    """One whose agents are all as they are given."""
    return replace(config, nes=replace(config.nes, vary_agents=False))


def confirmation_jobs(
    config: RunConfig, center: np.ndarray, run_seed: int, g: int
) -> list[TrainingJob]:
    """`n_confirmations` more inner loops on the center of generation `g`."""
    seeds = [
        seeding.integer_seed(run_seed, "generation", g, "confirmation", k)
        for k in range(config.nes.n_confirmations)
    ]
    return [inner_loop_job(config, center, seed, g + k) for k, seed in enumerate(seeds)]


def n_trainings(nes: NESConfig, generations: int, starts: int = 1) -> int:
    """Agents that a run of so many generations trains, those of its starts included.

    Confirmations of solved centers come on top: when there are any, is not known; so
    does the sample of a ranking, on the task.
    """
    members = nes.population * make_strategy(nes).n_signs * nes.n_evaluations
    start = nes.n_initial * nes.n_evaluations if nes.n_initial > 1 else 0
    evaluations = starts * start + generations * (nes.n_center_evaluations + members)
    return evaluations * (nes.rank_agents if nes.rank_space else 1)


def initial_jobs(
    config: RunConfig, candidates: Sequence[np.ndarray], run_seed: int
) -> list[TrainingJob]:
    """`n_evaluations` inner loops on each random SE that could be the first center.

    Their agents never vary: one unlucky draw would make all candidates look alike, and
    the run would start anywhere.
    """
    config = without_variation(config)
    seeds = [
        seeding.integer_seed(run_seed, "initial", "common", k)
        for k in range(config.nes.n_evaluations)
    ]
    return [
        inner_loop_job(config, psi, seed, k)
        for psi in candidates
        for k, seed in enumerate(seeds)
    ]


def aggregate(scores: np.ndarray, nes: NESConfig) -> np.ndarray:
    """Scores of the agents of each member (last axis) as one score per member."""
    return scores.min(-1) if nes.evaluation_aggregate == "min" else scores.mean(-1)


@dataclass(frozen=True)
class GenerationScores:
    """What the inner loops of a generation gave."""

    center: np.ndarray
    """`n_center_evaluations`, and `n_confirmations` where it seemed to be solved."""
    center_returns: np.ndarray
    """Mean test returns of the same agents: their scores, where the fitness is this."""
    members: np.ndarray
    """`P x n_signs`, aggregated over `n_evaluations`."""
    env_steps_se: int
    """Training steps on SEs."""
    env_steps_task: int
    """Test steps on the task."""
    stop_reasons: dict[str, int]
    """How often each stopping rule ended a training."""
    center_diverged: int
    """Evaluations of the center all of whose agents met NaN or inf."""


def collect(
    results: Sequence[TrainingResult],
    config: RunConfig,
    confirmations: Sequence[TrainingResult] = (),
    limit: int | None = None,
    sample: RankSample | None = None,
) -> GenerationScores:
    """Sort the results of `generation_jobs` back into center and members.

    Those of `confirmation_jobs` join the center's; `limit` is the tests' own, if any.
    With a `sample` every job was one for each of its agents.
    """
    nes, each = config.nes, len(sample.agents) if sample else 1
    n_center = nes.n_center_evaluations * each
    members = score_agents(results[n_center:], config, limit, sample)
    per_agent = members.reshape(nes.population, -1, nes.n_evaluations)
    center = [*results[:n_center], *confirmations]
    results = [*results, *confirmations]
    reasons = Counter(result.stop_reason for result in results)
    diverged = np.array([r.stop_reason == "diverged" for r in center])
    return GenerationScores(
        center=score_agents(center, config, limit, sample),
        center_returns=np.array([r.score for r in center]).reshape(-1, each).mean(1),
        members=aggregate(per_agent, nes),
        env_steps_se=sum(result.env_steps for result in results),
        env_steps_task=sum(result.test_env_steps for result in results),
        stop_reasons=dict(sorted(reasons.items())),
        center_diverged=int(diverged.reshape(-1, each).all(1).sum()),
    )
