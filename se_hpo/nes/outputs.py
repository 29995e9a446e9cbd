"""What a generation leaves behind: its line, its timing, checkpoints of its center."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from se_hpo.config.run import RunConfig
from se_hpo.envs.checkpoint import save_se
from se_hpo.nes.generation import GenerationScores
from se_hpo.nes.nes_state import NESState
from se_hpo.nes.strategies import Update
from se_hpo.storage.files import append_json_line
from se_hpo.storage.records import to_builtin


def generation_line(
    generation: int,
    state: NESState,
    scores: GenerationScores,
    update: Update,
    initial: Mapping[str, Any],
) -> dict[str, Any]:
    """The line of `generations.jsonl`; the same for the same seed and engine.

    Args:
        generation: from 0.
        state: after the update.
        scores: of center and members.
        update: what `tell` did.
        initial: for generation 0, what choosing among `n_initial` SEs gave and cost.
    """
    line = {
        "generation": generation,
        "center_scores": scores.center,
        "member_scores": scores.members,
        "weights": update.weights,
        "step_norm": update.step_norm,
        "env_steps_se": scores.env_steps_se + initial.get("env_steps_se", 0),
        "env_steps_task": scores.env_steps_task + initial.get("env_steps_task", 0),
        "best_score": state.best_score,
        "center_diverged": scores.center_diverged,
        "stop_reasons": scores.stop_reasons,
    }
    if "initial_scores" in initial:
        line["initial_scores"] = initial["initial_scores"]
    return dict(to_builtin(line))


def save_center(
    path: Path,
    psi: np.ndarray,
    state: NESState,
    config: RunConfig,
    seed: int,
    kind: str,
) -> None:
    """Write a center as a checkpoint, unless it has diverged.

    Args:
        path: the checkpoint.
        psi: the center.
        state: gives scores and generation for the metadata.
        config: task and sizes.
        seed: of the NES run.
        kind: `best` or `last`.
    """
    if not np.isfinite(psi).all():
        return
    metadata = {
        "kind": kind,
        "seed": seed,
        "generation": state.generation,
        "best_score": state.best_score,
        "solved_at": state.solved_at,
    }
    save_se(path, psi, config.task, config.se, to_builtin(metadata))


def append_timing(
    path: Path, generation: int, started: float, cpu_seconds: float
) -> None:
    """The line of `timing.jsonl`; apart, since it differs from run to run.

    Args:
        path: the file.
        generation: from 0.
        started: Unix seconds.
        cpu_seconds: of this process and its pool.
    """
    timing = {
        "generation": generation,
        "started": started,
        "wall_seconds": time.time() - started,
        "cpu_seconds": cpu_seconds,
    }
    append_json_line(path, timing)
