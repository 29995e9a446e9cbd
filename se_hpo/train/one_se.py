"""Train one SE of a set: an NES run or a random search, and how it ended.

First the checkpoint is written, then the outcome: where there is an outcome, the SE is
finished.
"""

from __future__ import annotations

import logging
import math
import socket
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.envs.checkpoint import save_se
from se_hpo.envs.tasks import get_task
from se_hpo.errors import UserError
from se_hpo.names import is_random, noun_of
from se_hpo.nes.generation import n_trainings
from se_hpo.nes.nes_state import restarts_in
from se_hpo.nes.random_search import run_random_search, scored_candidates
from se_hpo.nes.run import run_nes
from se_hpo.results.se_outcome import SEOutcome
from se_hpo.results.se_set_settings import SetSettings
from se_hpo.storage.files import read_json_lines, write_json
from se_hpo.storage.paths import SESetPaths, TrialPaths
from se_hpo.text import first_line
from se_hpo.training.inner_loop import InnerLoop

log = logging.getLogger(__name__)


_Trained = tuple[np.ndarray | None, dict[str, Any]]
"""The SE that is kept, and fields of `SEOutcome`."""


def train_se(
    settings: SetSettings, paths: SESetPaths, index: int, inner_loop: InnerLoop
) -> SEOutcome:
    """Train SE `index`, or go on where an earlier process stopped.

    Divergence and any crash are outcomes with a reason. An `OSError` (full disk, lost
    share) and a `UserError` (of the machine or the set) say nothing about the SE and
    are raised.
    """
    seed, files = settings.se_seed(index), paths.run(index)
    train = _random_search if is_random(settings.train_env) else _nes
    try:
        psi, values = train(settings, seed, files, inner_loop)
    except (OSError, UserError):
        raise
    except Exception as error:
        log.exception("%s %d failed", noun_of(settings.train_env), index)
        psi, values = _failed(settings, files, error)
    outcome = SEOutcome(
        index=index,
        seed=seed,
        train_env=settings.train_env,
        task=settings.config.task,
        engine=inner_loop.engine_name,
        host=socket.gethostname(),
        wall_seconds=_sum(_lines(files.timing), "wall_seconds"),
        cpu_seconds=_sum(_lines(files.timing), "cpu_seconds"),
        **values,
    )
    if psi is not None:
        keep = ("index", "seed", "train_env", "solved", "solved_at", "generations")
        metadata = {key: getattr(outcome, key) for key in (*keep, "best_score")}
        config, path = settings.config, paths.checkpoint(index)
        metadata |= {"kind": "best", **config.discount}
        save_se(path, psi, config.task, config.se, metadata)
    write_json(paths.outcome(index), outcome.to_dict())
    return outcome


def _nes(
    settings: SetSettings, seed: int, files: TrialPaths, inner_loop: InnerLoop
) -> _Trained:
    # set.json is ours: a foreign state is of another version.
    outcome = run_nes(
        settings.config, seed, files, inner_loop, settings.generations, restart=True
    )
    state = outcome.state
    return state.best_psi, {
        "solved": state.solved_at is not None,
        "solved_at": state.solved_at,
        "generations": state.generation,
        "best_score": float(state.best_score),
        "final_score": float(outcome.center_scores[-1]),
        "reason": outcome.reason,
        "trainings": n_trainings(
            settings.config.nes, state.generation, 1 + outcome.restarts
        ),
        "env_steps_se": outcome.total("env_steps_se"),
        "env_steps_task": outcome.total("env_steps_task"),
    }


def _random_search(
    settings: SetSettings, seed: int, files: TrialPaths, inner_loop: InnerLoop
) -> _Trained:
    config, trainings = settings.config, settings.trainings
    assert trainings is not None
    write_json(files.config, {**config.to_dict(), "seed": seed})
    found = run_random_search(config, seed, files, inner_loop, trainings)
    return found.psi, {
        "solved": found.mean_return >= get_task(config.task).solved_return,
        "solved_at": None,
        "generations": 0,
        "best_score": found.score,
        "final_score": found.score,
        "reason": "budget",
        "trainings": trainings,
        "env_steps_se": found.env_steps_se,
        "env_steps_task": found.env_steps_task,
    }


def _failed(settings: SetSettings, files: TrialPaths, error: Exception) -> _Trained:
    """A run that raised keeps its files; its set gets no SE from it."""
    generations = _lines(files.generations)
    spent = generations or _lines(files.candidates)
    nes, n = settings.config.nes, len(generations)
    starts = 1 + restarts_in(generations)
    return None, {
        "solved": False,
        "solved_at": None,
        "generations": n,
        "best_score": None,
        "final_score": None,
        "reason": f"failed: {type(error).__name__}: {first_line(error)}",
        "trainings": n_trainings(nes, n, starts) if n else scored_candidates(files),
        "env_steps_se": int(_sum(spent, "env_steps_se")),
        "env_steps_task": int(_sum(spent, "env_steps_task")),
    }


def _sum(lines: list[dict[str, Any]], key: str) -> float:
    """Of what is a number: damage here must not end a training."""
    values = [line.get(key) for line in lines]
    numbers = [v for v in values if isinstance(v, (int, float)) and abs(v) < 2**53]
    return math.fsum(filter(math.isfinite, numbers))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [line for _, line in read_json_lines(path) if isinstance(line, dict)]
