"""The control without NES: the best of as many random SEs as NES trains agents for.

Of `trainings` agents, most are trained on a random SE each; the best SEs then get
`n_center_evaluations` fresh agents each, and the best mean of those wins. So the winner
is judged as the center of an NES run is, and not by the luck that made it a finalist.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo import seeding
from se_hpo.config.run import RunConfig
from se_hpo.errors import UserError
from se_hpo.nes.fitness import score_agents
from se_hpo.nes.folder import fingerprint, timed
from se_hpo.nes.generation import inner_loop_job, random_psi
from se_hpo.storage.files import append_json_line, read_json_lines, write_json_lines
from se_hpo.storage.json_records import record
from se_hpo.storage.paths import TrialPaths
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)

CHUNK = 64
"""Candidates scored between two lines of `candidates.jsonl`."""
FINALISTS = 8
"""SEs scored again, where they take no more than half of the trainings."""


@dataclass(frozen=True)
class SearchPlan:
    """How a number of trainings is spent."""

    candidates: int
    """Random SEs, one agent each."""
    finalists: int
    agents: int
    """Fresh agents per finalist."""


def search_plan(trainings: int, agents: int) -> SearchPlan:
    """Spend exactly `trainings`, with so many agents per finalist.

    Raises:
        UserError: too few trainings.

    >>> search_plan(1000, 16)
    SearchPlan(candidates=872, finalists=8, agents=16)
    >>> search_plan(40, 16)
    SearchPlan(candidates=24, finalists=1, agents=16)
    """
    if trainings < 2 * agents:
        raise UserError(
            f"{trainings} trainings: a random search with nes.n_center_evaluations = "
            f"{agents} takes at least {2 * agents}"
        )
    finalists = min(FINALISTS, trainings // (2 * agents))
    return SearchPlan(trainings - finalists * agents, finalists, agents)


@dataclass(frozen=True)
class SearchOutcome:
    """The best of the random SEs."""

    psi: np.ndarray
    candidate: int
    """Which it was."""
    score: float
    """Mean score of its fresh agents."""
    mean_return: float
    """Mean test return of its fresh agents: the score, where the fitness is this."""
    first_score: float
    """Of the one agent that made it a finalist."""
    env_steps_se: int
    env_steps_task: int


def run_random_search(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    trainings: int,
) -> SearchOutcome:
    """Run a search that trains so many agents, or continue it from its last whole line.

    Of the config's `nes` it takes `n_center_evaluations`, `vary_agents` and the
    fitness. Several algorithms take turns: over the candidates, and over the agents of
    each finalist.
    """
    check_searchable(config)
    plan = search_plan(trainings, config.nes.n_center_evaluations)
    owner = fingerprint(config, seed, inner_loop.engine_name)
    lines = _restore(paths.candidates, owner, plan)
    scores = [score for line in lines for score in line.scores]
    by_return = config.nes.fitness == "return"

    def score(jobs: list[tuple[int, int, int]]) -> None:
        """Train an agent per `(candidate, agent seed, turn)` and append the line."""
        with timed(paths, inner_loop.cpu_seconds):
            results = inner_loop.train_agents(
                [
                    inner_loop_job(config, random_psi(config, seed, n), s, turn)
                    for n, s, turn in jobs
                ]
            )
            line = _Scores(
                trainings_before=len(scores),
                scores=score_agents(results, config).tolist(),
                env_steps_se=sum(result.env_steps for result in results),
                env_steps_task=sum(int(result.test_env_steps) for result in results),
                returns=None if by_return else [result.score for result in results],
            )
            append_json_line(paths.candidates, _as_written(line))
        lines.append(line)

    while len(scores) < plan.candidates:
        numbers = range(len(scores), min(len(scores) + CHUNK, plan.candidates))
        score([(n, seeding.integer_seed(seed, "candidate", n), n) for n in numbers])
        scores += lines[-1].scores
        log.info("%d of %d random SEs scored", len(scores), plan.candidates)
    first = np.array(scores[: plan.candidates])
    finalists = np.argsort(-first, kind="stable")[: plan.finalists]
    if len(scores) == plan.candidates:
        seeds = [seeding.integer_seed(seed, "finalist", k) for k in range(plan.agents)]
        score([(int(n), each, k) for n in finalists for k, each in enumerate(seeds)])
    means = _means(lines[-1].scores, plan)
    best = int(np.argmax(means))
    returns = _means(lines[-1].returns or lines[-1].scores, plan)
    winner = int(finalists[best])
    return SearchOutcome(
        psi=random_psi(config, seed, winner),
        candidate=winner,
        score=float(means[best]),
        mean_return=float(returns[best]),
        first_score=float(first[winner]),
        env_steps_se=sum(line.env_steps_se for line in lines),
        env_steps_task=sum(line.env_steps_task for line in lines),
    )


def check_searchable(config: RunConfig) -> None:
    """Raise `UserError` where an SE takes more than one agent to score."""
    if config.nes.rank_space:
        raise UserError(
            "nes.fitness = 'rank_agreement' has no --random-search: for the best of n "
            "random SEs set nes.n_initial, with --generations 1"
        )


def _means(values: Sequence[float], plan: SearchPlan) -> np.ndarray:
    """Of the fresh agents of each finalist."""
    return np.array(values).reshape(plan.finalists, -1).mean(axis=1)


def scored_candidates(paths: TrialPaths) -> int:
    """Agents trained so far, for a look at a search that runs."""
    lines = (_scores(line) for _, line in read_json_lines(paths.candidates))
    return sum(len(line.scores) for line in lines if line is not None)


@dataclass(frozen=True)
class _Scores:
    """A line of `candidates.jsonl`."""

    trainings_before: int
    scores: list[float]
    env_steps_se: int
    env_steps_task: int
    returns: list[float] | None = None
    """Mean test returns, where the scores are others."""

    def __post_init__(self) -> None:
        if self.returns is not None and len(self.returns) != len(self.scores):
            raise ValueError(
                f"{len(self.returns)} returns of {len(self.scores)} agents"
            )


def _as_written(line: _Scores) -> dict[str, Any]:
    return {key: value for key, value in asdict(line).items() if value is not None}


def _scores(line: Any) -> _Scores | None:
    """None where a line is the header, or damaged."""
    try:
        return record(_Scores, line)
    except ValueError:
        return None


def _restore(path: Path, owner: str, plan: SearchPlan) -> list[_Scores]:
    """The lines so far; from the first that does not fit on, they are cut off."""
    header = {"owner": owner}
    lines: list[_Scores] = []
    found: list[Any] = [line for _, line in read_json_lines(path)]
    if found and found[0] != header:
        log.warning("%s is damaged or of another search: starts again", path)
    for line in found[1:] if found[:1] == [header] else []:
        scores = _scores(line)
        if scores is None or not _fits(scores, lines, plan):
            log.warning("%s is damaged after %d lines: goes on there", path, len(lines))
            break
        lines.append(scores)
    whole = [header, *map(_as_written, lines)]
    if found != whole:
        write_json_lines(path, whole)
    return lines


def _fits(line: _Scores, before: Sequence[_Scores], plan: SearchPlan) -> bool:
    done = sum(len(earlier.scores) for earlier in before)
    if done < plan.candidates:
        expected = min(CHUNK, plan.candidates - done)
    else:
        expected = plan.finalists * plan.agents if done == plan.candidates else -1
    return line.trainings_before == done and len(line.scores) == expected
