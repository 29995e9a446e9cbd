"""A complete NES run: from a random SE, many generations, with checkpoint and resume.

Paper, section 3 and Algorithm 1. Killed at any moment, a run goes on from its last
generation and ends with the same bytes as one that was never interrupted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from se_hpo import seeding
from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.tasks import import_task
from se_hpo.nes.ending import why_it_ends
from se_hpo.nes.fitness import limit_of_tests, score_agents
from se_hpo.nes.folder import (
    ForeignStateError,
    append_generation,
    fingerprint,
    restore,
    save_state,
    set_run_aside,
    timed,
)
from se_hpo.nes.generation import (
    aggregate,
    collect,
    confirmation_jobs,
    generation_jobs,
    initial_jobs,
    random_psi,
)
from se_hpo.nes.nes_state import (
    RESTARTED,
    NESOutcome,
    NESState,
    begun_at,
    restarts_in,
)
from se_hpo.nes.rank_sample import RankSample
from se_hpo.nes.restarts import stands_still
from se_hpo.nes.reward_start import like_the_task, random_transitions
from se_hpo.nes.strategies import Update, make_strategy
from se_hpo.storage.files import Guard, write_json
from se_hpo.storage.paths import TrialPaths
from se_hpo.storage.records import to_builtin
from se_hpo.training.inner_loop import InnerLoop
from se_hpo.training.jobs import TrainingJob, TrainingResult

log = logging.getLogger(__name__)


@dataclass
class NESRun:
    """One NES run in one folder; an earlier state in it is continued.

    Raises:
        UserError: unknown task, a first limit that is not above its own, or the folder
            belongs to another run.
    """

    config: RunConfig
    seed: int
    """Of everything random in the run."""
    paths: TrialPaths
    inner_loop: InnerLoop
    guard: Guard = lambda: None

    def __post_init__(self) -> None:
        self.task = import_task(self.config.task)
        limit_of_tests(self.config, 0)  # that it fits the task
        self.strategy = make_strategy(self.config.nes)
        engine = self.inner_loop.engine_name
        self._owner = fingerprint(self.config, self.seed, engine)
        self._first_line: dict[str, Any] = {}
        self._written = 0
        self._sample: RankSample | None = None

    def run(self, n_generations: int) -> NESOutcome:
        """Run until `n_generations` are finished in all, or an earlier end."""
        restored = restore(self.paths, self._owner, self.strategy)
        state, history = restored if restored else (None, [])
        file = self.paths.generations
        self._written = file.stat().st_size if file.exists() else 0
        while (
            reason := why_it_ends(self.config, state, history, n_generations)
        ) is None:
            cpu_seconds = self.inner_loop.cpu_seconds
            with timed(self.paths, cpu_seconds, generation=len(history)):
                self._read_sample()
                state = state or self._initial_state()
                if still := stands_still(self.config, state.best_score, history):
                    state = self._anew(state, history)
                before = state
                state, line = self._generation(state, [] if still else history)
                history.append(line)
                better = state.best_score > before.best_score
                moved = state.best_psi is not before.best_psi
                afresh = before.generation <= self.config.nes.limit_generations
                self._save(state, line, improved=better or moved or afresh)
        assert state is not None
        self.guard()
        self._save_center("last", state)
        return NESOutcome(state, history, reason)

    def _read_sample(self) -> None:
        """Where SEs are to rank: what they are to rank, once."""
        if self.config.nes.rank_space and self._sample is None:
            what = self.config, self.seed, self.paths.ranking, self.inner_loop
            # Only here: ConfigSpace takes a second.
            from se_hpo.nes.rank_agreement import rank_sample

            self._sample = rank_sample(*what, self.guard)
            if not self.paths.state.exists():
                self._first_line["env_steps_task"] = self._sample.env_steps

    def _anew(self, state: NESState, history: list[dict[str, Any]]) -> NESState:
        """From the random SEs that come next; the best center stays what it was."""
        log.warning(
            "generation %d: no SE has taught anything so far: starts anew from another "
            "random one",
            state.generation,
        )
        new = self._initial_state(restarts_in(history) + 1)
        self._first_line[RESTARTED] = True
        return replace(state, strategy=new.strategy)

    def _initial_state(self, start: int = 0) -> NESState:
        """A first center: a random SE, or the best of `n_initial` of them."""
        n, best = self.config.nes.n_initial, 0
        places = range(start * n, (start + 1) * n)
        candidates = [random_psi(self.config, self.seed, i) for i in places]
        if self.config.nes.start == "task_reward":
            candidates = self._fitted(candidates)
        if n > 1:
            limit = limit_of_tests(self.config, 0)
            jobs = initial_jobs(self.config, candidates, self.seed)
            results = self._trained(jobs, limit)
            scores = score_agents(results, self.config, limit, self._sample)
            scores = scores.reshape(n, -1)
            scores = aggregate(scores, self.config.nes)
            best = int(np.argmax(scores))
            self._first_line["initial_scores"] = scores
            self._first_line["env_steps_se"] = sum(r.env_steps for r in results)
            tests = sum(r.test_env_steps for r in results)
            self._first_line["env_steps_task"] = (
                self._first_line.get("env_steps_task", 0) + tests
            )
        psi = candidates[best]
        return NESState(self.strategy.init(psi), best_psi=psi)

    def _fitted(self, candidates: list[np.ndarray]) -> list[np.ndarray]:
        """Reward networks like the task's reward, from random ones."""
        seen = random_transitions(self.config, self.seed)
        before = self._first_line.get("env_steps_task", 0)
        self._first_line["env_steps_task"] = before + seen.env_steps
        return [
            like_the_task(
                self.config, psi, seen, seeding.generator(self.seed, "start", i)
            )
            for i, psi in enumerate(candidates)
        ]

    def _trained(
        self, jobs: list[TrainingJob], limit: int | None
    ) -> list[TrainingResult]:
        if sample := self._sample:
            jobs = [each for job in jobs for each in sample.jobs(job)]
        jobs = [replace(job, max_test_steps=limit) for job in jobs]
        return self.inner_loop.train_agents(jobs)

    def _before(self, history: list[dict[str, Any]]) -> list[float] | None:
        """Mean center scores of the generations that count with this one, if any do."""
        nes = self.config.nes
        first = max(nes.limit_generations, len(history) - nes.best_window + 1)
        first = max(first, begun_at(history))
        scores = [np.mean(line["center_scores"]) for line in history[first:]]
        return scores if nes.best_window > 1 else None

    def _generation(
        self, state: NESState, history: list[dict[str, Any]]
    ) -> tuple[NESState, dict[str, Any]]:
        nes, g = self.config.nes, state.generation
        rng = seeding.generator(self.seed, "generation", g, "directions")
        perturbations = self.strategy.ask(state.strategy, rng)
        members = state.psi + perturbations
        jobs = generation_jobs(self.config, state.psi, members, self.seed, g)
        limit = limit_of_tests(self.config, g)
        results = self._trained(jobs, limit)
        scores = collect(results, self.config, limit=limit, sample=self._sample)
        # Under another limit no return says that the task is solved; of an SE that
        # ranks agents nobody asks.
        asked = not limit and self._sample is None
        solved_return = self.task.solved_return if asked else np.inf
        if nes.n_confirmations and scores.center_returns.mean() >= solved_return:
            jobs = confirmation_jobs(self.config, state.psi, self.seed, g)
            scores = collect(results, self.config, self.inner_loop.train_agents(jobs))
        if g <= nes.limit_generations:
            state = replace(state, best_score=-np.inf)
        state = state.with_center_scores(
            scores.center, solved_return, scores.center_returns, self._before(history)
        )
        if nes.stop_when_solved and state.solved_at is not None:
            # The paper stops before the update, so that psi is what was measured.
            new, update = state.strategy, Update(np.zeros(nes.population), 0.0)
        else:
            baseline = float(scores.center.mean())
            new, update = self.strategy.tell(
                state.strategy, perturbations, scores.members, baseline
            )
        state = replace(state, strategy=new, generation=g + 1)
        first, self._first_line = self._first_line, {}
        line = {
            "generation": g,
            "center_scores": scores.center,
            "member_scores": scores.members,
            "weights": update.weights,
            "step_norm": update.step_norm,
            "env_steps_se": scores.env_steps_se + first.get("env_steps_se", 0),
            "env_steps_task": scores.env_steps_task + first.get("env_steps_task", 0),
            "best_score": state.best_score,
            "center_diverged": scores.center_diverged,
            "stop_reasons": scores.stop_reasons,
        }
        if nes.fitness != "return":
            line["center_returns"] = scores.center_returns
        keys = ("initial_scores", RESTARTED)
        line |= {key: first[key] for key in keys if key in first}
        return state, dict(to_builtin(line))

    def _save(self, state: NESState, line: dict[str, Any], improved: bool) -> None:
        self.guard()
        self._written = append_generation(self.paths.generations, line, self._written)
        if improved or not self.paths.best_se.exists():
            self._save_center("best", state)
        save_state(self.paths.state, state, self._owner)
        score = float(np.mean(line["center_scores"]))
        log.info("generation %d: center score %.1f", state.generation, score)

    def _save_center(self, kind: str, state: NESState) -> None:
        """Write the `best` or `last` center as a checkpoint, unless it has diverged."""
        best = kind == "best"
        psi = state.best_psi if best else state.psi
        if not np.isfinite(psi).all():
            return
        metadata = {
            **self.config.discount,
            "kind": kind,
            "seed": self.seed,
            "generation": state.generation,
            "best_score": state.best_score,
            "solved_at": state.solved_at,
        }
        path = self.paths.best_se if best else self.paths.last_se
        save_se(path, psi, self.config.task, self.config.se, to_builtin(metadata))


def run_nes(
    config: RunConfig,
    seed: int,
    paths: TrialPaths,
    inner_loop: InnerLoop,
    n_generations: int,
    guard: Guard = lambda: None,
    restart: bool = False,
) -> NESOutcome:
    """Run or continue an NES run up to `n_generations`; see `NESRun`.

    With `restart`, a state of another run, where it can only be of another version, is
    set aside, and the run starts again.
    """
    if not paths.config.exists():
        write_json(paths.config, {**config.to_dict(), "seed": seed})
    run = NESRun(config, seed, paths, inner_loop, guard)
    try:
        return run.run(n_generations)
    except ForeignStateError as error:
        if not restart:
            raise
        guard()
        set_run_aside(paths, str(error))
        return run.run(n_generations)
